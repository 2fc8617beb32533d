/** What the tests of this room share: a hand-driven clock, a recording log, raw clients on loopback. */
import { connect, type Socket } from 'node:net';
import type { Clock, Timer } from '../base/clock.ts';
import type { FileRegion } from '../base/file-region.ts';
import type { FileHandle } from '../base/file-system.ts';
import type { LogFields, Logger } from '../base/logger.ts';

/** Time stands still until `advance`. */
export class ManualClock implements Clock {
  #nowMs = 0;
  readonly #timers = new Set<{ atMs: number; everyMs: number | undefined; run: () => void }>();

  wallMs(): number {
    return 1_700_000_000_000 + this.#nowMs;
  }

  monotonicMs(): number {
    return this.#nowMs;
  }

  after(delayMs: number, callback: () => void): Timer {
    return this.#add(delayMs, undefined, callback);
  }

  every(periodMs: number, callback: () => void): Timer {
    return this.#add(periodMs, periodMs, callback);
  }

  afterTurn(callback: () => void): void {
    setImmediate(callback);
  }

  /** Runs all timers that fall due, in order of time. */
  advance(ms: number): void {
    const untilMs = this.#nowMs + ms;
    for (;;) {
      const due = [...this.#timers].filter((timer) => timer.atMs <= untilMs).sort((a, b) => a.atMs - b.atMs)[0];
      if (due === undefined) break;
      this.#nowMs = due.atMs;
      if (due.everyMs === undefined) this.#timers.delete(due);
      else due.atMs += due.everyMs;
      due.run();
    }
    this.#nowMs = untilMs;
  }

  #add(delayMs: number, everyMs: number | undefined, run: () => void): Timer {
    const timer = { atMs: this.#nowMs + delayMs, everyMs, run };
    this.#timers.add(timer);
    return { cancel: () => void this.#timers.delete(timer) };
  }
}

export interface LogLine {
  readonly level: string;
  readonly message: string;
  readonly fields: LogFields;
}

export function recordingLogger(): Logger & { lines: LogLine[]; warnings(): LogLine[] } {
  const lines: LogLine[] = [];
  const record =
    (level: string) =>
    (message: string, fields: LogFields = {}): void =>
      void lines.push({ level, message, fields });
  const logger = {
    lines,
    warnings: () => lines.filter((line) => line.level === 'warn' || line.level === 'error'),
    debug: record('debug'),
    info: record('info'),
    warn: record('warn'),
    error: record('error'),
    with: () => logger,
  };
  return logger;
}

/** A frame as it goes over the wire: length, then the text padded to a request's shortest size. */
export function framed(body: Uint8Array | string): Buffer {
  const bytes = Buffer.from(body as string);
  const frame = Buffer.alloc(4 + bytes.length);
  frame.writeInt32BE(bytes.length, 0);
  bytes.copy(frame, 4);
  return frame;
}

/** A raw client that keeps all it receives. */
export class RawClient {
  readonly socket: Socket;
  readonly #chunks: Buffer[] = [];
  #received = 0;
  ended = false;
  closed = false;
  error: Error | undefined;

  constructor(port: number, localAddress?: string) {
    this.socket = connect({ port, host: '127.0.0.1', localAddress, noDelay: true });
    this.socket.on('data', (chunk: Buffer) => {
      this.#chunks.push(chunk);
      this.#received += chunk.length;
    });
    this.socket.on('end', () => {
      this.ended = true;
    });
    this.socket.on('close', () => {
      this.closed = true;
    });
    this.socket.on('error', (error) => {
      this.error = error;
    });
  }

  get received(): number {
    return this.#received;
  }

  bytes(): Buffer {
    return Buffer.concat(this.#chunks);
  }

  /** The bodies of all whole frames received so far. */
  frames(): Buffer[] {
    const all = this.bytes();
    const frames: Buffer[] = [];
    for (let at = 0; at + 4 <= all.length && at + 4 + all.readInt32BE(at) <= all.length; ) {
      frames.push(all.subarray(at + 4, at + 4 + all.readInt32BE(at)));
      at += 4 + all.readInt32BE(at);
    }
    return frames;
  }
}

/** Waits until a condition holds; fails with its description after ten seconds. */
export async function eventually(what: string, holds: () => boolean, limitMs = 10_000): Promise<void> {
  const start = performance.now();
  while (!holds()) {
    if (performance.now() - start > limitMs) throw new Error(`never happened: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

/** Gives sockets time to show that something does not happen. */
export function aWhile(ms = 60): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Regions that count their releases. */
export class RegionCounter {
  handedOut = 0;
  released = 0;
  releasedTwice = 0;

  region(file: FileHandle, position: number, length: number): FileRegion {
    this.handedOut++;
    let done = false;
    return {
      file,
      position,
      length,
      release: () => {
        if (done) this.releasedTwice++;
        done = true;
        this.released++;
      },
    };
  }
}

/** Bytes that tell at every place where they belong. */
export function patternBytes(length: number, seed = 1): Buffer {
  const bytes = Buffer.allocUnsafe(length);
  let state = seed >>> 0;
  for (let at = 0; at + 4 <= length; at += 4) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    bytes.writeUInt32LE(state, at);
  }
  for (let at = length - (length % 4); at < length; at++) bytes[at] = at & 0xff;
  return bytes;
}
