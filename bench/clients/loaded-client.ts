export interface Result {
  readonly records: number;
  readonly ms: number;
  /** User and system time of the client's process. */
  readonly cpuMs: number;
}

/** What the load asks of each client. */
export interface LoadedClient {
  /** Resolves when all are acknowledged by the leader and the in-sync replicas. */
  send(topic: string, values: readonly Buffer[]): Promise<unknown>;
  /** Reads so many records one by one, looking at each value, from the beginning; timed from the first one on. */
  consume(topic: string, records: number): Promise<Result>;
}

/** Counts what is read. */
export class Count {
  readonly #enough: number;
  #bytes = 0;
  #records = 0;
  #startedMs = 0;
  #endedMs = 0;
  #startedCpuMs = 0;
  #endedCpuMs = 0;

  constructor(enough: number) {
    this.#enough = enough;
  }

  /** True with the last one. */
  add(value: Buffer | null): boolean {
    if (this.#records === 0) {
      this.#startedMs = performance.now();
      this.#startedCpuMs = cpuMs();
    }
    this.#bytes += value?.length ?? 0;
    if (++this.#records < this.#enough) return false;
    this.#endedMs = performance.now();
    this.#endedCpuMs = cpuMs();
    return true;
  }

  get result(): Result {
    if (this.#bytes === 0) throw new Error('nothing was read');
    const ms = this.#endedMs - this.#startedMs;
    return { records: this.#records, ms, cpuMs: this.#endedCpuMs - this.#startedCpuMs };
  }
}

export function cpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}
