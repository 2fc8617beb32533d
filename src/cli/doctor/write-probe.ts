/** Writes and reads a record at every broker, which shows its clock as well; leaves nothing behind. */
import { messageOf } from '../../base/errors.ts';
import type { BrokerId } from '../../base/units.ts';
import type { Admin } from '../../client/admin/admin.ts';
import type { Cluster } from '../../client/cluster.ts';
import { PartitionReader } from '../../client/consumer/reader.ts';
import { Producer } from '../../client/producer/producer.ts';
import { type ClockReading, judgeClock } from './clock-checks.ts';
import type { Findings } from './findings.ts';

const READ_TIMEOUT_MS = 10_000;

/** One partition a broker, with that broker as its only replica, stamped by it. */
export async function probeByWriting(
  cluster: Cluster,
  admin: Admin,
  brokers: readonly BrokerId[],
  findings: Findings,
): Promise<void> {
  const { clock, random } = cluster.dependencies;
  const topic = `sluice-doctor-${random.bytes(6).toString('hex')}`;
  const configs = { 'message.timestamp.type': 'LogAppendTime', 'min.insync.replicas': '1' };
  try {
    await admin.createTopic({ name: topic, assignments: brokers.map((id) => [id]), configs });
  } catch (error) {
    const remedy = 'See whether the cluster has a controller, and whether brokers allow the creation of topics.';
    findings.error('write', `a topic cannot be created: ${messageOf(error)}`, remedy);
    return;
  }
  try {
    await using producer = new Producer(cluster, { lingerMs: 0 });
    for (const [partition, broker] of brokers.entries()) {
      const value = `from the doctor to broker ${broker}`;
      try {
        // The first record finds its way; the second one is timed.
        await producer.send({ topic, partition, value });
        const sentMs = clock.wallMs();
        const startedMs = clock.monotonicMs();
        const { timestamp } = await producer.send({ topic, partition, value });
        const tookMs = clock.monotonicMs() - startedMs;
        await readBack(cluster, { topic, partition, value });
        findings.ok('write', `broker ${broker} took a record in ${tookMs.toFixed(1)} ms and gave it back`, broker);
        judgeClock({ broker, told: timestamp, here: sentMs, withinMs: tookMs } satisfies ClockReading, findings);
      } catch (error) {
        const remedy = 'See the log of that broker; sluice topics describe shows what it leads.';
        findings.error(
          'write',
          `broker ${broker} does not take or return records: ${messageOf(error)}`,
          remedy,
          broker,
        );
      }
    }
  } finally {
    await admin.deleteTopic(topic).catch((error: unknown) => {
      const remedy = `Delete it: sluice topics delete ${topic}.`;
      findings.warning('write', `the topic ${topic} stays behind: ${messageOf(error)}`, remedy);
    });
  }
}

async function readBack(
  cluster: Cluster,
  { topic, partition, value }: { readonly topic: string; readonly partition: number; readonly value: string },
): Promise<void> {
  const signal = AbortSignal.timeout(READ_TIMEOUT_MS);
  await using reader = await PartitionReader.open(cluster, { partitions: [{ topic, partition }], signal });
  for await (const record of reader) {
    if (record.value?.toString() !== value) throw new Error('what came back is not what was sent');
    return;
  }
}
