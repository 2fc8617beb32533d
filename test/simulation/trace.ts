/** What happened in a simulated world, as a digest that two runs of one seed share, and as lines for whoever replays one. */

import type { LogFields, Logger } from '../../src/base/logger.ts';
import type { SimulatedClock } from '../../src/base/simulated-clock.ts';
import { crc32c } from '../../src/records/crc32c.ts';

export interface TraceOptions {
  readonly clock: SimulatedClock;
  /** Gets each line; nothing is put together where left out. */
  readonly print?: ((line: string) => void) | undefined;
}

/** A line of a program that says that a bug happened in it. */
export interface Complaint {
  readonly host: string;
  readonly text: string;
}

export class Trace {
  readonly #clock: SimulatedClock;
  readonly #print: ((line: string) => void) | undefined;
  #digest = 0;
  /** Pieces of streams that arrived, and bytes in them. */
  arrivals = 0;
  bytes = 0;
  lines = 0;
  /** Handlers that threw: a program never means that to happen. */
  readonly complaints: Complaint[] = [];

  constructor({ clock, print }: TraceOptions) {
    this.#clock = clock;
    this.#print = print;
  }

  /** Equal for equal histories. */
  get digest(): string {
    return `${(this.#digest >>> 0).toString(16).padStart(8, '0')}-${this.arrivals}-${this.lines}`;
  }

  get isVerbose(): boolean {
    return this.#print !== undefined;
  }

  arrival(bytes: Buffer): void {
    this.arrivals++;
    this.bytes += bytes.length;
    this.#mix(crc32c(bytes, 0, bytes.length));
    this.#mix(Math.round(this.#clock.monotonicMs() * 1000));
  }

  note(who: string, text: string): void {
    this.lines++;
    const bytes = Buffer.from(text);
    this.#mix(crc32c(bytes, 0, bytes.length));
    this.#print?.(`${this.#clock.monotonicMs().toFixed(3).padStart(10)} ${who.padEnd(3)} ${text}`);
  }

  #mix(value: number): void {
    const mixed = Math.imul(this.#digest ^ value, 0x9e3779b1);
    this.#digest = (mixed ^ (mixed >>> 15)) | 0;
  }

  /** What programs log is part of the trace; `fields` name the host. */
  logger(fields: LogFields = {}): Logger {
    const line =
      (level: string, always: boolean) =>
      (message: string, own: LogFields = {}): void => {
        const { host = '?', ...rest } = { ...fields, ...own };
        if (level === 'warn' && String(own['reason']).startsWith('a request failed')) {
          this.complaints.push({ host: String(host), text: `${message}: ${own['reason']} ${own['stack'] ?? ''}` });
        }
        if (!always && !this.isVerbose) return;
        const { stack, ...told } = rest;
        this.note(String(host), `${level} ${message} ${JSON.stringify(told)}${stack === undefined ? '' : ` ${stack}`}`);
      };
    return {
      // Debug lines are only for a reader: a trace with and without them has one digest.
      debug: (message, own = {}) => this.#debug({ ...fields, ...own }, message),
      info: line('info', true),
      warn: line('warn', true),
      error: line('error', true),
      with: (more) => this.logger({ ...fields, ...more }),
    };
  }

  #debug({ host = '?', ...rest }: LogFields, message: string): void {
    if (this.#print === undefined) return;
    const at = this.#clock.monotonicMs().toFixed(3).padStart(10);
    this.#print(`${at} ${String(host).padEnd(3)} debug ${message} ${JSON.stringify(rest)}`);
  }
}
