/** Keeps what may be wrong from being done again and again: each pause is twice the one before, until things have been quiet. */
export class GrowingPause {
  readonly #leastMs: number;
  readonly #mostMs: number;
  #nextMs: number;
  #untilMs = Number.NEGATIVE_INFINITY;

  constructor(leastMs: number, mostMs: number) {
    this.#leastMs = leastMs;
    this.#mostMs = mostMs;
    this.#nextMs = leastMs;
  }

  isOver(nowMs: number): boolean {
    return nowMs >= this.#untilMs;
  }

  start(nowMs: number): void {
    if (nowMs - this.#untilMs > this.#mostMs) this.#nextMs = this.#leastMs;
    this.#untilMs = nowMs + this.#nextMs;
    this.#nextMs = Math.min(2 * this.#nextMs, this.#mostMs);
  }
}
