/**
 * The main job, shown on a real file: starts a broker, streams the file's lines into a topic over the network as any
 * client would, reads them back, compares every byte, shows what lies on disk, and leaves the broker running.
 */
import { createHash, type Hash } from 'node:crypto';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { readChunks, readLines } from '../base/byte-source.ts';
import { systemClock } from '../base/clock.ts';
import { disk } from '../base/disk.ts';
import { SluiceError } from '../base/errors.ts';
import { Admin } from '../client/admin/admin.ts';
import type { Cluster } from '../client/cluster.ts';
import { PartitionReader } from '../client/consumer/reader.ts';
import { Producer } from '../client/producer/producer.ts';
import { colours } from './colours.ts';
import type { DemoOptions } from './demo.ts';
import { openCluster } from './open-cluster.ts';
import { printLine } from './output.ts';
import { formatBytes, formatCount } from './progress.ts';
import { processAgeMs, runBroker } from './run-broker.ts';

const TOPIC = 'demo';
const PARTITIONS = 3;
/** Enough to see the speed, little enough for a first look. */
const MAX_LINES = 200_000;
/** Logs that machines have; the licence that comes along is the last resort. */
const CANDIDATES = ['/var/log/syslog', '/var/log/dpkg.log', '/var/log/system.log', '/var/log/install.log'];
const LICENSE = fileURLToPath(new URL('../../../LICENSE', import.meta.url));

interface Digest {
  readonly lines: number;
  readonly bytes: number;
  /** SHA-256 over the lines of each partition in order. */
  readonly hashes: readonly string[];
}

export async function runDemo(chosen: string | undefined, options: DemoOptions): Promise<void> {
  const file = chosen ?? someFile();
  const { broker, addresses, readyLine, stop } = await runBroker(options);
  printLine(`${colours.green('●')} ${readyLine}\n`);
  await using cluster = await openCluster({ brokers: addresses }, 'sluice-demo');
  await createTopicAnew(cluster);
  const sent = await produceFile(cluster, file);
  const read = await readBack(cluster);
  if (JSON.stringify(read) !== JSON.stringify(sent)) {
    throw new SluiceError('DEMO_FAILED', 'what came back is not what was sent');
  }
  printLine(`  ${colours.green('✓')} every line came back byte for byte and in order, once\n`);
  showFiles(broker.dataDirectories[0]!);
  await cluster.close();
  if (options.exit) {
    await stop();
    return;
  }
  printLine(
    `\nThe broker keeps running. Any Kafka client can use ${colours.bold(addresses)}; or, in another terminal:`,
  );
  for (const command of [
    `npx sluice consume ${TOPIC} --offset -1 --exit --format '%p:%o %v\\n'`,
    `npx sluice topics describe ${TOPIC}`,
    `kcat -b ${addresses} -t ${TOPIC} -C -o beginning -e`,
  ]) {
    printLine(`  ${colours.cyan(command)}`);
  }
  printLine(`${colours.dim('Ctrl-C stops it.')}`);
}

function someFile(): string {
  return CANDIDATES.find((path) => (disk.sizeOf(path) ?? 0) > 0) ?? LICENSE;
}

async function createTopicAnew(cluster: Cluster): Promise<void> {
  const admin = new Admin(cluster);
  const known = await admin.listTopics();
  if (known.some(({ name }) => name === TOPIC)) await admin.deleteTopic(TOPIC);
  await admin.createTopic({ name: TOPIC, partitions: PARTITIONS });
}

async function produceFile(cluster: Cluster, file: string): Promise<Digest> {
  const digest = new PartitionDigest();
  const startedMs = systemClock.monotonicMs();
  await using producer = new Producer(cluster, { compression: 'zstd', batchBytes: 256 * 1024 });
  let firstAcknowledged: Promise<number> | undefined;
  send: for await (const lines of readLines(readChunks(file))) {
    for (const value of lines) {
      if (digest.lines === MAX_LINES) break send;
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

async function readBack(cluster: Cluster): Promise<Digest> {
  const digest = new PartitionDigest();
  const startedMs = systemClock.monotonicMs();
  await using reader = await PartitionReader.open(cluster, { partitions: [TOPIC], until: 'end' });
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

function showFiles(dataDirectory: string): void {
  for (let partition = 0; partition < PARTITIONS; partition++) {
    const directory = join(dataDirectory, `${TOPIC}-${partition}`);
    const names = disk.list(directory).map(({ name }) => name);
    for (const name of names.filter((each) => each.endsWith('.log'))) {
      const path = join(directory, name);
      printLine(`  ${path}  ${formatBytes(disk.sizeOf(path) ?? 0)} on disk, in Kafka's format`);
    }
  }
}
