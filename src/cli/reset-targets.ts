/** Which partitions a reset means, and to where: the arguments of `sluice groups reset-offsets` as data. */
import { disk } from '../base/disk.ts';
import { SluiceError } from '../base/errors.ts';
import type { Offset, Timestamp, TopicPartition } from '../base/units.ts';
import { wholeNumber } from './arguments.ts';
import type { ResetOptions } from './groups.ts';

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

export function resetTarget(options: ResetOptions, nowMs: Timestamp): ResetTarget {
  const given: ResetTarget[] = [];
  if (options.toEarliest) given.push({ to: 'earliest' });
  if (options.toLatest) given.push({ to: 'latest' });
  if (options.toCurrent) given.push({ to: 'current' });
  if (options.toOffset !== undefined) {
    given.push({ to: 'offset', offset: wholeNumber('--to-offset', options.toOffset) });
  }
  if (options.toDatetime !== undefined) given.push({ to: 'timestamp', timestamp: timeOf(options.toDatetime) });
  if (options.byDuration !== undefined) {
    given.push({ to: 'timestamp', timestamp: nowMs - durationMs(options.byDuration) });
  }
  if (options.shiftBy !== undefined) {
    given.push({ to: 'shift', count: wholeNumber('--shift-by', options.shiftBy, Number.MIN_SAFE_INTEGER) });
  }
  if (options.fromFile !== undefined) given.push({ to: 'listed', offsets: readOffsets(options.fromFile) });
  if (given.length === 1) return given[0]!;
  throw new SluiceError('INVALID_ARGUMENT', `give one of ${HOW}`);
}

/** `orders` or `orders:0,2` */
export function topicChoice(text: string): TopicChoice {
  const [topic, list] = text.split(':', 2) as [string, string | undefined];
  return { topic, partitions: list?.split(',').map((number) => wholeNumber('--topic', number)) };
}

function timeOf(text: string): Timestamp {
  const time = /^\d+$/.test(text) ? Number(text) : Date.parse(text);
  if (Number.isSafeInteger(time)) return time;
  const example = '2026-05-01T12:00:00Z';
  throw new SluiceError('INVALID_ARGUMENT', `--to-datetime ${text}: give a time such as ${example}, or milliseconds`);
}

const SHORT_UNITS_MS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

/** ISO 8601 as Kafka's tools take it (`P1DT2H`), or a number with a unit. */
export function durationMs(text: string): number {
  const short = /^(\d+)(ms|s|m|h|d)$/.exec(text);
  if (short !== null) return Number(short[1]) * SHORT_UNITS_MS[short[2]!]!;
  const iso = /^P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?)?$/i.exec(text);
  if (iso === null || !iso.slice(1).some((part) => part !== undefined)) {
    throw new SluiceError('INVALID_ARGUMENT', `--by-duration ${text}: give a duration such as PT1H30M, 90m or 2d`);
  }
  const [days, hours, minutes, seconds] = iso.slice(1).map((part) => Number(part ?? 0)) as [
    number,
    number,
    number,
    number,
  ];
  return Math.round(((days * 24 + hours) * 60 + minutes) * 60_000 + seconds * 1000);
}

/** Lines of TOPIC,PARTITION,OFFSET, as this command prints and Kafka's tool exports them; `#` begins a remark. */
export function readOffsets(file: string): (TopicPartition & { readonly offset: Offset })[] {
  let text: string;
  try {
    text = disk.readFile(file).toString('utf8');
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
