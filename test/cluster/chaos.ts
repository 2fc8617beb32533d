/**
 * The long form: a cluster under random faults for as long as told, its history judged at the end.
 *
 * usage: npm run chaos -- [--minutes 60] [--seed N] [--system sluice|sluice-local|kafka] [--brokers 3] [--rate 400]
 *                         [--only PART-OF-A-FAULT'S-NAME]... [--history FILE] [--keep DIRECTORY]
 *
 * CLIENT_LOGS=DIRECTORY in the environment keeps what the clients of librdkafka tell about themselves.
 *
 * Prints its seed, what it does, and a summary; ends with 1 where anything was wrong.
 */
import { cpSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { describeAnomalies } from './checker/anomalies.ts';
import { type RoundsReport, runRounds } from './faults/rounds.ts';
import { type Cluster, startCluster } from './harness/cluster.ts';
import { insideSandbox, runInSandbox, sandboxPrefix } from './harness/sandbox.ts';
import { SYSTEM_NAMES, type SystemName } from './harness/system.ts';
import { RecreatedTopic } from './workload/recreated-topic.ts';
import { type RunReport, startWorkload } from './workload/workload.ts';

const TOPIC = 'chaos';
const PARTITIONS = 6;
/** Large enough for an hour's history and small enough to be filled at once. */
const DISK_BYTES = 2 ** 30;

interface ChaosOptions {
  readonly minutes: number;
  readonly seed: number;
  readonly system: SystemName;
  readonly brokers: number;
  readonly rate: number;
  readonly only: readonly string[];
  readonly history: string;
  readonly keep: string | undefined;
}

function readOptions(): ChaosOptions {
  const { values } = parseArgs({
    options: {
      minutes: { type: 'string', default: '60' },
      seed: { type: 'string', default: String(Math.floor(Math.random() * 2 ** 31)) },
      system: { type: 'string', default: 'sluice' },
      brokers: { type: 'string', default: '3' },
      rate: { type: 'string', default: '400' },
      only: { type: 'string', multiple: true, default: [] },
      history: { type: 'string' },
      keep: { type: 'string' },
    },
  });
  const system = SYSTEM_NAMES.find((name) => name === values.system);
  if (system === undefined) throw new Error(`--system is one of ${SYSTEM_NAMES.join(', ')}`);
  const { minutes, seed, brokers, rate, only, keep } = values;
  const history = values.history ?? join(tmpdir(), `sluice-chaos-${seed}.jsonl`);
  const numbers = { minutes: Number(minutes), seed: Number(seed), brokers: Number(brokers), rate: Number(rate) };
  if (Object.values(numbers).some((number) => !Number.isFinite(number))) throw new Error('a number was expected');
  return { ...numbers, system, only, history, keep };
}

function log(text: string): void {
  console.log(`${new Date().toISOString().slice(11, 23)} ${text}`);
}

async function run(options: ChaosOptions): Promise<boolean> {
  log(`chaos: --seed ${options.seed} --minutes ${options.minutes} --system ${options.system}`);
  if (!insideSandbox()) log('no private namespaces here: links are not cut, disks not filled');
  const { system, brokers } = options;
  const cluster = await startCluster({ system, brokers, diskBytes: DISK_BYTES, faultyMachines: true });
  let sound = false;
  try {
    await cluster.createTopic({ name: TOPIC, partitions: PARTITIONS, replicationFactor: 3 });
    sound = await runOn(cluster, options);
  } finally {
    if (!sound && options.keep !== undefined) cpSync(cluster.home, options.keep, { recursive: true });
    await cluster.close();
  }
  return sound;
}

async function runOn(cluster: Cluster, options: ChaosOptions): Promise<boolean> {
  const { history: file, rate, seed, minutes, only } = options;
  const workload = await startWorkload({ cluster, topic: TOPIC, partitions: PARTITIONS, file, rate });
  try {
    await workload.producersEstablished(60_000);
    const recreated = new RecreatedTopic(cluster);
    const rounds = await runRounds({ cluster, workload, seed, minutes, only, log });
    log('ending');
    await recreated.finish();
    return summarize(options, { rounds, recreated, run: await workload.finish() });
  } catch (error) {
    await workload.abandon();
    log(`FAILED, --seed ${seed}: ${(error as Error).stack}`);
    log(`history: ${file}`);
    return false;
  }
}

interface Reports {
  readonly rounds: RoundsReport;
  readonly recreated: RecreatedTopic;
  readonly run: RunReport;
}

function summarize(options: ChaosOptions, { rounds, recreated, run }: Reports): boolean {
  const { check, progress } = run;
  const complaints = [...run.complaints, ...recreated.complaints];
  const injected = [...rounds.faults.values()].reduce((sum, count) => sum + count, 0);
  const lines = [
    `seed ${options.seed}, ${options.minutes} minutes, ${options.system}, history in ${run.file}`,
    `${rounds.rounds} rounds, ${injected} faults; longest recovery ${rounds.longestRecoveryMs} ms`,
    ...[...rounds.faults].map(([name, count]) => `  ${count} × ${name}`),
    `${check.sent} sent, ${check.acknowledged} acknowledged, ${check.unknown} unknown, ${check.recovered} of those found`,
    `${check.read} records read`,
    `${recreated.deletions} times a topic was deleted and made again, ${recreated.checked} records read from it`,
    ...[...progress.notes]
      .filter(([note]) => /failed: |client hung/.test(note))
      .map(([note, count]) => `  ${count} × ${note}`),
  ];
  const anomalies = [...check.counts.values()].reduce((sum, count) => sum + count, 0);
  if (anomalies > 0) lines.push(`ANOMALIES: ${anomalies}`, describeAnomalies(check));
  else lines.push('no anomalies');
  for (const complaint of complaints) lines.push(`COMPLAINT: ${complaint}`);
  console.log(lines.join('\n'));
  return anomalies === 0 && complaints.length === 0;
}

async function main(): Promise<number> {
  if (!insideSandbox() && sandboxPrefix() !== undefined) {
    return runInSandbox([process.execPath, import.meta.filename, ...process.argv.slice(2)]);
  }
  return (await run(readOptions())) ? 0 : 1;
}

process.exit(await main());
