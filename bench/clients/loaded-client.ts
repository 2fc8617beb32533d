/** What the load asks of each client. */
export interface LoadedClient {
  /** Resolves when all are acknowledged by the leader and the in-sync replicas. */
  send(topic: string, values: readonly Buffer[]): Promise<unknown>;
  /** Reads so many records one by one, looking at each value, from the beginning; timed from the first one on. */
  consume(topic: string, records: number): Promise<{ readonly records: number; readonly ms: number }>;
}

/** Counts what is read. */
export class Count {
  readonly #enough: number;
  #bytes = 0;
  #records = 0;
  #startedMs = 0;
  #endedMs = 0;

  constructor(enough: number) {
    this.#enough = enough;
  }

  /** True with the last one. */
  add(value: Buffer | null): boolean {
    if (this.#records === 0) this.#startedMs = performance.now();
    this.#bytes += value?.length ?? 0;
    if (++this.#records < this.#enough) return false;
    this.#endedMs = performance.now();
    return true;
  }

  get result(): { readonly records: number; readonly ms: number } {
    if (this.#bytes === 0) throw new Error('nothing was read');
    return { records: this.#records, ms: this.#endedMs - this.#startedMs };
  }
}
