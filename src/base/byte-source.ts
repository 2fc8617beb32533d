/** Bytes that come in from a file or from standard input, piece by piece. */
import { createReadStream, statSync } from 'node:fs';

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
  let rest: Buffer = Buffer.alloc(0);
  for await (const chunk of chunks) {
    // In what is left of before there is no delimiter, unless its end has only come now.
    const looked = Math.max(0, rest.length - delimiter.length + 1);
    const bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    const lines: Buffer[] = [];
    let from = 0;
    for (let at = bytes.indexOf(delimiter, looked); at !== -1; at = bytes.indexOf(delimiter, from)) {
      lines.push(bytes.subarray(from, at));
      from = at + delimiter.length;
    }
    rest = bytes.subarray(from);
    if (rest.length > MAX_LINE_BYTES) throw new RangeError(`a line is longer than ${MAX_LINE_BYTES} bytes`);
    if (lines.length > 0) yield lines;
  }
  if (rest.length > 0) yield [rest];
}
