/** Reads partitions of a topic without a group and prints the records, as fast as the output takes them. */
import { SluiceError } from '../base/errors.ts';
import { PartitionReader } from '../client/consumer/reader.ts';
import type { StartPosition } from '../client/consumer/start-position.ts';
import { wholeNumber } from './arguments.ts';
import type { ConsumeOptions } from './consume.ts';
import { openCluster } from './open-cluster.ts';
import { printBytes, remark } from './output.ts';
import { recordFormatter } from './record-format.ts';

/** Output is handed on in pieces of about this size. */
const PIECE_BYTES = 64 * 1024;

export async function consumeRecords(topic: string, options: ConsumeOptions): Promise<void> {
  const format = recordFormatter(options.json ? 'json' : options.format);
  const max = options.max === undefined ? Number.POSITIVE_INFINITY : wholeNumber('--max', options.max);
  const partition = options.partition === undefined ? undefined : wholeNumber('--partition', options.partition);
  const from = startOf(options);
  if (max === 0) return;
  await using cluster = await openCluster(options.brokers, 'sluice-consume');
  await using reader = await PartitionReader.open(cluster, {
    partitions: [partition === undefined ? topic : { topic, partition }],
    from,
    until: options.exit ? 'end' : 'forever',
    isolation: options.committed ? 'read_committed' : 'read_uncommitted',
    whenOutOfRange: 'fail',
  });
  const onSignal = (): void => void reader.close();
  process.once('SIGINT', onSignal);
  process.once('SIGTERM', onSignal);
  const count = await printRecords(reader, format, max);
  remark(`${count} record${count === 1 ? '' : 's'}`);
}

async function printRecords(
  reader: PartitionReader,
  format: ReturnType<typeof recordFormatter>,
  max: number,
): Promise<number> {
  let count = 0;
  let pieces: Uint8Array[] = [];
  let bytes = 0;
  const flush = async (): Promise<void> => {
    const output = Buffer.concat(pieces);
    pieces = [];
    bytes = 0;
    if (output.length > 0) await printBytes(output);
  };
  for await (const batch of reader.batches()) {
    for (const record of batch.records()) {
      const text = format(record);
      pieces.push(text);
      bytes += text.length;
      if (bytes >= PIECE_BYTES) await flush();
      if (++count >= max) {
        await flush();
        return count;
      }
    }
    // Whoever watches wants to see a record when it comes.
    await flush();
  }
  return count;
}

function startOf(options: ConsumeOptions): StartPosition {
  const given = [options.fromBeginning || undefined, options.offset, options.timestamp, options.last];
  if (given.filter((each) => each !== undefined).length > 1) {
    throw new SluiceError('INVALID_ARGUMENT', 'give one of --from-beginning, --offset, --timestamp, --last');
  }
  if (options.fromBeginning) return 'earliest';
  if (options.offset !== undefined) return offsetExpression(options.offset);
  if (options.timestamp !== undefined) return { timestamp: timestampOf(options.timestamp) };
  if (options.last !== undefined) return { last: wholeNumber('--last', options.last) };
  return 'latest';
}

function offsetExpression(text: string): StartPosition {
  if (text === 'start' || text === 'beginning' || text === 'earliest') return 'earliest';
  if (text === 'end' || text === 'latest') return 'latest';
  if (text.startsWith('@')) return { timestamp: timestampOf(text.slice(1)) };
  if (text.startsWith('-')) return { last: wholeNumber('--offset', text.slice(1)) };
  if (/^\d+$/.test(text)) return { offset: wholeNumber('--offset', text) };
  throw new SluiceError('INVALID_ARGUMENT', `--offset ${text}: give a number, start, end, -10 or @TIMESTAMP`);
}

function timestampOf(text: string): number {
  const timestamp = /^\d+$/.test(text) ? Number(text) : Date.parse(text);
  if (Number.isSafeInteger(timestamp)) return timestamp;
  throw new SluiceError('INVALID_ARGUMENT', `${text} is no time: give ISO 8601 or milliseconds since 1970`);
}
