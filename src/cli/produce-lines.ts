/** Sends what files hold as records, as fast as the broker takes them, and says what became of them. */
import { knownLength, readChunks, readLines, readWhole, STANDARD_STREAM } from '../base/byte-source.ts';
import { systemClock } from '../base/clock.ts';
import { messageOf, SluiceError } from '../base/errors.ts';
import { Producer, type ProducerRecord } from '../client/producer/producer.ts';
import { byteCount, keyAndValue, wholeNumber } from './arguments.ts';
import { openCluster } from './open-cluster.ts';
import { waitForTopic } from './open-topic.ts';
import { printJson, remark } from './output.ts';
import type { ProduceOptions } from './produce.ts';
import { formatBytes, formatCount, formatCounted, startProgress } from './progress.ts';
import { type InputRecord, recordInput } from './record-input.ts';
import { RecordWriter } from './record-writer.ts';
import { remarkRetries } from './retry-remarks.ts';
import { duration } from './times.ts';

/** The topic's own limit (max.message.bytes) decides about a long line, and its refusal says so. */
const MAX_REQUEST_BYTES = 64 * 1024 * 1024;
/** Records whose place is not told yet. */
const MAX_REPORTS_PENDING = 10_000;

export async function produceFiles(topic: string, files: readonly string[], options: ProduceOptions): Promise<void> {
  const paths = files.length === 0 ? [STANDARD_STREAM] : files;
  const startedMs = systemClock.monotonicMs();
  const toRecord = recordMaker(topic, options);
  const progress = startProgress(totalLength(paths), systemClock);
  const timeoutMs = options.timeout === undefined ? undefined : duration('--timeout', options.timeout);
  await using cluster = await openCluster(options, 'sluice-produce');
  // Lines that name their topics may leave this one alone.
  if (!recordInput(options).namesTopics) await waitForTopic(cluster, topic, options);
  await using producer = new Producer(cluster, {
    acks: options.acks === 'all' ? 'all' : options.acks === '1' ? 1 : 0,
    compression: options.compression,
    partitioner: options.partitioner,
    lingerMs: options.linger === undefined ? undefined : duration('--linger', options.linger),
    batchBytes: options.batchSize === undefined ? undefined : byteCount('--batch-size', options.batchSize),
    maxRequestBytes: MAX_REQUEST_BYTES,
    deliveryTimeoutMs: timeoutMs,
  });
  const reporter = options.report ? new Reporter(producer, options.json) : undefined;
  const endRemarks = remarkRetries(systemClock);
  let records = 0;
  let bytes = 0;
  try {
    for await (const { pieces, length } of piecesOf(paths, options)) {
      for (const piece of pieces) {
        records++;
        const record = toRecord(piece);
        if (reporter !== undefined) await reporter.send(record);
        else if (!producer.write(record)) await producer.drained();
      }
      bytes += length;
      progress.update(bytes, `${formatCounted(records, 'record')}, ${formatBytes(bytes)}`);
    }
    await producer.flush();
    await reporter?.end();
  } finally {
    progress.end();
    endRemarks();
  }
  const seconds = (systemClock.monotonicMs() - startedMs) / 1000;
  const recordsPerSecond = Math.round(records / seconds);
  if (options.json && !options.report) printJson({ topic, records, bytes, seconds, recordsPerSecond });
  const size = `${formatCounted(records, 'record')} (${formatBytes(bytes)})`;
  remark(`${size} sent to ${topic} in ${seconds.toFixed(2)} s, ${formatCount(recordsPerSecond)} records/s`);
}

/** The bytes of one record each, and how much of the input they took. */
async function* piecesOf(
  paths: readonly string[],
  options: ProduceOptions,
): AsyncGenerator<{ readonly pieces: readonly Buffer[]; readonly length: number }> {
  const { delimiter } = recordInput(options);
  for (const path of paths) {
    if (options.whole) {
      const content = await readWhole(path);
      yield { pieces: [content], length: content.length };
      continue;
    }
    for await (const pieces of readLines(readChunks(path), delimiter)) {
      yield { pieces, length: pieces.reduce((sum, piece) => sum + piece.length + delimiter.length, 0) };
    }
  }
}

/** Undefined where nobody knows it. */
function totalLength(paths: readonly string[]): number | undefined {
  let total: number | undefined = 0;
  for (const path of paths) {
    try {
      const length = knownLength(path);
      total = total === undefined || length === undefined ? undefined : total + length;
    } catch (error) {
      throw new SluiceError('FILE_UNREADABLE', `cannot read ${path}: ${messageOf(error)}`, { cause: error });
    }
  }
  return total;
}

function recordMaker(topic: string, options: ProduceOptions): (piece: Buffer) => ProducerRecord {
  const fixed = options.partition === undefined ? undefined : wholeNumber('--partition', options.partition);
  const headers = options.header.map((text) => {
    const [key, value] = keyAndValue('--header', text);
    return { key, value };
  });
  const input = recordInput(options);
  const keepsPartitions = options.keepPartitions || options.format !== 'json';
  const finish = ({ key, value, ...rest }: InputRecord): ProducerRecord => ({
    // A line of `consume --json` names the topic that it comes from.
    topic: options.format === 'json' ? topic : (rest.topic ?? topic),
    partition: fixed ?? (keepsPartitions ? rest.partition : undefined),
    key: key ?? options.key ?? null,
    value: options.tombstones && value?.length === 0 ? null : value,
    headers: rest.headers === undefined ? headers : [...rest.headers, ...headers],
    timestamp: rest.timestamp,
  });
  if (options.whole) return (value) => finish({ value });
  return (piece) => finish(input.read(piece));
}

/** Sends records one by one and prints where each is, in the order in which they were handed in. */
class Reporter {
  readonly #producer: Producer;
  readonly #json: boolean;
  readonly #writer = new RecordWriter(STANDARD_STREAM);
  #told: Promise<void> = Promise.resolve();
  #pending = 0;

  constructor(producer: Producer, json: boolean) {
    this.#producer = producer;
    this.#json = json;
  }

  async send(record: ProducerRecord): Promise<void> {
    const sent = this.#producer.send(record);
    this.#pending++;
    this.#told = Promise.all([sent, this.#told]).then(async ([{ topic, partition, offset, timestamp }]) => {
      this.#pending--;
      const line = this.#json
        ? JSON.stringify({ topic, partition, offset, timestamp })
        : `${topic}\t${partition}\t${offset}\t${timestamp}`;
      await this.#writer.write(Buffer.from(`${line}\n`));
    });
    // Whoever waits for the last one hears of it.
    this.#told.catch(() => undefined);
    if (this.#pending >= MAX_REPORTS_PENDING) await this.#told;
  }

  async end(): Promise<void> {
    await this.#told;
    await this.#writer.close();
  }
}
