/**
 * Records of operation lines, put aside until all lines are known: completions and reads may stand in a history before the
 * send that they belong to. Columns of numbers, because there are millions.
 */
import type { OperationLine, Partition } from './history.ts';

/** The offset of an acknowledgement that told none. */
export const UNTOLD = -1;

export interface LineHead {
  readonly type: OperationLine['type'];
  readonly at: number;
  readonly process: string;
}

export class DeferredRecords {
  readonly #partitions: Partition[] = [];
  readonly #indexes = new Map<Partition, number>();
  readonly #lines: LineHead[] = [];
  readonly #partition: number[] = [];
  readonly #offset: number[] = [];
  readonly #value: number[] = [];
  readonly #line: number[] = [];

  add(
    { type, at, process }: LineHead,
    records: readonly (readonly [partition: Partition, offset: number | null, value: number])[],
  ): void {
    const line = this.#lines.push({ type, at, process }) - 1;
    for (const [partition, offset, value] of records) {
      let index = this.#indexes.get(partition);
      if (index === undefined) {
        index = this.#partitions.push(partition) - 1;
        this.#indexes.set(partition, index);
      }
      this.#partition.push(index);
      this.#offset.push(offset ?? UNTOLD);
      this.#value.push(value);
      this.#line.push(line);
    }
  }

  /** In the order of adding. */
  visit(take: (partition: Partition, offset: number, value: number, line: LineHead) => void): void {
    for (let at = 0; at < this.#value.length; at++) {
      const line = this.#lines[this.#line[at]!]!;
      take(this.#partitions[this.#partition[at]!]!, this.#offset[at]!, this.#value[at]!, line);
    }
  }
}

export function describeLine({ type, at, process }: LineHead): string {
  return `told to ${process} at ${at}, ${type}`;
}
