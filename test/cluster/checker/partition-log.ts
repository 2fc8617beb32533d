/**
 * A partition's log as the world saw it: which value lies at which offset, from acknowledgements and reads. Reports the
 * first contradiction of each value and offset.
 */
import type { AnomalyList } from './anomalies.ts';
import { describeLine, type LineHead } from './deferred-records.ts';
import type { Partition } from './history.ts';

export class PartitionLog {
  readonly partition: Partition;
  readonly #values = new Map<number, number>();
  readonly #offsets = new Map<number, number>();
  /** Offsets whose value must be visible to every reader that passes. */
  readonly #visible = new Set<number>();
  highestRead = -1;

  constructor(partition: Partition) {
    this.partition = partition;
  }

  /** `source` is the line that says so. */
  place(offset: number, value: number, source: LineHead, anomalies: AnomalyList): void {
    const there = this.#values.get(offset);
    if (there === value) return;
    if (there === undefined) this.#values.set(offset, value);
    else
      anomalies.add(
        'two values',
        this.partition,
        `offset ${offset} holds ${there}, and ${value} (${describeLine(source)})`,
      );
    const earlier = this.#offsets.get(value);
    if (earlier === undefined) this.#offsets.set(value, offset);
    else if (earlier !== offset) {
      anomalies.add(
        'two offsets',
        this.partition,
        `${value} is at ${earlier}, and at ${offset} (${describeLine(source)})`,
      );
    }
  }

  offsetOf(value: number): number | undefined {
    return this.#offsets.get(value);
  }

  valueAt(offset: number): number | undefined {
    return this.#values.get(offset);
  }

  makeVisible(offset: number): void {
    this.#visible.add(offset);
  }

  /** The first offset between the two, both excluded, that a reader should not have passed over. */
  firstVisibleBetween(after: number, before: number): number | undefined {
    for (let offset = after + 1; offset < before; offset++) if (this.#visible.has(offset)) return offset;
    return undefined;
  }
}
