/**
 * A limit on the memory that index files take together. An index is read whole when a search needs it and dropped
 * again, least recently searched first, when the total exceeds the limit.
 */

/** What holds memory and can let it go. */
export interface Evictable {
  /** Set by whoever searches; cleared here. */
  searchedSince: boolean;
  readonly heldBytes: number;
  /** Lets the memory go; the next search reads the file again. */
  evict(): void;
}

export class IndexMemory {
  readonly #limitBytes: number;
  readonly #held = new Set<Evictable>();
  #totalBytes = 0;

  constructor(options: { readonly limitBytes: number }) {
    this.#limitBytes = options.limitBytes;
  }

  get totalBytes(): number {
    return this.#totalBytes;
  }

  /** An index was loaded, or grew, or shrank: `changeBytes` is the difference. */
  changed(index: Evictable, changeBytes: number): void {
    this.#totalBytes += changeBytes;
    if (index.heldBytes === 0) {
      this.#held.delete(index);
      return;
    }
    this.#held.add(index);
    if (changeBytes > 0 && this.#totalBytes > this.#limitBytes) this.#evictOthers(index);
  }

  #evictOthers(newest: Evictable): void {
    let candidates = 2 * this.#held.size;
    for (const index of this.#held) {
      if (candidates-- <= 0 || this.#totalBytes <= this.#limitBytes) return;
      if (index === newest || index.searchedSince) {
        index.searchedSince = false;
        this.#held.delete(index);
        this.#held.add(index);
      } else {
        index.evict();
      }
    }
  }
}
