/** Records on their way to standard output or a file: gathered into pieces, written at the end of the turn at the latest. */
import { type ByteSink, createByteSink } from '../base/byte-sink.ts';
import { systemClock } from '../base/clock.ts';

/** Output is handed on in pieces of about this size. */
const PIECE_BYTES = 64 * 1024;

export class RecordWriter {
  readonly #sink: ByteSink;
  #pieces: Uint8Array[] = [];
  #bytes = 0;
  #isFlushPlanned = false;
  #failure: unknown;

  /** `path` - is standard output. */
  constructor(path: string) {
    this.#sink = createByteSink(path);
  }

  /** Undefined where there is room for more at once; otherwise resolves when there is. Rejects with OUTPUT_FAILED. */
  write(bytes: Uint8Array): Promise<void> | undefined {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    this.#pieces.push(bytes);
    this.#bytes += bytes.length;
    if (this.#bytes >= PIECE_BYTES) return this.flush();
    // Whoever watches wants to see a record when it comes.
    if (!this.#isFlushPlanned) {
      this.#isFlushPlanned = true;
      systemClock.afterTurn(() => {
        this.#isFlushPlanned = false;
        // Whoever writes next, or closes, hears of it.
        this.flush()?.catch((error: unknown) => {
          this.#failure = error;
        });
      });
    }
    return undefined;
  }

  flush(): Promise<void> | undefined {
    if (this.#bytes === 0) return undefined;
    const output = this.#pieces.length === 1 ? this.#pieces[0]! : Buffer.concat(this.#pieces);
    this.#pieces = [];
    this.#bytes = 0;
    return this.#sink.write(output);
  }

  async close(): Promise<void> {
    await this.flush();
    await this.#sink.close();
  }
}
