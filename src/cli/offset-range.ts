/** Which part of each partition to read: `--offset` as people write it, and the offsets that it means now. */
import type { Offset, Timestamp, TopicPartition } from '../base/units.ts';
import type { Admin } from '../client/admin/admin.ts';
import type { Isolation } from '../client/list-offsets.ts';
import { invalid } from './arguments.ts';
import { parseTime } from './times.ts';

/** A place in a partition. */
export type Place =
  | { readonly at: 'start' | 'end' }
  | { readonly at: 'offset'; readonly offset: Offset }
  /** So many records behind the first one, or before the end. */
  | { readonly at: 'after-start' | 'before-end'; readonly count: number }
  | { readonly at: 'time'; readonly time: Timestamp };

/** From one place up to and without another; without end where `until` is undefined. */
export interface OffsetRange {
  readonly from: Place;
  readonly until: Place | undefined;
}

const NAMES: Readonly<Record<string, 'start' | 'end'>> = {
  ...{ start: 'start', beginning: 'start', earliest: 'start', oldest: 'start' },
  ...{ end: 'end', latest: 'end', newest: 'end' },
};

const HOW = 'give start, end, a number, +10, -10, @TIME, or FROM:UNTIL of these';

/**
 * `start`, `end`, `42`, `+10`, `-10`, `@2026-05-01T12:00:00Z`, `@-1h`, and ranges `FROM:UNTIL`, `FROM:` (to the present end)
 * and `:UNTIL`. Throws INVALID_ARGUMENT.
 */
export function offsetRange(text: string, nowMs: Timestamp): OffsetRange {
  const whole = placeOf(text, nowMs);
  if (whole !== undefined) return { from: whole, until: undefined };
  // A time has colons of its own: the first one that leaves sense on both sides parts the range.
  for (let colon = text.indexOf(':'); colon !== -1; colon = text.indexOf(':', colon + 1)) {
    const [left, right] = [text.slice(0, colon), text.slice(colon + 1)];
    const from = left === '' ? ({ at: 'start' } as const) : placeOf(left, nowMs);
    if (from === undefined) continue;
    const until = right === '' ? ({ at: 'end' } as const) : placeOf(right, nowMs);
    const bare = from.at === 'time' && !right.startsWith('@') ? placeOf(`@${right}`, nowMs) : undefined;
    const end = bare ?? until;
    if (end === undefined) continue;
    if (end.at === 'time' && end.time > nowMs) throw invalid('--offset', text, 'the range ends in the future');
    return { from, until: end };
  }
  throw invalid('--offset', text, HOW);
}

function placeOf(text: string, nowMs: Timestamp): Place | undefined {
  if (Object.hasOwn(NAMES, text)) return { at: NAMES[text]! };
  if (text.startsWith('@')) {
    const time = parseTime(text.slice(1), nowMs);
    return time === undefined ? undefined : { at: 'time', time };
  }
  if (!/^[+-]?\d+$/.test(text)) return undefined;
  const count = Number(text.replace(/^[+-]/, ''));
  if (!Number.isSafeInteger(count)) return undefined;
  if (text.startsWith('+')) return { at: 'after-start', count };
  return text.startsWith('-') ? { at: 'before-end', count } : { at: 'offset', offset: count };
}

export interface ResolvedRange extends TopicPartition {
  readonly from: Offset;
  /** Infinity where there is none. */
  readonly until: Offset;
}

/** The offsets of a range in each partition, now. With `stopAtEnd` nothing lies beyond the present end. */
export async function resolveRange(
  admin: Admin,
  partitions: readonly TopicPartition[],
  { from, until }: OffsetRange,
  options: { readonly isolation: Isolation; readonly stopAtEnd: boolean },
): Promise<ResolvedRange[]> {
  const { isolation } = options;
  const ask = (at: 'earliest' | 'latest' | Timestamp) =>
    admin.listOffsets(
      partitions.map(({ topic, partition }) => ({ topic, partition, at })),
      { isolation },
    );
  const times = (place: Place | undefined) => (place?.at === 'time' ? ask(place.time) : undefined);
  const [starts, ends, fromTimes, untilTimes] = await Promise.all([
    ask('earliest'),
    ask('latest'),
    times(from),
    times(until),
  ]);
  return partitions.map(({ topic, partition }, index) => {
    const bounds = { start: starts[index]!.offset, end: ends[index]!.offset };
    const first = offsetOf(from, bounds, fromTimes?.[index]?.offset);
    const last = until === undefined ? Infinity : offsetOf(until, bounds, untilTimes?.[index]?.offset);
    return { topic, partition, from: first, until: options.stopAtEnd ? Math.min(last, bounds.end) : last };
  });
}

function offsetOf(
  place: Place,
  { start, end }: { readonly start: Offset; readonly end: Offset },
  found: Offset | undefined,
): Offset {
  switch (place.at) {
    case 'start':
      return start;
    case 'end':
      return end;
    case 'offset':
      return place.offset;
    case 'after-start':
      return start + place.count;
    case 'before-end':
      return Math.max(start, end - place.count);
    case 'time':
      // Nothing is that young: the next record is.
      return found === undefined || found < 0 ? end : found;
  }
}
