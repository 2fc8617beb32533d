/**
 * Runs passes in a worker thread, so that produce and fetch share their processor with none of it: buffers travel there
 * and back without a copy. One worker, started with the first pass and ended by `close`.
 */
import { Worker } from 'node:worker_threads';
import { messageOf, SluiceError } from '../../base/errors.ts';
import type { Offset } from '../../base/units.ts';
import { CorruptRecords } from '../../records/corrupt-records.ts';
import type { AbortedTransaction } from '../transaction-index.ts';
import type { Chunk, CleaningEngine, Filtered, Indexed, PassSummary } from './cleaning-engine.ts';
import type { LastOfProducer, PassOptions } from './cleaning-pass.ts';
import type { CleaningAnswer, CleaningCall } from './cleaning-worker.ts';

/** The worker's source has this file's extension: TypeScript from source, JavaScript when built. */
const EXTENSION = import.meta.url.slice(import.meta.url.lastIndexOf('.'));

/** Code of the error where the thread itself ended, whatever it worked on. */
export const ENGINE_ENDED = 'CLEANER_ENDED';

interface Waiting {
  readonly resolve: (answer: CleaningAnswer) => void;
  readonly reject: (error: unknown) => void;
}

export class WorkerEngine implements CleaningEngine {
  #worker: Worker | undefined;
  #waiting: Waiting | undefined;
  /** Goes with the next `filter`, for its result. */
  #output: Buffer | undefined;

  async begin(options: PassOptions): Promise<void> {
    this.#worker ??= this.#start();
    await this.#call({ step: 'begin', options });
  }

  async index({ bytes, length }: Chunk): Promise<Indexed> {
    const answer = await this.#call({ step: 'index', bytes: arrayOf(bytes), length }, [bytes]);
    const { full, latest } = answer;
    return { bytes: bufferOf(answer.bytes!), full: full!, latest: latest! };
  }

  async indexedUpTo(offset: Offset): Promise<void> {
    await this.#call({ step: 'indexedUpTo', offset });
  }

  async beginFilter(aborted: readonly AbortedTransaction[]): Promise<void> {
    await this.#call({ step: 'beginFilter', aborted });
  }

  async beginGroup(producers: readonly LastOfProducer[]): Promise<void> {
    await this.#call({ step: 'beginGroup', producers });
  }

  async filter({ bytes, length }: Chunk): Promise<Filtered> {
    const output = this.#output;
    this.#output = undefined;
    const call: CleaningCall = { step: 'filter', bytes: arrayOf(bytes), length, output: output && arrayOf(output) };
    const answer = await this.#call(call, output === undefined ? [bytes] : [bytes, output]);
    const kept = bufferOf(answer.kept!);
    this.#output = kept;
    return { bytes: bufferOf(answer.bytes!), kept, keptBytes: answer.keptBytes!, transactions: answer.transactions! };
  }

  async end(): Promise<PassSummary> {
    return (await this.#call({ step: 'end' })).summary!;
  }

  async close(): Promise<void> {
    const worker = this.#worker;
    this.#worker = undefined;
    this.#output = undefined;
    this.#fail(new SluiceError(ENGINE_ENDED, 'the compaction thread was closed'));
    await worker?.terminate();
  }

  async #call(call: CleaningCall, transferred: readonly Buffer[] = []): Promise<CleaningAnswer> {
    const worker = this.#worker;
    // Only `begin` starts a thread: what belongs to a pass whose thread has ended must not go on in another.
    if (worker === undefined) throw new SluiceError(ENGINE_ENDED, 'the compaction thread was closed');
    const answer = await new Promise<CleaningAnswer>((resolve, reject) => {
      this.#waiting = { resolve, reject };
      worker.postMessage(
        call,
        transferred.map((buffer) => arrayOf(buffer)),
      );
    });
    if (answer.error === undefined) return answer;
    if (answer.corrupt === true) throw new CorruptRecords(answer.error);
    throw new SluiceError('CLEANER_FAILED', answer.error);
  }

  #start(): Worker {
    const worker = new Worker(new URL(`./cleaning-worker${EXTENSION}`, import.meta.url));
    // A broker that is told to end must not wait for compaction.
    worker.unref();
    worker.on('message', (answer: CleaningAnswer) => {
      const waiting = this.#waiting;
      this.#waiting = undefined;
      waiting?.resolve(answer);
    });
    const ended = (error: unknown): void => {
      if (this.#worker !== worker) return;
      this.#worker = undefined;
      this.#fail(new SluiceError(ENGINE_ENDED, `the compaction thread ended: ${messageOf(error)}`));
    };
    worker.on('error', ended);
    worker.on('exit', (code) => ended(new Error(`exit code ${code}`)));
    return worker;
  }

  #fail(error: Error): void {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    waiting?.reject(error);
  }
}

/** Such buffers are never parts of a pool: see `allocUnsafeSlow`. */
function arrayOf(bytes: Buffer): ArrayBuffer {
  return bytes.buffer as ArrayBuffer;
}

function bufferOf(array: ArrayBuffer): Buffer {
  return Buffer.from(array);
}
