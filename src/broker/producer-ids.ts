/**
 * Hands out producer ids one by one from blocks that the controller allocates. An id is never handed out twice, not
 * after a crash either: a block is durable in the metadata before its first id leaves.
 */
import type { ProducerId } from '../base/units.ts';

export interface ProducerIdBlock {
  readonly first: ProducerId;
  readonly count: number;
}

export class ProducerIds {
  readonly #allocate: () => Promise<ProducerIdBlock>;
  #next: ProducerId = 0;
  #end: ProducerId = 0;
  #refilling: Promise<void> | undefined;

  constructor(allocate: () => Promise<ProducerIdBlock>) {
    this.#allocate = allocate;
  }

  async next(): Promise<ProducerId> {
    while (this.#next === this.#end) await this.#refill();
    return this.#next++;
  }

  /** One allocation at a time, however many producers wait for it. */
  #refill(): Promise<void> {
    this.#refilling ??= this.#allocate()
      .then((block) => {
        this.#next = block.first;
        this.#end = block.first + block.count;
      })
      .finally(() => {
        this.#refilling = undefined;
      });
    return this.#refilling;
  }
}
