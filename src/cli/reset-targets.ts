/** Which partitions a reset means, and to where: the arguments of `sluice groups reset-offsets` as data. */
import { readWhole } from '../base/byte-source.ts';
import { SluiceError } from '../base/errors.ts';
import type { Offset, Timestamp, TopicPartition } from '../base/units.ts';
import { wholeNumber } from './arguments.ts';
import type { ResetOptions } from './groups.ts';
import { duration, pointInTime } from './times.ts';

/** Where a group shall read on. */
export type ResetTarget =
  | { readonly to: 'earliest' | 'latest' | 'current' }
  | { readonly to: 'offset'; readonly offset: Offset }
  | { readonly to: 'timestamp'; readonly timestamp: Timestamp }
  | { readonly to: 'shift'; readonly count: number }
  | { readonly to: 'listed'; readonly offsets: readonly (TopicPartition & { readonly offset: Offset })[] };

/** A topic, and some of its partitions; all where undefined. */
export interface TopicChoice {
  readonly topic: string;
  readonly partitions: readonly number[] | undefined;
}

const HOW =
  '--to-earliest, --to-latest, --to-current, --to-offset, --to-datetime, --by-duration, --shift-by or --from-file';

export async function resetTarget(options: ResetOptions, nowMs: Timestamp): Promise<ResetTarget> {
  const given: ResetTarget[] = [];
  if (options.toEarliest) given.push({ to: 'earliest' });
  if (options.toLatest) given.push({ to: 'latest' });
  if (options.toCurrent) given.push({ to: 'current' });
  if (options.toOffset !== undefined) {
    given.push({ to: 'offset', offset: wholeNumber('--to-offset', options.toOffset) });
  }
  if (options.toDatetime !== undefined)
    given.push({ to: 'timestamp', timestamp: pointInTime('--to-datetime', options.toDatetime, nowMs) });
  if (options.byDuration !== undefined) {
    given.push({ to: 'timestamp', timestamp: nowMs - duration('--by-duration', options.byDuration) });
  }
  if (options.shiftBy !== undefined) {
    given.push({ to: 'shift', count: wholeNumber('--shift-by', options.shiftBy, Number.MIN_SAFE_INTEGER) });
  }
  if (options.fromFile !== undefined) given.push({ to: 'listed', offsets: await readOffsets(options.fromFile) });
  if (given.length === 1) return given[0]!;
  throw new SluiceError('INVALID_ARGUMENT', `give one of ${HOW}`);
}

/** `orders` or `orders:0,2` */
export function topicChoice(text: string): TopicChoice {
  const [topic, list] = text.split(':', 2) as [string, string | undefined];
  return { topic, partitions: list?.split(',').map((number) => wholeNumber('--topic', number)) };
}

/** Lines of TOPIC,PARTITION,OFFSET, as this command prints and Kafka's tool exports them; `#` begins a remark. */
export async function readOffsets(file: string): Promise<(TopicPartition & { readonly offset: Offset })[]> {
  let text: string;
  try {
    text = (await readWhole(file)).toString('utf8');
  } catch (error) {
    throw new SluiceError('INVALID_ARGUMENT', `--from-file ${file}: the file cannot be read`, { cause: error });
  }
  const offsets: (TopicPartition & { readonly offset: Offset })[] = [];
  for (const [at, line] of text.split(/\r?\n/).entries()) {
    const plain = line.trim();
    if (plain === '' || plain.startsWith('#')) continue;
    const parts = plain.split(',').map((part) => part.trim().replace(/^"(.*)"$/, '$1'));
    const [topic, partition, offset] = [parts[0], Number(parts[1]), Number(parts[2])];
    const isGood = parts.length === 3 && isCount(partition, parts[1]) && isCount(offset, parts[2]);
    if (topic === undefined || topic === '' || !isGood) {
      throw new SluiceError('INVALID_ARGUMENT', `${file}:${at + 1}: expected TOPIC,PARTITION,OFFSET, found ${plain}`);
    }
    offsets.push({ topic, partition, offset });
  }
  return offsets;
}

function isCount(value: number, text: string | undefined): boolean {
  return text !== '' && Number.isSafeInteger(value) && value >= 0;
}
