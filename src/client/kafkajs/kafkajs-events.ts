/** kafkajs's instrumentation events, and who listens to them. A listener that throws is the program's own trouble. */
import type { Clock } from '../../base/clock.ts';

export interface InstrumentationEvent<T> {
  readonly id: string;
  readonly type: string;
  /** Milliseconds since the epoch. */
  readonly timestamp: number;
  readonly payload: T;
}

type Listener<T> = (event: InstrumentationEvent<T>) => void;

let lastId = 0;

/** `Payloads` by the name of the event. */
export class Instrumentation<Payloads extends Record<string, unknown>> {
  readonly #clock: Clock;
  readonly #listeners = new Map<string, Set<Listener<never>>>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Returns what takes the listener away again. */
  on<Name extends keyof Payloads & string>(name: Name, listener: Listener<Payloads[Name]>): () => void {
    const listeners = this.#listeners.get(name) ?? new Set();
    this.#listeners.set(name, listeners);
    listeners.add(listener);
    return () => void listeners.delete(listener);
  }

  emit<Name extends keyof Payloads & string>(name: Name, payload: Payloads[Name]): void {
    const listeners = this.#listeners.get(name) as Set<Listener<Payloads[Name]>> | undefined;
    if (listeners === undefined || listeners.size === 0) return;
    const event = { id: String(lastId++), type: name, timestamp: this.#clock.wallMs(), payload };
    for (const listener of [...listeners]) listener(event);
  }
}
