/** The other side of worker-engine.ts: the entry point of the compaction thread. */
import { setPriority } from 'node:os';
import { parentPort } from 'node:worker_threads';
import { assert } from '../../base/assert.ts';
import { messageOf } from '../../base/errors.ts';
import type { Offset } from '../../base/units.ts';
import { CorruptRecords } from '../../records/corrupt-records.ts';
import type { AbortedTransaction } from '../transaction-index.ts';
import { BatchOutput } from './batch-output.ts';
import type { PassSummary } from './cleaning-engine.ts';
import { CleaningPass, type LastOfProducer, type PassOptions } from './cleaning-pass.ts';

export type CleaningCall =
  | { readonly step: 'begin'; readonly options: PassOptions }
  | { readonly step: 'index'; readonly bytes: ArrayBuffer; readonly length: number }
  | { readonly step: 'indexedUpTo'; readonly offset: Offset }
  | { readonly step: 'beginFilter'; readonly aborted: readonly AbortedTransaction[] }
  | { readonly step: 'beginGroup'; readonly producers: readonly LastOfProducer[] }
  | {
      readonly step: 'filter';
      readonly bytes: ArrayBuffer;
      readonly length: number;
      /** Room for the result. */
      readonly output: ArrayBuffer | undefined;
    }
  | { readonly step: 'end' };

/** What a call gave: `error`, or the fields of its step. */
export interface CleaningAnswer {
  readonly error?: string;
  /** The error is in the records. */
  readonly corrupt?: boolean;
  readonly bytes?: ArrayBuffer;
  readonly full?: boolean;
  readonly latest?: Offset;
  readonly kept?: ArrayBuffer;
  readonly keptBytes?: number;
  readonly transactions?: readonly AbortedTransaction[];
  readonly summary?: PassSummary;
}

const FIRST_OUTPUT_BYTES = 1024 * 1024;
const never = (): boolean => false;
let pass: CleaningPass | undefined;

function take(call: CleaningCall): CleaningAnswer {
  if (call.step === 'begin') {
    pass = new CleaningPass(call.options);
    return {};
  }
  assert(pass !== undefined, 'a pass is begun before it is worked on');
  switch (call.step) {
    case 'index':
      pass.index(Buffer.from(call.bytes), 0, call.length, never);
      return { bytes: call.bytes, full: pass.full, latest: pass.latest };
    case 'indexedUpTo':
      pass.indexedUpTo(call.offset);
      return {};
    case 'beginFilter':
      pass.beginFilter(call.aborted);
      return {};
    case 'beginGroup':
      pass.beginGroup(call.producers);
      return {};
    case 'filter': {
      const output = new BatchOutput(call.output === undefined ? FIRST_OUTPUT_BYTES : 0);
      if (call.output !== undefined) output.bytes = Buffer.from(call.output);
      pass.filter(Buffer.from(call.bytes), 0, call.length, output, never);
      const kept = output.bytes.buffer as ArrayBuffer;
      return { bytes: call.bytes, kept, keptBytes: output.length, transactions: pass.takeKeptTransactions() };
    }
    case 'end': {
      const summary = { ...pass.counts, keys: pass.keys };
      pass = undefined;
      return { summary };
    }
  }
}

function answer(call: CleaningCall): CleaningAnswer {
  try {
    return take(call);
  } catch (error) {
    return { error: messageOf(error), corrupt: error instanceof CorruptRecords };
  }
}

/**
 * A third of the processor time of a thread of ordinary priority where they compete; all that is idle. The lowest
 * priority would have a seventieth: on a busy machine nothing is compacted then, and whoever waits for a lock that this
 * thread holds (the allocator's, the engine's) waits as long. How little compaction takes is Pacing's affair.
 */
const NICENESS = 5;

// Elsewhere than on Linux this would be the whole process's priority and not the thread's.
if (process.platform === 'linux') setPriority(0, NICENESS);

parentPort?.on('message', (call: CleaningCall) => {
  const result = answer(call);
  const buffers = [result.bytes, result.kept].filter((buffer) => buffer !== undefined);
  parentPort?.postMessage(result, buffers);
});
