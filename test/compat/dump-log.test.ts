/**
 * Kafka's own DumpLogSegments reads the files of the broker's data directory: segments record by record, indexes
 * against their segments, producer snapshots, the metadata log and its snapshots.
 */
import assert from 'node:assert/strict';
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, type TestContext, test } from 'node:test';
import type { RunningBroker } from './harness/broker-process.ts';
import { type Client, type Operation, runAll, type ToolOutcome } from './harness/client.ts';
import { findClient } from './harness/clients.ts';
import { makeCorpus, type TestRecord } from './harness/records.ts';
import { startTarget } from './harness/target.ts';
import { requireToolchain } from './harness/toolchain.ts';

const DUMP_LOG_SEGMENTS = 'org.apache.kafka.tools.DumpLogSegments';
const METADATA_PARTITION = '__cluster_metadata-0';
/** Small enough that every partition rolls and every segment has index entries. */
const SEGMENT_CONFIGS = { 'segment.bytes': '1048576', 'index.interval.bytes': '512' };
const WRITES = 4;
/** What the tool prints when something is wrong, whatever its exit code. */
const COMPLAINT =
  /mismatch|corrupt|invalid|not valid|missing|failed|error|exception|Non-monotonic|Found .* (out of order|duplicate)|isvalid: false/i;

describe('DumpLogSegments', () => {
  let broker: RunningBroker | undefined;
  let client: Client | undefined;
  let reason: string | undefined;
  const topics = ['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const;
  const written = new Map<string, TestRecord[]>();

  before(async () => {
    const found = await findClient('java');
    reason = found.reason;
    if (found.value === undefined) return;
    broker = await startTarget();
    client = found.value(broker.bootstrap);
    await runAll(client, plannedWrites());
    await broker.stop();
  });
  after(() => broker?.remove());

  const plannedWrites = (): Operation[] => {
    const create: Operation = {
      op: 'createTopics',
      topics: topics.map((codec) => ({ name: `dump.${codec}`, partitions: 1, configs: SEGMENT_CONFIGS })),
    };
    const writes = topics.flatMap((codec) =>
      Array.from({ length: WRITES }, (_, i): Operation => {
        const topic = `dump.${codec}`;
        const records = makeCorpus({ label: `${topic} ${i}`, partitions: 1, count: 500, large: i % 2 === 0 });
        written.set(topic, [...(written.get(topic) ?? []), ...records]);
        return { op: 'produce', topic, records, codec, acks: -1, idempotent: true };
      }),
    );
    const alter: Operation = {
      op: 'alterConfigs',
      type: 'topic',
      name: 'dump.none',
      set: { 'retention.ms': '999999999' },
    };
    return [create, ...writes, alter, { op: 'createPartitions', topic: 'dump.gzip', total: 2 }];
  };

  const files = (partition: string, suffix: string): string[] => {
    const directory = join(broker!.dataDirectory, partition);
    return readdirSync(directory)
      .filter((name) => name.endsWith(suffix))
      .sort()
      .map((name) => join(directory, name));
  };

  /** Runs the tool over each file; fails on a complaint in its output. */
  const dump = async (paths: readonly string[], ...flags: string[]): Promise<ToolOutcome[]> => {
    const runs = paths.map((path) => ({
      op: 'tool' as const,
      main: DUMP_LOG_SEGMENTS,
      parameters: ['--files', path, ...flags],
    }));
    const outcomes = await runAll(client!, runs);
    for (const [i, { exit, stdout, stderr }] of outcomes.entries()) {
      const text = `${runs[i]!.parameters.join(' ')}\n${stdout.slice(0, 3000)}\n${stderr}`;
      assert.equal(exit, 0, text);
      assert.equal(withoutFirstOffset(stderr), '', text);
      const complaints = complaintsIn(stdout);
      assert.deepEqual(complaints, [], text);
    }
    return outcomes;
  };
  const isReady = (context: TestContext): boolean =>
    requireToolchain(context, client === undefined ? { reason: reason ?? 'no java' } : { value: client }) !== undefined;

  test('finds every written record in the segments, each batch valid', async (context) => {
    if (!isReady(context)) return;
    for (const [topic, records] of written) {
      const segments = files(`${topic}-0`, '.log');
      assert.ok(segments.length >= 2 || topic !== 'dump.none', `${topic} never rolled: ${segments.length} segments`);
      const outcomes = await dump(segments, '--deep-iteration');
      const offsets = outcomes.flatMap(({ stdout }) =>
        [...stdout.matchAll(/^\| offset: (\d+) /gm)].map((match) => Number(match[1])),
      );
      assert.deepEqual(
        offsets,
        records.map((_, i) => i),
        `offsets of ${topic}`,
      );
    }
  });

  test('finds the indexes sane and true to their segments', async (context) => {
    if (!isReady(context)) return;
    const partitions = [...written.keys()].map((topic) => `${topic}-0`);
    const offsetIndexes = partitions.flatMap((partition) => files(partition, '.index'));
    const timeIndexes = partitions.flatMap((partition) => files(partition, '.timeindex'));
    const sane = await dump(offsetIndexes, '--index-sanity-check');
    for (const { stdout } of sane) assert.match(stdout, /passed sanity check/);
    const entries = await dump(offsetIndexes.filter((path) => statSync(path).size > 0));
    assert.ok(
      entries.some(({ stdout }) => /offset: \d+ position: \d+/.test(stdout)),
      'no index has an entry',
    );
    const times = await dump(timeIndexes.filter((path) => statSync(path).size > 0));
    assert.ok(
      times.some(({ stdout }) => /timestamp: \d+ offset: \d+/.test(stdout)),
      'no time index has an entry',
    );
  });

  test('reads the producer snapshots', async (context) => {
    if (!isReady(context)) return;
    const snapshots = [...written.keys()].flatMap((topic) => files(`${topic}-0`, '.snapshot'));
    assert.ok(snapshots.length > 0, 'a clean stop leaves a snapshot');
    const outcomes = await dump(snapshots);
    assert.ok(outcomes.some(({ stdout }) => /producerId: \d+ producerEpoch: 0/.test(stdout)));
  });

  test('decodes the metadata log and its snapshots', async (context) => {
    if (!isReady(context)) return;
    const log = await dump(files(METADATA_PARTITION, '.log'), '--cluster-metadata-decoder', '--skip-record-metadata');
    const text = log.map(({ stdout }) => stdout).join('');
    for (const topic of written.keys()) assert.ok(text.includes(`"name":"${topic}"`), `no topic record of ${topic}`);
    assert.match(text, /"type":"PARTITION_RECORD"/);
    assert.match(text, /"type":"CONFIG_RECORD"[^\n]*"retention.ms","value":"999999999"/);
    await dump(files(METADATA_PARTITION, '.checkpoint'), '--cluster-metadata-decoder');
  });
});

/** Record bodies hold free text, so only the lines of the tool itself are searched. */
function complaintsIn(stdout: string): string[] {
  return stdout
    .split('\n')
    .filter((line) => !line.startsWith('|') && COMPLAINT.test(line.replace('isvalid: true', '')));
}

/** The tool reports the first offset of any segment that does not start at 0 as a gap after -1. */
function withoutFirstOffset(stderr: string): string {
  return stderr.replace(/^Non-consecutive offsets in .*?0*(\d+)\.log\n {2}-1 is followed by \1\n/gm, '');
}
