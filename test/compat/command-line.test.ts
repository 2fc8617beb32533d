/** The command line does the same to Apache Kafka as to Sluice, and kcat reads what it writes. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import { SluiceCommand } from '../support/sluice-command.ts';
import { startApacheKafka } from './harness/apache-kafka.ts';
import type { RunningBroker } from './harness/broker-process.ts';
import { kafkaClassPath } from './harness/kafka-jars.ts';
import { startSluice } from './harness/sluice.ts';
import { findCommand, requireToolchain } from './harness/toolchain.ts';

const FIRST_MS = Date.UTC(2026, 4, 1, 12);
const SETTINGS = { 'group.initial.rebalance.delay.ms': '0', 'auto.create.topics.enable': 'false' };

type Said = Record<string, unknown>;

/** Everything that the commands say of one session, without what must differ (ids, ports, paths). */
async function session(broker: RunningBroker): Promise<Said> {
  const sluice = new SluiceCommand({ brokers: broker.bootstrap });
  const said: Said = {};
  await records(sluice, said);
  await groups(sluice, said);
  await topicsAndConfigs(sluice, said);
  await cluster(sluice, said);
  return said;
}

function reading(sluice: SluiceCommand) {
  return (...more: readonly string[]) => sluice.output(['consume', 'orders', ...more, '-f', '%p/%o %k %v %h\\n']);
}

async function records(sluice: SluiceCommand, said: Said): Promise<void> {
  const read = reading(sluice);
  await sluice.output(['topics', 'create', 'orders', '--partitions', '2']);
  const lines = Array.from({ length: 20 }, (_, at) => {
    const headers = [{ key: 'n', value: String(at) }];
    const place = { partition: at % 2, timestamp: FIRST_MS + Math.floor(at / 2) * 60_000 };
    return JSON.stringify({
      ...place,
      key: at % 4 === 0 ? null : `k${at}`,
      value: at === 7 ? null : `v${at}`,
      headers,
    });
  });
  const args = ['produce', 'orders', '-f', 'json', '--keep-partitions', '-z', 'zstd'];
  await sluice.output(args, { input: `${lines.join('\n')}\n` });
  said['ranges'] = await Promise.all(
    ['5:7', '-2:', '@2026-05-01T12:03:00Z:@2026-05-01T12:05'].map(async (range) =>
      (await read('-o', range)).split('\n').filter(Boolean).sort(),
    ),
  );
}

async function groups(sluice: SluiceCommand, said: Said): Promise<void> {
  const read = reading(sluice);
  for (const protocol of ['classic', 'consumer']) {
    const group = ['-g', `g-${protocol}`, '--group-protocol', protocol];
    const first = await read(...group, '-o', 'start', '-n', '8');
    const rest = await read(...group, '-e');
    said[protocol] = [...first.split('\n'), ...rest.split('\n')].filter(Boolean).sort();
    const rows = await sluice.json<{ lag: number }[]>('groups describe', ['groups', 'describe', `g-${protocol}`]);
    said[`${protocol} lag`] = rows.map(({ lag }) => lag);
  }
  const reset = ['groups', 'reset-offsets', 'g-classic', '--all-topics', '--shift-by', '-3', '--execute'];
  said['reset'] = await sluice.json('groups reset-offsets', reset);
  const forget = ['groups', 'delete-offsets', 'g-classic', '--topic', 'orders:1', '--execute'];
  said['forgotten'] = await sluice.json('groups delete-offsets', forget);
}

async function topicsAndConfigs(sluice: SluiceCommand, said: Said): Promise<void> {
  said['alter'] = await sluice.json('config alter', [
    ...[
      'config',
      'alter',
      'topic',
      'orders',
      '--set',
      'retention.ms=86400000000',
      '--append',
      'cleanup.policy=compact',
    ],
  ]);
  const described = await sluice.json<{ configs: { name: string }[] }[]>('config describe', [
    ...['config', 'describe', 'topic', 'orders'],
  ]);
  said['configs'] = described.map(({ configs }) => configs.toSorted((a, b) => (a.name < b.name ? -1 : 1)));
  said['deleted'] = await sluice.json('topics delete-records', ['topics', 'delete-records', 'orders', '--before', '4']);
  said['offsets'] = await Promise.all(
    ['start', 'end', 'max-timestamp', '@2026-05-01T12:06:30'].map((at) =>
      sluice.json('topics offsets', ['topics', 'offsets', 'orders', '--at', at]),
    ),
  );
}

async function cluster(sluice: SluiceCommand, said: Said): Promise<void> {
  const api = await sluice.json<{ api: string; from: number; to: number }[]>('cluster api-versions', [
    ...['cluster', 'api-versions'],
  ]);
  said['fetch'] = api.filter(({ api: name }) => name === 'Fetch').map(({ from, to }) => [from, to]);
  const directories = await sluice.json<{ replicas: unknown[] }[]>('cluster log-dirs', [
    ...['cluster', 'log-dirs', '--topic', 'orders'],
  ]);
  said['replicas'] = directories.map(({ replicas }) => replicas.length);
  await sluice.json('cluster describe', ['cluster', 'describe']);
  await sluice.json('cluster features', ['cluster', 'features']);
  const doctor = await sluice.json<{ errors: number; findings: { check: string; severity: string }[] }>('doctor', [
    ...['doctor', '--write'],
  ]);
  said['doctor'] = doctor.findings
    .filter(({ check }) => ['bootstrap', 'advertised-listener', 'write', 'clock', 'controller'].includes(check))
    .map(({ check, severity }) => `${check} ${severity}`);
  const perf = await sluice.json<{ records: number }>('perf produce', [
    'perf',
    'produce',
    'orders',
    '-n',
    '500',
    '--keys',
    '5',
  ]);
  said['perf'] = perf.records;
  said['refusals'] = await Promise.all(
    [
      ['topics', 'describe', 'none'],
      ['consume', 'none', '-e'],
      ['config', 'alter', 'topic', 'orders', '--set', 'retention.ms=soon'],
      ['groups', 'describe', 'nobody'],
    ].map(async (refused) => (await sluice.run(refused)).code),
  );
}

async function played(starting: Promise<RunningBroker>): Promise<Said> {
  const broker = await starting;
  try {
    const said = await session(broker);
    await broker.stop();
    return said;
  } finally {
    await broker.remove();
  }
}

test('the command line does to Apache Kafka what it does to Sluice', async (context) => {
  const classPath = requireToolchain(context, await kafkaClassPath());
  if (classPath === undefined) return;
  const sluice = await played(startSluice({ settings: SETTINGS }));
  const kafka = await played(startApacheKafka({ classPath, settings: SETTINGS }));
  assert.deepEqual(sluice, kafka);
  assert.deepEqual(kafka['classic lag'], [0, 0]);
  assert.deepEqual(kafka['refusals'], [1, 1, 1, 1]);
});

test('kcat reads what the command line writes, and the reverse', async (context) => {
  const kcat = requireToolchain(context, found(findCommand('kcat')));
  if (kcat === undefined) return;
  const broker = await startSluice({});
  try {
    const sluice = new SluiceCommand({ brokers: broker.bootstrap });
    await sluice.output(['topics', 'create', 't']);
    for (const codec of ['none', 'gzip', 'snappy', 'lz4', 'zstd']) {
      await sluice.output(['produce', 't', '-K', ':', '-H', `c=${codec}`, '-z', codec], { input: 'a:1\nb:2\n' });
    }
    const at = ['-b', broker.bootstrap, '-t', 't'];
    const format = '%t %p %o %k %s %S %h\\n';
    const theirs = execFileSync(kcat, [...at, '-C', '-o', 'beginning', '-e', '-q', '-f', format]).toString();
    assert.equal(theirs.split('\n').length, 11);
    assert.equal(await sluice.output(['consume', 't', '-o', 'start', '-e', '-f', format]), theirs);
    execFileSync(kcat, [...at, '-P', '-K', ':', '-Z', '-H', 'from=kcat'], { input: 'c:3\nd:\n' });
    const ours = await sluice.output(['consume', 't', '-o', '-2:', '-f', '%k{json} %v{json} %h\\n']);
    assert.equal(ours, '"c" "3" from=kcat\n"d" null from=kcat\n');
    await broker.stop();
  } finally {
    await broker.remove();
  }
});

function found(command: string | undefined) {
  return command === undefined ? { reason: 'kcat is not installed' } : { value: command };
}
