/**
 * The memory for records that are not yet acknowledged, and who waits for room in it: first come, first in, each for a
 * limited time. Counts bytes; holds no record.
 */
import type { Clock, Timer } from '../../base/clock.ts';
import { SluiceError } from '../../base/errors.ts';

/** Called once: with room, or with why there will be none. */
export type RoomListener = (error: SluiceError | undefined) => void;

interface Waiting {
  readonly listener: RoomListener;
  readonly untilMs: number;
}

export class SendBuffer {
  bytes = 0;
  readonly #clock: Clock;
  readonly #limitBytes: number;
  readonly #waitMs: number;
  readonly #waiting: Waiting[] = [];
  #timer: Timer | undefined;
  #isLettingIn = false;

  constructor(clock: Clock, { limitBytes, waitMs }: { readonly limitBytes: number; readonly waitMs: number }) {
    this.#clock = clock;
    this.#limitBytes = limitBytes;
    this.#waitMs = waitMs;
  }

  /** Whether whoever comes now is let in at once. */
  get hasRoom(): boolean {
    return this.bytes < this.#limitBytes && this.#waiting.length === 0;
  }

  get waiting(): number {
    return this.#waiting.length;
  }

  /** In the turn in which there is room, so that whoever is next sees what this one has taken. */
  whenRoom(listener: RoomListener): void {
    this.#waiting.push({ listener, untilMs: this.#clock.monotonicMs() + this.#waitMs });
    this.#timer ??= this.#clock.after(this.#waitMs, () => this.#expire(), { holdsProcess: true });
    this.#letIn();
  }

  release(bytes: number): void {
    this.bytes -= bytes;
    this.#letIn();
  }

  failAll(error: SluiceError): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    for (const { listener } of this.#waiting.splice(0)) listener(error);
  }

  #letIn(): void {
    // A listener that gives back what it took at once must not let others in from within.
    if (this.#isLettingIn) return;
    this.#isLettingIn = true;
    while (this.#waiting.length > 0 && this.bytes < this.#limitBytes) this.#waiting.shift()!.listener(undefined);
    this.#isLettingIn = false;
    if (this.#waiting.length > 0) return;
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #expire(): void {
    this.#timer = undefined;
    const nowMs = this.#clock.monotonicMs();
    while (this.#waiting.length > 0 && this.#waiting[0]!.untilMs <= nowMs) {
      this.#waiting.shift()!.listener(bufferFull(`no room within ${this.#waitMs} ms`));
    }
    const next = this.#waiting[0];
    if (next === undefined) return;
    const delayMs = Math.max(1, Math.ceil(next.untilMs - nowMs));
    this.#timer = this.#clock.after(delayMs, () => this.#expire(), { holdsProcess: true });
  }
}

export function bufferFull(message: string): SluiceError {
  return new SluiceError('BUFFER_FULL', `the producer's buffer is full: ${message}`, {
    retriable: true,
    remedy: 'Send more slowly (await send, or drained() when write() returns false), or raise bufferBytes.',
  });
}
