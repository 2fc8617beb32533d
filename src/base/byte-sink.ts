/** Bytes that go out to a file or to standard output. */
import { createWriteStream } from 'node:fs';
import { STANDARD_STREAM } from './byte-source.ts';
import { messageOf, SluiceError } from './errors.ts';

export interface ByteSink {
  /** Undefined where there is room for more at once; otherwise resolves when there is. Rejects with OUTPUT_FAILED. */
  write(bytes: Uint8Array): Promise<void> | undefined;
  /** Resolves when everything is written; standard output stays open. */
  close(): Promise<void>;
}

/** The file is made anew; `-` is standard output. */
export function createByteSink(path: string): ByteSink {
  if (path === STANDARD_STREAM)
    return { write: (bytes) => writeTo(process.stdout, bytes), close: async () => undefined };
  const stream = createWriteStream(path);
  let failure: SluiceError | undefined;
  stream.on('error', (error) => {
    failure ??= new SluiceError('OUTPUT_FAILED', `cannot write ${path}: ${messageOf(error)}`, { cause: error });
  });
  return {
    write: (bytes) => {
      if (failure !== undefined) return Promise.reject(failure);
      return writeTo(stream, bytes);
    },
    close: async () => {
      if (failure === undefined) await new Promise<void>((resolve) => stream.end(resolve));
      if (failure !== undefined) throw failure;
    },
  };
}

function writeTo(stream: NodeJS.WritableStream, bytes: Uint8Array): Promise<void> | undefined {
  if (stream.write(bytes)) return undefined;
  return new Promise((resolve) => {
    const done = (): void => {
      stream.off('drain', done);
      stream.off('error', done);
      resolve();
    };
    stream.on('drain', done);
    stream.on('error', done);
  });
}
