/**
 * Three brokers, replication factor 3, acks=all, min.insync.replicas=2: Sluice on a ZooKeeper ensemble (`sluice`), Sluice
 * on the local quorum of its first broker as by `start --brokers 3` (`sluice-local`), and Apache Kafka (`kafka`), in
 * alternating rounds on this machine with the same load. A table goes to standard output, then all samples as JSON.
 *
 * usage: node dist/bench/replication.js [--systems sluice,sluice-local,kafka] [--rounds 3] [--only NAME,...] [--smoke]
 *                                       [--kills N]
 *
 * TMPDIR=/dev/shm takes the disk out, whose pace is the same for all: three replicas of a gigabyte are more than it takes at once.
 * --kills measures, instead, the gaps in acknowledged writes after N kills of leaders of each system, spread over the rounds.
 */
import { cpus, totalmem } from 'node:os';
import { parseArgs } from 'node:util';
import { SYSTEM_NAMES, type SystemName } from '../test/cluster/harness/system.ts';
import { KAFKA_VERSION, kafkaClassPath } from '../test/compat/harness/kafka-jars.ts';
import { failoverGaps } from './failover-gaps.ts';
import { FULL, MEASURES, measureRound, type ReplicatedSize, SMOKE } from './replicated-measures.ts';
import { markdownTable, quantile, type Sample, summarize } from './report.ts';

const LABELS: Readonly<Record<SystemName, string>> = {
  sluice: 'Sluice, ZooKeeper',
  'sluice-local': 'Sluice, local quorum',
  kafka: `Apache Kafka ${KAFKA_VERSION}`,
};
const GAP = 'kill -9 of a leader: longest gap in acknowledged writes';

interface Options {
  readonly systems: readonly SystemName[];
  readonly rounds: number;
  readonly only: readonly string[];
  readonly size: ReplicatedSize;
  readonly kills: number;
}

function parse(): Options {
  const { values } = parseArgs({
    options: {
      systems: { type: 'string', default: SYSTEM_NAMES.join(',') },
      rounds: { type: 'string' },
      only: { type: 'string', default: '' },
      smoke: { type: 'boolean', default: false },
      kills: { type: 'string', default: '0' },
    },
  });
  const systems = values.systems.split(',').map((wanted) => {
    const found = SYSTEM_NAMES.find((name) => name === wanted);
    if (found === undefined) throw new Error(`--systems ${wanted}: one of ${SYSTEM_NAMES.join(', ')}`);
    return found;
  });
  const rounds = Number(values.rounds ?? (values.smoke ? 1 : 3));
  if (!Number.isInteger(rounds) || rounds < 1) throw new Error(`--rounds ${values.rounds}: a whole number from 1 on`);
  const kills = Number(values.kills);
  if (!Number.isInteger(kills) || kills < 0) throw new Error(`--kills ${values.kills}: a whole number`);
  const only = values.only === '' ? [] : values.only.split(',');
  const unknown = only.find((name) => !MEASURES.some((measure) => measure.name === name));
  if (unknown !== undefined)
    throw new Error(`--only ${unknown}: one of ${MEASURES.map(({ name }) => name).join(', ')}`);
  return { systems, rounds, only, size: values.smoke ? SMOKE : FULL, kills };
}

async function killRound(system: SystemName, round: number, kills: number): Promise<Sample[]> {
  const gaps = await failoverGaps(system, kills);
  return gaps.map((value) => ({ system, round, measure: GAP, unit: 'ms', better: 'lower', value }));
}

/** The table has medians and extremes. */
function describeGaps(samples: readonly Sample[], systems: readonly SystemName[]): string {
  const lines = systems.map((name) => {
    const gaps = samples.filter(({ system }) => system === name).map(({ value }) => value);
    const at = (share: number): string => quantile(gaps, share).toFixed(0);
    return `${LABELS[name]}: p50 ${at(0.5)} ms, p99 ${at(0.99)} ms, max ${at(1)} ms, of ${gaps.length} kills`;
  });
  return lines.join('\n');
}

async function main(): Promise<void> {
  const { systems, rounds, only, size, kills } = parse();
  const classPath = await kafkaClassPath();
  if (classPath.value === undefined) throw new Error(`the load generator is Apache Kafka's own: ${classPath.reason}`);
  const samples: Sample[] = [];
  for (let round = 0; round < rounds; round++) {
    // Whoever comes first meets a cooler machine: take turns.
    const order = round % 2 === 0 ? systems : systems.toReversed();
    for (const system of order) {
      console.error(`round ${round + 1} of ${rounds}: ${system}`);
      const share = Math.floor(kills / rounds) + (round < kills % rounds ? 1 : 0);
      if (kills > 0) samples.push(...(await killRound(system, round, share)));
      else samples.push(...(await measureRound({ system, round, size, only, classPath: classPath.value })));
    }
  }
  const machine = `${cpus().length} cores, ${Math.round(totalmem() / 2 ** 30)} GiB, Node ${process.version}`;
  const rows = summarize(samples);
  console.log(`Three brokers, three replicas, acks=all; ${rounds} rounds, ${machine}\n`);
  console.log(markdownTable(rows, Object.fromEntries(systems.map((name) => [name, LABELS[name]]))));
  if (kills > 0) console.log(`\n${describeGaps(samples, systems)}`);
  console.log(`\n${JSON.stringify({ machine, rounds, rows, samples })}`);
}

await main();
