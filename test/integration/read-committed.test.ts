/**
 * Readers of committed records through a whole broker: the markers of transactions are appended to the partition's log
 * while the broker is down, as a coordinator would append them while it is up; then it is read over the network.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { systemClock } from '../../src/base/clock.ts';
import { disk } from '../../src/base/disk.ts';
import { silentLogger } from '../../src/base/logger.ts';
import { systemRandom } from '../../src/base/random.ts';
import { makeTemporaryDirectory } from '../../src/base/temporary-directory.ts';
import { startBroker } from '../../src/broker/embedded.ts';
import { createTopics } from '../../src/client/admin/topics.ts';
import { Cluster } from '../../src/client/cluster.ts';
import type { ReaderOptions } from '../../src/client/consumer/options.ts';
import { PartitionReader } from '../../src/client/consumer/reader.ts';
import { listOffsets } from '../../src/client/list-offsets.ts';
import { describeProducers } from '../../src/protocol/apis/describe-producers.ts';
import { buildBatch } from '../../src/records/builder.ts';
import { ControlType, controlKey, endTransactionValue } from '../../src/records/control.ts';
import { type Log, openLog } from '../../src/storage/log.ts';
import { defaultLogConfig } from '../../src/storage/log-config.ts';

const TOPIC = 'payments';

/** One line a batch: who writes what; `+` commits, `-` aborts, `open` stays undecided. */
const SCRIPT = [
  ['plain', 'p0'],
  ['1', 'a0', 'a1'],
  ['2', 'b0'],
  ['1', '-'],
  ['1', 'c0'],
  ['plain', 'p1'],
  ['2', '+'],
  ['1', '+'],
  ['3', 'd0', 'd1', 'd2'],
  ['2', 'e0'],
  ['3', '-'],
  ['2', '+'],
  ['4', 'undecided'],
  ['plain', 'behind'],
] as const;
const COMMITTED = ['p0', 'b0', 'c0', 'p1', 'e0'];

function append(log: Log, who: string, values: readonly string[]): void {
  const producer = who === 'plain' ? {} : { producerId: Number(who), producerEpoch: 0, transactional: true };
  const [first] = values;
  const timestamp = Date.now();
  const type = first === '+' ? ControlType.COMMIT : ControlType.ABORT;
  const batch =
    first === '+' || first === '-'
      ? { control: true, records: [{ key: controlKey(type), value: endTransactionValue(3), timestamp }] }
      : { codec: 4, records: values.map((value) => ({ key: null, value: Buffer.from(value), timestamp })) };
  assert.ok(log.appendAsLeader(buildBatch({ ...producer, ...batch }), { leaderEpoch: 0, origin: 'coordinator' }).ok);
}

async function writeTransactions(directory: string): Promise<void> {
  const dependencies = { fileSystem: disk, clock: systemClock, logger: silentLogger, random: systemRandom };
  const config = { ...defaultLogConfig, segmentBytes: 400 };
  const log = await openLog({ directory, topic: TOPIC, partition: 0, config, cleanShutdown: true }, dependencies);
  for (const [who, ...values] of SCRIPT) append(log, who, values);
  await log.close();
}

async function read(cluster: Cluster, options: Partial<ReaderOptions>): Promise<string[]> {
  const values: string[] = [];
  const reader = await PartitionReader.open(cluster, { partitions: [TOPIC], until: 'end', ...options });
  for await (const record of reader) values.push(String(record.value));
  return values;
}

test('a reader of committed records sees those, in order, up to the first undecided one', async () => {
  const dataDir = makeTemporaryDirectory('sluice-committed');
  try {
    {
      await using broker = await startBroker({ dataDir });
      await using cluster = new Cluster(broker);
      await createTopics(cluster, [{ name: TOPIC, partitions: 1 }]);
    }
    await writeTransactions(`${dataDir}/${TOPIC}-0`);
    await using broker = await startBroker({ dataDir });
    await using cluster = new Cluster(broker);
    assert.deepEqual(await read(cluster, { isolation: 'read_committed' }), COMMITTED);
    assert.deepEqual(
      await read(cluster, { isolation: 'read_committed', partitionMaxBytes: 1, maxBytes: 1 }),
      COMMITTED,
    );
    const everything = SCRIPT.flatMap(([, ...values]) => values.filter((value) => value !== '+' && value !== '-'));
    assert.deepEqual(await read(cluster, {}), everything);
    const undecided = SCRIPT.slice(0, -2).reduce((count, [, ...values]) => count + values.length, 0);
    const question = [{ topic: TOPIC, partition: 0, at: 'latest' }] as const;
    const [committed] = await listOffsets(cluster, question, { isolation: 'read_committed' });
    assert.equal(committed?.offset, undecided);
    const { topics } = await cluster.call('any', describeProducers, {
      topics: [{ name: TOPIC, partitionIndexes: [0] }],
    });
    const open = topics[0]!.partitions[0]!.activeProducers.filter((each) => each.currentTxnStartOffset >= 0);
    assert.deepEqual(
      open.map(({ producerId, currentTxnStartOffset }) => [producerId, currentTxnStartOffset]),
      [[4, undecided]],
    );
  } finally {
    await disk.removeTree(dataDir);
  }
});
