/** Sends lines as records, as fast as the broker takes them, and says what became of them. */
import { knownLength, readChunks, readLines } from '../base/byte-source.ts';
import { systemClock } from '../base/clock.ts';
import { messageOf, SluiceError } from '../base/errors.ts';
import { Producer, type ProducerRecord } from '../client/producer/producer.ts';
import { keyAndValue, wholeNumber } from './arguments.ts';
import { openCluster } from './open-cluster.ts';
import { remark } from './output.ts';
import type { ProduceOptions } from './produce.ts';
import { formatBytes, formatCount, startProgress } from './progress.ts';

const BATCH_BYTES = 256 * 1024;
/** The topic's own limit (max.message.bytes) decides about a long line, and its refusal says so. */
const MAX_REQUEST_BYTES = 64 * 1024 * 1024;

export async function produceLines(topic: string, file: string, options: ProduceOptions): Promise<void> {
  const startedMs = systemClock.monotonicMs();
  const toRecord = recordMaker(topic, options);
  const progress = startProgress(lengthOf(file), systemClock);
  await using cluster = await openCluster(options.brokers, 'sluice-produce');
  await using producer = new Producer(cluster, {
    acks: options.acks === 'all' ? 'all' : options.acks === '1' ? 1 : 0,
    compression: options.compression,
    batchBytes: BATCH_BYTES,
    maxRequestBytes: MAX_REQUEST_BYTES,
  });
  let records = 0;
  let bytes = 0;
  try {
    for await (const lines of readLines(readChunks(file))) {
      for (const line of lines) {
        records++;
        bytes += line.length + 1;
        if (!producer.write(toRecord(line))) await producer.drained();
      }
      progress.update(bytes, `${formatCount(records)} records, ${formatBytes(bytes)}`);
    }
    await producer.flush();
  } finally {
    progress.end();
  }
  const seconds = (systemClock.monotonicMs() - startedMs) / 1000;
  const rate = `${formatCount(records / seconds)} records/s`;
  remark(
    `${formatCount(records)} records (${formatBytes(bytes)}) sent to ${topic} in ${seconds.toFixed(2)} s, ${rate}`,
  );
}

function lengthOf(file: string): number | undefined {
  try {
    return knownLength(file);
  } catch (error) {
    throw new SluiceError('FILE_UNREADABLE', `cannot read ${file}: ${messageOf(error)}`, { cause: error });
  }
}

function recordMaker(topic: string, options: ProduceOptions): (line: Buffer) => ProducerRecord {
  const partition = options.partition === undefined ? undefined : wholeNumber('--partition', options.partition);
  const headers = options.header.map((text) => {
    const [key, value] = keyAndValue('--header', text);
    return { key, value };
  });
  if (options.keySeparator === undefined) {
    if (options.tombstones) throw new SluiceError('INVALID_ARGUMENT', '--tombstones needs --key-separator');
    return (value) => ({ topic, partition, value, headers });
  }
  if (options.keySeparator === '')
    throw new SluiceError('INVALID_ARGUMENT', '--key-separator: give at least one character');
  const separator = Buffer.from(options.keySeparator, 'utf8');
  return (line) => {
    const at = line.indexOf(separator);
    if (at === -1) {
      const shown = line.subarray(0, 60).toString('utf8');
      throw new SluiceError('KEY_SEPARATOR_MISSING', `a line has no "${options.keySeparator}": ${shown}`, {
        remedy: 'Give the separator that the lines have, or leave --key-separator out.',
      });
    }
    const value = line.subarray(at + separator.length);
    const tombstone = options.tombstones && value.length === 0;
    return { topic, partition, key: line.subarray(0, at), value: tombstone ? null : value, headers };
  };
}
