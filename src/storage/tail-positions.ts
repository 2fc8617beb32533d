/**
 * Where the last few batches of the active segment begin, so that consumers at the end of the log and the position of
 * the high watermark cost no read of the file. Only an unbroken run of batches is remembered.
 */
import type { Offset } from '../base/units.ts';
import { baseOffset, batchBytes, lastOffset } from '../records/batch.ts';
import { found } from './offset-search.ts';

const REMEMBERED = 64;

export class TailPositions {
  /** Pairs of base offset and position, as a ring. Allocated with the first batch: most logs of a large broker idle. */
  #pairs: Float64Array | undefined;
  /** Batches noted since the last reset. */
  #noted = 0;
  #endOffset: Offset = -1;
  #endPosition = -1;

  /** The batch at `at` in `bytes` was appended at `position` of the file. */
  note(bytes: Buffer, at: number, position: number): void {
    this.#pairs ??= new Float64Array(2 * REMEMBERED);
    const base = baseOffset(bytes, at);
    if (base !== this.#endOffset || position !== this.#endPosition) this.#noted = 0;
    const slot = (this.#noted % REMEMBERED) * 2;
    this.#pairs[slot] = base;
    this.#pairs[slot + 1] = position;
    this.#noted++;
    this.#endOffset = lastOffset(bytes, at) + 1;
    this.#endPosition = position + batchBytes(bytes, at);
  }

  reset(): void {
    this.#noted = 0;
    this.#endOffset = -1;
  }

  /** Leaves the batch that holds `offset` in `found`; false where it is not remembered. */
  locate(offset: Offset): boolean {
    if (this.#noted === 0 || offset >= this.#endOffset) return false;
    const pairs = this.#pairs!;
    const oldest = Math.max(0, this.#noted - REMEMBERED);
    let end = this.#endPosition;
    // Consumers that keep up ask for the newest batches: from the end backwards.
    for (let index = this.#noted - 1; index >= oldest; index--) {
      const slot = (index % REMEMBERED) * 2;
      const position = pairs[slot + 1]!;
      if (pairs[slot]! <= offset) {
        found.baseOffset = pairs[slot]!;
        found.position = position;
        found.bytes = end - position;
        return true;
      }
      end = position;
    }
    return false;
  }
}
