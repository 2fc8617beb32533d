/** Offsets of partitions that count up from 0 without gaps: a byte each, so that a million records stay cheap. */
export class OffsetSet {
  readonly #partitions = new Map<number, Uint8Array<ArrayBuffer>>();
  #size = 0;

  /** Distinct offsets. */
  get size(): number {
    return this.#size;
  }

  /** All from `first` to `last`, both included. */
  add(partition: number, first: number, last: number = first): void {
    let known = this.#partitions.get(partition) ?? new Uint8Array(1024);
    if (last >= known.length) {
      const larger = new Uint8Array(2 * (last + 1));
      larger.set(known);
      known = larger;
    }
    this.#partitions.set(partition, known);
    for (let offset = first; offset <= last; offset++) {
      if (known[offset] === 0) this.#size++;
      known[offset] = 1;
    }
  }

  has(partition: number, offset: number): boolean {
    return this.#partitions.get(partition)?.[offset] === 1;
  }

  /** How many of these `other` lacks. */
  missingIn(other: OffsetSet): number {
    let missing = 0;
    for (const [partition, known] of this.#partitions) {
      for (let offset = 0; offset < known.length; offset++) {
        if (known[offset] === 1 && !other.has(partition, offset)) missing++;
      }
    }
    return missing;
  }

  /** One past the highest offset of each partition. */
  ends(): Map<number, number> {
    return new Map([...this.#partitions].map(([partition, known]) => [partition, known.lastIndexOf(1) + 1]));
  }
}
