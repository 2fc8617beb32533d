/** A file through the broker and back, as any client would do it, with every byte compared. */
import { createHash, type Hash } from 'node:crypto';
import { readChunks, readLines } from '../../base/byte-source.ts';
import { systemClock } from '../../base/clock.ts';
import { SluiceError } from '../../base/errors.ts';
import { Admin } from '../../client/admin/admin.ts';
import type { Cluster } from '../../client/cluster.ts';
import { PartitionReader } from '../../client/consumer/reader.ts';
import { Producer } from '../../client/producer/producer.ts';
import { colours } from '../colours.ts';
import { printLine } from '../output.ts';
import { formatBytes, formatCount } from '../progress.ts';
import { processAgeMs } from '../run-broker.ts';

export const TOPIC = 'demo';
export const PARTITIONS = 6;
/** Enough to see the speed, little enough for a first look. */
const MAX_LINES = 200_000;

interface Digest {
  readonly lines: number;
  readonly bytes: number;
  /** SHA-256 over the lines of each partition in order. */
  readonly hashes: readonly string[];
}

export async function makeTopicAnew(cluster: Cluster, signal: AbortSignal): Promise<void> {
  const admin = new Admin(cluster);
  const known = await admin.listTopics({ signal });
  if (known.some(({ name }) => name === TOPIC)) await admin.deleteTopic(TOPIC, { signal });
  await admin.createTopic({ name: TOPIC, partitions: PARTITIONS }, { signal });
}

/** Throws a SluiceError DEMO_FAILED where what comes back is not what was sent. */
export async function streamFile(cluster: Cluster, file: string, signal: AbortSignal): Promise<void> {
  const sent = await produceFile(cluster, file, signal);
  const read = await readBack(cluster, signal);
  if (JSON.stringify(read) !== JSON.stringify(sent)) {
    throw new SluiceError('DEMO_FAILED', 'what came back is not what was sent');
  }
  printLine(`  ${colours.green('✓')} every line came back byte for byte and in order, once`);
}

async function produceFile(cluster: Cluster, file: string, signal: AbortSignal): Promise<Digest> {
  const digest = new PartitionDigest();
  const startedMs = systemClock.monotonicMs();
  await using producer = new Producer(cluster, { compression: 'zstd', batchBytes: 256 * 1024 });
  let firstAcknowledged: Promise<number> | undefined;
  send: for await (const lines of readLines(readChunks(file))) {
    for (const value of lines) {
      if (digest.lines === MAX_LINES || signal.aborted) break send;
      const partition = digest.lines % PARTITIONS;
      digest.add(partition, value);
      firstAcknowledged ??= producer.send({ topic: TOPIC, partition, value }).then(processAgeMs);
      if (digest.lines > 1 && !producer.write({ topic: TOPIC, partition, value })) await producer.drained();
    }
  }
  await producer.flush();
  const seconds = (systemClock.monotonicMs() - startedMs) / 1000;
  const firstMs = (await firstAcknowledged) ?? 0;
  printLine(`  ${colours.bold(file)}: ${formatCount(digest.lines)} lines, ${formatBytes(digest.bytes)}`);
  printLine(`  first record acknowledged ${firstMs} ms after this process began`);
  printLine(
    `  produced in ${seconds.toFixed(3)} s: ${formatCount(digest.lines / seconds)} records/s (zstd, acks=all, idempotent)`,
  );
  return digest.result();
}

async function readBack(cluster: Cluster, signal: AbortSignal): Promise<Digest> {
  const digest = new PartitionDigest();
  const startedMs = systemClock.monotonicMs();
  await using reader = await PartitionReader.open(cluster, { partitions: [TOPIC], until: 'end', signal });
  for await (const record of reader) digest.add(record.partition, record.value ?? Buffer.alloc(0));
  const seconds = (systemClock.monotonicMs() - startedMs) / 1000;
  printLine(`  consumed in ${seconds.toFixed(3)} s: ${formatCount(digest.lines / seconds)} records/s`);
  return digest.result();
}

class PartitionDigest {
  lines = 0;
  bytes = 0;
  readonly #hashes: readonly Hash[] = Array.from({ length: PARTITIONS }, () => createHash('sha256'));

  add(partition: number, value: Uint8Array): void {
    this.lines++;
    this.bytes += value.length + 1;
    this.#hashes[partition]!.update(value).update('\n');
  }

  result(): Digest {
    return { lines: this.lines, bytes: this.bytes, hashes: this.#hashes.map((hash) => hash.digest('hex')) };
  }
}
