/**
 * How far the workload has come, from its lines: when each partition was last written to, the gaps between
 * acknowledgements, and how far readers are behind. Keeps times, not records.
 */
import type { HistoryLine, Partition } from '../checker/history.ts';

const MICROSECONDS_A_MS = 1000;

export class Progress {
  /** Times of acknowledgements by partition, in µs, rising. */
  readonly #times = new Map<Partition, number[]>();
  /** When what is under way was sent, by value. */
  readonly #underWay = new Map<number, number>();
  /** Of what is acknowledged, when the latest was sent. */
  readonly #latestSent = new Map<Partition, number>();
  readonly #highestAcknowledged = new Map<Partition, number>();
  /** Where each producer was acknowledged. */
  readonly #written = new Map<string, Set<Partition>>();
  readonly #highestRead = new Map<string, Map<Partition, number>>();
  readonly #lastRead = new Map<string, number>();
  /** How often each note was told. */
  readonly notes = new Map<string, number>();
  invoked = 0;
  acknowledged = 0;
  polled = 0;

  take(line: HistoryLine): void {
    if (line.type === 'note') {
      const what = typeof line['error'] === 'string' ? `${line.note}: ${line['error']}` : line.note;
      this.notes.set(what, (this.notes.get(what) ?? 0) + 1);
      return;
    }
    if (line.type === 'invoke') {
      this.invoked += line.sends?.length ?? 0;
      for (const [, , value] of line.sends ?? []) this.#underWay.set(value, line.at);
    }
    if (line.type !== 'ok') return;
    for (const [partition, offset, value] of line.sends ?? []) {
      this.#acknowledge(partition, offset, line.at);
      this.#writtenBy(line.process).add(partition);
      raise(this.#latestSent, partition, this.#underWay.get(value) ?? 0);
      this.#underWay.delete(value);
    }
    if (line.polls !== undefined) this.#lastRead.set(line.process, line.at);
    for (const [partition, offset] of line.polls ?? []) this.#read(line.process, partition, offset);
  }

  #acknowledge(partition: Partition, offset: number | null, at: number): void {
    this.acknowledged++;
    const times = this.#times.get(partition);
    if (times === undefined) this.#times.set(partition, [at]);
    // Many are told at once.
    else if (at > times.at(-1)!) times.push(at);
    raise(this.#highestAcknowledged, partition, offset ?? -1);
  }

  #writtenBy(process: string): Set<Partition> {
    let written = this.#written.get(process);
    if (written === undefined) {
      written = new Set();
      this.#written.set(process, written);
    }
    return written;
  }

  /** Whether something of this producer is acknowledged in each of the partitions. */
  isEstablished(process: string, partitions: readonly Partition[]): boolean {
    const written = this.#writtenBy(process);
    return partitions.every((partition) => written.has(partition));
  }

  #read(process: string, partition: Partition, offset: number): void {
    this.polled++;
    let read = this.#highestRead.get(process);
    if (read === undefined) {
      read = new Map();
      this.#highestRead.set(process, read);
    }
    raise(read, partition, offset);
  }

  /** Whether something that was sent since to each of the partitions is acknowledged. */
  hasWrittenSince(at: number, partitions: readonly Partition[]): boolean {
    return partitions.every((partition) => (this.#latestSent.get(partition) ?? 0) > at);
  }

  /** When this process last read something, in µs; undefined where it never did. */
  lastReadBy(process: string): number | undefined {
    return this.#lastRead.get(process);
  }

  /** The highest offset of each partition that was acknowledged until now. */
  acknowledgedUntilNow(): ReadonlyMap<Partition, number> {
    return new Map(this.#highestAcknowledged);
  }

  /** Whether these processes, together, have read as far as these offsets; by default all that was acknowledged. */
  hasReadAll(processes: readonly string[], until: ReadonlyMap<Partition, number> = this.#highestAcknowledged): boolean {
    for (const [partition, offset] of until) {
      if (!processes.some((process) => (this.#highestRead.get(process)?.get(partition) ?? -1) >= offset)) return false;
    }
    return true;
  }

  /** The longest time, in ms, between two acknowledgements of one partition that ended after `from` and began before `to`. */
  longestGapMs(from: number, to: number, partitions: readonly Partition[] = [...this.#times.keys()]): number {
    let longest = 0;
    for (const partition of partitions) {
      const times = this.#times.get(partition) ?? [];
      let before = Number.NEGATIVE_INFINITY;
      for (let index = times.length - 1; index >= 0; index--) {
        const after = times[index]!;
        before = times[index - 1] ?? after;
        if (after < from) break;
        if (before <= to) longest = Math.max(longest, after - before);
      }
    }
    return longest / MICROSECONDS_A_MS;
  }
}

function raise(highest: Map<Partition, number>, partition: Partition, offset: number): void {
  if (offset > (highest.get(partition) ?? -1)) highest.set(partition, offset);
}
