/** Bytes that come in from a file or from standard input, piece by piece. */
import { createReadStream, statSync } from 'node:fs';
import { SluiceError } from './errors.ts';

const CHUNK_BYTES = 256 * 1024;
/** A longer line is taken for input that has no lines. */
const MAX_LINE_BYTES = 64 * 1024 * 1024;
const NEWLINE = Buffer.from('\n');

/** Name that stands for standard input or output, as everywhere on a command line. */
export const STANDARD_STREAM = '-';

/** Chunks of a file in order. The iteration rejects with the system's error. */
export function readChunks(path: string): AsyncIterable<Buffer> {
  return path === STANDARD_STREAM ? process.stdin : createReadStream(path, { highWaterMark: CHUNK_BYTES });
}

/** How many bytes there will be, or undefined where only the end will tell (pipes, devices). Throws for a directory. */
export function knownLength(path: string): number | undefined {
  if (path === STANDARD_STREAM) return undefined;
  const status = statSync(path);
  if (status.isDirectory()) throw new Error(`${path} is a directory`);
  return status.isFile() ? status.size : undefined;
}

/** Everything that a file or standard input holds. The promise rejects with the system's error. */
export async function readWhole(path: string): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of readChunks(path)) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/**
 * Cuts chunks into lines without what ends them (a newline unless another delimiter is given), one batch a chunk. Lines
 * are views of the chunks: bytes stay bytes, whatever their encoding. A last line without an end counts, an empty rest
 * does not.
 */
export async function* readLines(
  chunks: AsyncIterable<Buffer>,
  delimiter: Buffer = NEWLINE,
): AsyncGenerator<Buffer[], void, void> {
  const seam = delimiter.length - 1;
  /** The beginning of a line whose end has not come: joined once it has, or a long line would be copied for every chunk. */
  let held: Buffer[] = [];
  let heldBytes = 0;
  /** The last bytes held, in which a delimiter may begin. */
  let tail: Buffer = Buffer.alloc(0);
  for await (const chunk of chunks) {
    const ends = chunk.includes(delimiter) || Buffer.concat([tail, chunk.subarray(0, seam)]).includes(delimiter);
    if (ends) {
      const bytes = held.length === 0 ? chunk : Buffer.concat([...held, chunk]);
      const { lines, rest } = cut(bytes, delimiter, Math.max(0, heldBytes - seam));
      held = rest.length === 0 ? [] : [rest];
      heldBytes = rest.length;
      tail = rest.subarray(Math.max(0, rest.length - seam));
      yield lines;
    } else {
      held.push(chunk);
      heldBytes += chunk.length;
      tail = Buffer.concat([tail, chunk.subarray(Math.max(0, chunk.length - seam))]);
      tail = tail.subarray(Math.max(0, tail.length - seam));
    }
    if (heldBytes > MAX_LINE_BYTES) {
      const remedy = 'Say what ends a record where that is no newline, or send the file as one record.';
      throw new SluiceError('LINE_TOO_LONG', `a line is longer than ${MAX_LINE_BYTES} bytes`, { remedy });
    }
  }
  if (heldBytes > 0) yield [Buffer.concat(held)];
}

/** Lines, and what is left behind the last delimiter; there is none before `looked`. */
function cut(bytes: Buffer, delimiter: Buffer, looked: number): { lines: Buffer[]; rest: Buffer } {
  const lines: Buffer[] = [];
  let from = 0;
  for (let at = bytes.indexOf(delimiter, looked); at !== -1; at = bytes.indexOf(delimiter, from)) {
    lines.push(bytes.subarray(from, at));
    from = at + delimiter.length;
  }
  return { lines, rest: bytes.subarray(from) };
}
