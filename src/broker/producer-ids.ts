/**
 * Hands out producer ids one by one from blocks that the controller allocates. An id is never handed out twice, not
 * after a crash either: a block is durable in the metadata before its first id leaves. The next block is taken while there
 * are ids left, so that producers can begin for long where there is no controller.
 */
import type { Clock } from '../base/clock.ts';
import { messageOf } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import type { ProducerId } from '../base/units.ts';

export interface ProducerIdBlock {
  readonly first: ProducerId;
  readonly count: number;
}

export interface ProducerIdsDependencies {
  readonly clock: Clock;
  readonly logger: Logger;
  /** Rejects with a SluiceError where there is no controller. */
  readonly allocate: () => Promise<ProducerIdBlock>;
}

/** Share of a block after which the next one is taken. */
const AHEAD = 0.5;
const RETRY_MS = 5000;

interface Block extends ProducerIdBlock {
  next: ProducerId;
}

export class ProducerIds {
  readonly #dependencies: ProducerIdsDependencies;
  /** The one in use, and the one to follow it. */
  readonly #blocks: Block[] = [];
  #allocating: Promise<void> | undefined;
  #failing = false;
  #closed = false;

  constructor(dependencies: ProducerIdsDependencies) {
    this.#dependencies = dependencies;
  }

  /** Takes the first block, and keeps trying where there is no controller. */
  begin(): void {
    this.#allocateAhead();
  }

  close(): void {
    this.#closed = true;
  }

  /** Rejects with a SluiceError where none is left and there is no controller. */
  async next(): Promise<ProducerId> {
    while (this.#blocks.length === 0) await this.#allocate();
    const block = this.#blocks[0]!;
    const id = block.next++;
    const used = block.next - block.first;
    if (used === block.count) this.#blocks.shift();
    if (used >= block.count * AHEAD) this.#allocateAhead();
    return id;
  }

  #allocateAhead(): void {
    if (this.#closed || this.#blocks.length > 1 || this.#allocating !== undefined) return;
    const [block] = this.#blocks;
    if (block !== undefined && block.next - block.first < block.count * AHEAD) return;
    this.#allocate().catch(() => {
      if (!this.#closed) this.#dependencies.clock.after(RETRY_MS, () => this.#allocateAhead());
    });
  }

  /** One allocation at a time, however many producers wait for it. */
  #allocate(): Promise<void> {
    const { logger, allocate } = this.#dependencies;
    this.#allocating ??= allocate()
      .then(
        ({ first, count }) => {
          this.#blocks.push({ first, count, next: first });
          if (this.#failing) logger.info('producer ids can be allocated again');
          this.#failing = false;
        },
        (error: unknown) => {
          const left = this.#blocks.reduce((sum, block) => sum + block.first + block.count - block.next, 0);
          if (!this.#failing) logger.warn('no producer ids can be allocated', { left, reason: messageOf(error) });
          this.#failing = true;
          throw error;
        },
      )
      .finally(() => {
        this.#allocating = undefined;
      });
    return this.#allocating;
  }
}
