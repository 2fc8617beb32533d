/**
 * Judges what a log holds against what was acknowledged. Each writer's records are numbered 0, 1, 2, ... per partition
 * and were written by one idempotent producer that never gave up, so a partition must hold exactly those numbers, in
 * order, at offsets without gaps, and every acknowledged one at the offset that the acknowledgement named.
 */
export interface Acknowledgement {
  readonly partition: number;
  readonly number: number;
  readonly offset: number;
}

export interface LogEntry {
  readonly offset: number;
  readonly number: number;
}

export type Anomaly =
  | 'lost'
  | 'moved'
  | 'duplicate'
  | 'out of order'
  | 'skipped'
  | 'gap in offsets'
  | 'acknowledged twice'
  | 'offset acknowledged twice';

export interface Violation {
  readonly anomaly: Anomaly;
  readonly partition: number;
  readonly detail: string;
}

/** Enough to understand a failure; a broken broker would fill the screen. */
const MOST_VIOLATIONS = 50;

/** `log` holds each partition's entries as read, from offset 0 to the end at a time after the last acknowledgement. */
export function checkHistory(
  acknowledgements: readonly Acknowledgement[],
  log: ReadonlyMap<number, readonly LogEntry[]>,
): Violation[] {
  const violations: Violation[] = [];
  for (const [partition, entries] of log) violations.push(...checkEntries(partition, entries));
  violations.push(...checkAcknowledgements(acknowledgements, log));
  return violations.slice(0, MOST_VIOLATIONS);
}

function checkEntries(partition: number, entries: readonly LogEntry[]): Violation[] {
  const violations: Violation[] = [];
  const report = (anomaly: Anomaly, detail: string) => violations.push({ anomaly, partition, detail });
  const seen = new Map<number, number>();
  let expectedOffset = 0;
  let highest = -1;
  for (const { offset, number } of entries) {
    if (offset !== expectedOffset) report('gap in offsets', `offset ${offset} where ${expectedOffset} was due`);
    expectedOffset = offset + 1;
    const earlier = seen.get(number);
    if (earlier !== undefined) report('duplicate', `${number} at offset ${earlier} and at ${offset}`);
    else if (number < highest) report('out of order', `${number} at offset ${offset} after ${highest}`);
    else if (number > highest + 1) report('skipped', `${number} at offset ${offset} after ${highest}`);
    seen.set(number, offset);
    highest = Math.max(highest, number);
  }
  return violations;
}

function checkAcknowledgements(
  acknowledgements: readonly Acknowledgement[],
  log: ReadonlyMap<number, readonly LogEntry[]>,
): Violation[] {
  const violations: Violation[] = [];
  const offsetOf = new Map<number, Map<number, number>>();
  for (const [partition, entries] of log)
    offsetOf.set(partition, new Map(entries.map((each) => [each.number, each.offset])));
  const numbers = new Set<string>();
  const offsets = new Set<string>();
  for (const { partition, number, offset } of acknowledgements) {
    const report = (anomaly: Anomaly, detail: string) => violations.push({ anomaly, partition, detail });
    const found = offsetOf.get(partition)?.get(number);
    if (found === undefined) report('lost', `${number}, acknowledged at offset ${offset}`);
    else if (found !== offset) report('moved', `${number}, acknowledged at offset ${offset}, is at ${found}`);
    if (numbers.has(`${partition}/${number}`)) report('acknowledged twice', `${number}`);
    if (offsets.has(`${partition}/${offset}`)) report('offset acknowledged twice', `${offset}`);
    numbers.add(`${partition}/${number}`);
    offsets.add(`${partition}/${offset}`);
  }
  return violations;
}
