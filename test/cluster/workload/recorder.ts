/** Writes the history of a run to a file as it happens, and tells whoever listens of each line. */
import { createReadStream, createWriteStream, type WriteStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { type CheckReport, HistoryChecker } from '../checker/checker.ts';
import { type HistoryLine, parseHistoryLine } from '../checker/history.ts';

/** Microseconds of the machine's monotonic clock, the same in all processes. */
export function monotonicMicroseconds(): number {
  return Number(process.hrtime.bigint() / 1000n);
}

export class Recorder {
  readonly file: string;
  readonly #stream: WriteStream;
  readonly #listeners = new Set<(line: HistoryLine) => void>();
  #closed = false;

  constructor(file: string) {
    this.file = file;
    this.#stream = createWriteStream(file);
  }

  /** Returns what stops it. */
  listen(listener: (line: HistoryLine) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  takeText(text: string): void {
    const line = parseHistoryLine(text);
    this.#write(text, line);
  }

  take(line: HistoryLine): void {
    this.#write(JSON.stringify(line), line);
  }

  note(note: string, details: Readonly<Record<string, unknown>> = {}): void {
    this.take({ ...details, type: 'note', at: monotonicMicroseconds(), note });
  }

  #write(text: string, line: HistoryLine): void {
    if (this.#closed) return;
    this.#stream.write(`${text}\n`);
    for (const listener of this.#listeners) listener(line);
  }

  close(): Promise<void> {
    this.#closed = true;
    return new Promise((resolve) => this.#stream.end(resolve));
  }
}

export async function checkHistoryFile(file: string): Promise<CheckReport> {
  const checker = new HistoryChecker();
  for await (const text of createInterface({ input: createReadStream(file), crlfDelay: Number.POSITIVE_INFINITY })) {
    checker.take(parseHistoryLine(text));
  }
  return checker.report();
}
