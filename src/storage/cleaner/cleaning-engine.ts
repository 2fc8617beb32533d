/**
 * Where the CPU work of compaction happens: in this thread a few milliseconds a turn, or in a worker thread
 * (worker-engine.ts). Buffers that are handed in belong to the engine until it hands them back.
 */
import type { Clock } from '../../base/clock.ts';
import type { Offset } from '../../base/units.ts';
import type { AbortedTransaction } from '../transaction-index.ts';
import { BatchOutput } from './batch-output.ts';
import {
  CleaningPass,
  type Deadline,
  type LastOfProducer,
  type PassCounts,
  type PassOptions,
} from './cleaning-pass.ts';

/** Whole batches in the first `length` bytes of a buffer that nothing else shares. */
export interface Chunk {
  readonly bytes: Buffer;
  readonly length: number;
}

export interface Indexed {
  /** The chunk's buffer again. */
  readonly bytes: Buffer;
  readonly full: boolean;
  readonly latest: Offset;
}

export interface Filtered {
  /** The chunk's buffer again. */
  readonly bytes: Buffer;
  /** What stays: whole batches in the first `keptBytes` of `kept`, good until the next `filter`. */
  readonly kept: Buffer;
  readonly keptBytes: number;
  /** Aborted transactions that the segment being written must still tell of. */
  readonly transactions: readonly AbortedTransaction[];
}

export interface PassSummary extends PassCounts {
  readonly keys: number;
}

/** The steps of one pass, in this order; each awaits the one before. All reject with what the bytes made fail. */
export interface CleaningEngine {
  begin(options: PassOptions): Promise<void>;
  index(chunk: Chunk): Promise<Indexed>;
  indexedUpTo(offset: Offset): Promise<void>;
  beginFilter(aborted: readonly AbortedTransaction[]): Promise<void>;
  beginGroup(producers: readonly LastOfProducer[]): Promise<void>;
  filter(chunk: Chunk): Promise<Filtered>;
  /** Gives the key map's memory back. */
  end(): Promise<PassSummary>;
  /** No pass will follow, or none is worth finishing. */
  close(): Promise<void>;
}

/** How long other events wait for compaction in this thread. */
const TURN_MS = 4;

/** Runs passes in this thread, between the turns of the event loop. */
export class InlineEngine implements CleaningEngine {
  readonly #clock: Clock;
  readonly #output = new BatchOutput(64 * 1024);
  #pass: CleaningPass | undefined;

  constructor(dependencies: { readonly clock: Clock }) {
    this.#clock = dependencies.clock;
  }

  async begin(options: PassOptions): Promise<void> {
    this.#pass = new CleaningPass(options);
  }

  async index({ bytes, length }: Chunk): Promise<Indexed> {
    const pass = this.#pass!;
    for (let at = 0; at < length && !pass.full; await this.#nextTurn()) {
      at = pass.index(bytes, at, length, this.#turn());
    }
    return { bytes, full: pass.full, latest: pass.latest };
  }

  async indexedUpTo(offset: Offset): Promise<void> {
    this.#pass!.indexedUpTo(offset);
  }

  async beginFilter(aborted: readonly AbortedTransaction[]): Promise<void> {
    this.#pass!.beginFilter(aborted);
  }

  async beginGroup(producers: readonly LastOfProducer[]): Promise<void> {
    this.#pass!.beginGroup(producers);
  }

  async filter({ bytes, length }: Chunk): Promise<Filtered> {
    const pass = this.#pass!;
    const output = this.#output;
    output.length = 0;
    for (let at = 0; at < length; await this.#nextTurn()) {
      at = pass.filter(bytes, at, length, output, this.#turn());
    }
    return { bytes, kept: output.bytes, keptBytes: output.length, transactions: pass.takeKeptTransactions() };
  }

  async end(): Promise<PassSummary> {
    const { counts, keys } = this.#pass!;
    this.#pass = undefined;
    return { ...counts, keys };
  }

  async close(): Promise<void> {
    this.#pass = undefined;
  }

  #turn(): Deadline {
    const end = this.#clock.monotonicMs() + TURN_MS;
    return () => this.#clock.monotonicMs() >= end;
  }

  #nextTurn(): Promise<void> {
    return new Promise((resolve) => this.#clock.afterTurn(resolve));
  }
}
