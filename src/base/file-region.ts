import type { FileHandle } from './file-system.ts';

/**
 * A run of bytes in a file that goes to a socket without entering this process. Whoever hands one out keeps the file
 * open until `release` was called once.
 */
export interface FileRegion {
  readonly file: FileHandle;
  readonly position: number;
  readonly length: number;
  release(): void;
}

/** What a reply is made of, in the order of the wire. */
export type ReplyPart = Uint8Array | FileRegion;

export function isFileRegion(part: object): part is FileRegion {
  return 'file' in part;
}

/** Total bytes of a reply. */
export function partsLength(parts: readonly ReplyPart[]): number {
  let total = 0;
  for (const part of parts) total += part.length;
  return total;
}
