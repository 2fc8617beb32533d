/**
 * Appends to a log, in one synchronous run: validate, check sequence numbers, give the batches their place, write them
 * with one call, then bring indexes, producers and epochs up to date. The batches' bytes are patched where they lie and
 * written from there. Whatever fails before or in the write leaves the log as it was; nothing after it can fail.
 */
import { messageOf } from '../base/errors.ts';
import type { LeaderEpoch, Offset, Timestamp } from '../base/units.ts';
import { ErrorCode } from '../protocol/error-codes.ts';
import { stampAppendTime } from '../records/append-time.ts';
import * as batch from '../records/batch.ts';
import { CorruptRecords } from '../records/corrupt-records.ts';
import { recompress } from '../records/recompress.ts';
import { type RecordError, type ValidBatches, validateBatches } from '../records/validate.ts';
import type { LogCore } from './log-core.ts';
import type { LogFlush } from './log-flush.ts';
import { mustRoll, roll, settleCut } from './log-roll.ts';
import { isUnderWay } from './producer-entry.ts';
import type { ProducerRefusal } from './producer-state.ts';
import type { VerificationGuard } from './transaction-verification.ts';

export interface LeaderAppendOptions {
  readonly leaderEpoch: LeaderEpoch;
  /** `client` is validated in full; a coordinator of this broker is trusted with offsets and sequence numbers. */
  readonly origin: 'client' | 'coordinator';
  /** Version of the produce request, where there was one. */
  readonly produceVersion?: number | undefined;
  /** Version of the transaction protocol that a marker belongs to (KIP-890); 0 where left out. */
  readonly transactionVersion?: number | undefined;
  /**
   * Where given, a batch that begins a transaction must have been checked with its coordinator: `guard` is what
   * `beginVerification` gave for it (KIP-890).
   */
  readonly verification?: { readonly guard: VerificationGuard | undefined } | undefined;
}

export interface FollowerAppendOptions {
  /** Batches of later epochs than this are not taken: they came from a fetch that the follower's new role overtook. */
  readonly leaderEpoch?: LeaderEpoch;
}

export interface Appended {
  readonly ok: true;
  /** Of a duplicate: where the original lies. */
  readonly firstOffset: Offset;
  readonly lastOffset: Offset;
  /** The broker's timestamp of the records, -1 where the topic keeps the producers'; of a duplicate the original's. */
  readonly appendTimeMs: Timestamp;
  /** Of the log. */
  readonly startOffset: Offset;
  /** Nothing was written: these sequence numbers lie in the log already. */
  readonly duplicate: boolean;
  /** Settles when the records are durable, where the topic's flush policy asks to wait; rejects with STORAGE_FAILED. */
  readonly durable: Promise<void> | undefined;
}

export interface AppendRefused {
  readonly ok: false;
  readonly errorCode: ErrorCode;
  readonly message: string;
  readonly recordErrors?: readonly RecordError[];
}

export type AppendOutcome = Appended | AppendRefused;

const DEFAULT_TRANSACTION_VERSION = 0;

/** Where appends happen, and who is asked to make them durable. */
export interface AppendTarget {
  readonly core: LogCore;
  readonly flush: LogFlush;
}

export function appendAsLeader(target: AppendTarget, sent: Buffer, options: LeaderAppendOptions): AppendOutcome {
  const { core } = target;
  if (!core.isUsable) return refuse(ErrorCode.KAFKA_STORAGE_ERROR, core.unusableReason);
  const { config } = core;
  const nowMs = core.clock.wallMs();
  const valid = validateBatches(sent, {
    origin: options.origin,
    maxMessageBytes: config.maxMessageBytes,
    segmentBytes: config.segmentBytes,
    timestampType: config.timestampType,
    timestampBeforeMaxMs: config.timestampBeforeMaxMs,
    timestampAfterMaxMs: config.timestampAfterMaxMs,
    nowMs,
    compacted: config.compactPolicy,
    produceVersion: options.produceVersion,
  });
  if (!valid.ok) return valid;
  const judged = judgeProducers(target, sent, options);
  if (judged !== undefined) return judged;
  const prepared = prepare(core, sent, nowMs);
  if (!Buffer.isBuffer(prepared)) return prepared;
  const firstOffset = core.endOffset;
  const lastOffset = place(prepared, firstOffset, options.leaderEpoch);
  const appendTimeMs = config.timestampType === 'LogAppendTime' ? nowMs : batch.NO_TIMESTAMP;
  const maxTimestamp = appendTimeMs === batch.NO_TIMESTAMP ? valid.maxTimestamp : appendTimeMs;
  const refused = write(target, prepared, { bytes: prepared.length, firstOffset, lastOffset, maxTimestamp });
  if (refused !== undefined) return refused;
  const durable = flushIfDue(target);
  core.listeners.onAppend?.(core.endOffset);
  return { ok: true, firstOffset, lastOffset, appendTimeMs, startOffset: core.startOffset, duplicate: false, durable };
}

/** Batches come with the offsets and epochs that their leader gave them. A partial one at the end is left out. */
export function appendAsFollower(target: AppendTarget, fetched: Buffer, options: FollowerAppendOptions): AppendOutcome {
  const { core } = target;
  if (!core.isUsable) return refuse(ErrorCode.KAFKA_STORAGE_ERROR, core.unusableReason);
  const { config } = core;
  const valid = validateBatches(fetched, {
    origin: 'replica',
    maxMessageBytes: config.maxMessageBytes,
    segmentBytes: config.segmentBytes,
    timestampType: config.timestampType,
    timestampBeforeMaxMs: config.timestampBeforeMaxMs,
    timestampAfterMaxMs: config.timestampAfterMaxMs,
    nowMs: core.clock.wallMs(),
    compacted: config.compactPolicy,
    leaderEpoch: options.leaderEpoch,
  });
  if (!valid.ok) return valid;
  if (valid.batches === 0) return nothingAppended(core);
  if (valid.firstOffset < core.endOffset) return unexpectedOffset(core, valid);
  const bytes = valid.bytes === fetched.length ? fetched : fetched.subarray(0, valid.bytes);
  const { firstOffset, lastOffset, maxTimestamp } = valid;
  const refused = write(target, bytes, { bytes: bytes.length, firstOffset, lastOffset, maxTimestamp });
  if (refused !== undefined) return refused;
  const durable = flushIfDue(target);
  core.listeners.onAppend?.(core.endOffset);
  const appendTimeMs = batch.NO_TIMESTAMP;
  return { ok: true, firstOffset, lastOffset, appendTimeMs, startOffset: core.startOffset, duplicate: false, durable };
}

function refuse(errorCode: ErrorCode, message: string): AppendRefused {
  return { ok: false, errorCode, message };
}

function nothingAppended(core: LogCore): Appended {
  const { endOffset, startOffset } = core;
  return {
    ok: true,
    firstOffset: endOffset,
    lastOffset: endOffset - 1,
    appendTimeMs: batch.NO_TIMESTAMP,
    startOffset,
    duplicate: false,
    durable: undefined,
  };
}

function unexpectedOffset(core: LogCore, valid: ValidBatches): AppendRefused {
  const message = `the fetched batches begin at ${valid.firstOffset}, before the log's end at ${core.endOffset}`;
  return refuse(ErrorCode.OFFSET_OUT_OF_RANGE, message);
}

/** Why a batch may not begin a transaction. One of an old epoch is told that, by whom the sequence is looked at. */
function verificationRefusal(
  core: LogCore,
  bytes: Buffer,
  at: number,
  { origin, verification }: LeaderAppendOptions,
): ProducerRefusal | undefined {
  const { producers, verifications } = core;
  if (verification === undefined && verifications.isIdle) return undefined;
  const bits = batch.attributes(bytes, at);
  if (batch.isControl(bits)) return undefined;
  const producerId = batch.producerId(bytes, at);
  const entry = producers.entries.get(producerId);
  const epoch = batch.producerEpoch(bytes, at);
  if (entry !== undefined && epoch < entry.epoch) return undefined;
  if (verification !== undefined && batch.isTransactional(bits) && !isUnderWay(entry, epoch)) {
    if (!verifications.holds(producerId, verification.guard)) {
      const message = `producer ${producerId} has no transaction here that its coordinator knows of`;
      return { errorCode: ErrorCode.INVALID_TXN_STATE, message };
    }
  }
  return origin === 'client' ? verifications.sequenceRefusal(bytes, at, entry) : undefined;
}

/** An outcome where the producer's earlier batches forbid the append, or make it needless. */
function judgeProducers(
  { core, flush }: AppendTarget,
  bytes: Buffer,
  options: LeaderAppendOptions,
): AppendOutcome | undefined {
  const { producers } = core;
  for (let at = 0; at < bytes.length; at += batch.batchBytes(bytes, at)) {
    if (batch.producerId(bytes, at) === batch.NO_PRODUCER_ID) continue;
    if (options.origin === 'client') {
      const original = producers.duplicateOf(bytes, at);
      if (original !== undefined) {
        return {
          ok: true,
          firstOffset: original.lastOffset - original.offsetDelta,
          lastOffset: original.lastOffset,
          // Whatever the topic's timestamp type: Kafka tells of a duplicate when the original was.
          appendTimeMs: original.timestamp,
          startOffset: core.startOffset,
          duplicate: true,
          durable: durabilityOf(original.lastOffset, { core, flush }),
        };
      }
    }
    const unverified = verificationRefusal(core, bytes, at, options);
    if (unverified !== undefined) return { ok: false, ...unverified };
    const refusal = producers.refusalOf(bytes, at, {
      origin: options.origin,
      transactionVersion: options.transactionVersion ?? DEFAULT_TRANSACTION_VERSION,
    });
    if (refusal !== undefined) return { ok: false, ...refusal };
  }
  return undefined;
}

/** A repeated batch is acknowledged no earlier than the first one would have been. */
function durabilityOf(lastOffset: Offset, { core, flush }: AppendTarget): Promise<void> | undefined {
  const promised = lastOffset < core.flushRequestedTo;
  return promised && lastOffset >= core.recoveryPoint ? flush.flush() : undefined;
}

/** The batches as they will be stored: the same bytes, unless the topic dictates timestamps or a codec. */
function prepare(core: LogCore, sent: Buffer, nowMs: Timestamp): Buffer | AppendRefused {
  const { compression, timestampType } = core.config;
  if (timestampType === 'LogAppendTime') {
    for (let at = 0; at < sent.length; at += batch.batchBytes(sent, at)) stampAppendTime(sent, at, nowMs);
  }
  if (compression === 'producer') return sent;
  const parts: Buffer[] = [];
  try {
    for (let at = 0; at < sent.length; at += batch.batchBytes(sent, at)) {
      const keep = batch.isControl(batch.attributes(sent, at));
      const part = keep
        ? sent.subarray(at, at + batch.batchBytes(sent, at))
        : recompress(sent, at, compression.codec, compression.level);
      if (part.length > core.config.maxMessageBytes) {
        return refuse(ErrorCode.MESSAGE_TOO_LARGE, `the batch has ${part.length} bytes in the topic's codec`);
      }
      parts.push(part);
    }
  } catch (error) {
    if (!(error instanceof CorruptRecords)) throw error;
    return refuse(ErrorCode.INVALID_RECORD, `the records cannot be decompressed: ${messageOf(error)}`);
  }
  return parts.length === 1 ? parts[0]! : Buffer.concat(parts);
}

/** Gives each batch its offset and epoch; returns the last offset. */
function place(bytes: Buffer, firstOffset: Offset, epoch: LeaderEpoch): Offset {
  let next = firstOffset;
  for (let at = 0; at < bytes.length; at += batch.batchBytes(bytes, at)) {
    batch.patchPlace(bytes, at, next, epoch);
    next = batch.lastOffset(bytes, at) + 1;
  }
  return next - 1;
}

/** Rolls where it is time, writes, and takes the batches in. */
function write(
  { core, flush }: AppendTarget,
  bytes: Buffer,
  incoming: { bytes: number; firstOffset: Offset; lastOffset: Offset; maxTimestamp: Timestamp },
): AppendRefused | undefined {
  try {
    settleCut(core);
    if (mustRoll(core, incoming)) {
      roll(core, incoming.firstOffset);
      // A closed segment is made durable in the background, so that recovery need not check it.
      void flush.flush();
    }
    core.active.write(bytes, () => core.fail(new Error('a torn write could not be taken back'), 'append'));
  } catch (error) {
    // A part may have been written and taken back: nothing may follow it before that is durable.
    core.cutUnsynced = true;
    return refuse(ErrorCode.KAFKA_STORAGE_ERROR, core.noteError(error, 'append to the log'));
  }
  if (core.trouble !== undefined) core.troubleEnded(core.trouble.sinceMs);
  takeIn(core, bytes);
  return undefined;
}

function takeIn(core: LogCore, bytes: Buffer): void {
  const segment = core.active;
  for (let at = 0; at < bytes.length; at += batch.batchBytes(bytes, at)) {
    core.tail.note(bytes, at, segment.size);
    segment.added(bytes, at);
    core.epochs.assign(batch.leaderEpoch(bytes, at), batch.baseOffset(bytes, at));
    const completed = core.producers.apply(bytes, at);
    core.verifications.written(bytes, at);
    core.endOffset = batch.lastOffset(bytes, at) + 1;
    if (completed === undefined) continue;
    core.producers.replicatedUpTo(core.highWatermark);
    core.transactionCompleted(segment, completed);
  }
}

function flushIfDue({ core, flush }: AppendTarget): Promise<void> | undefined {
  const { flushMessages } = core.config;
  if (flushMessages < 1) return undefined;
  if (core.endOffset - Math.max(core.recoveryPoint, core.flushRequestedTo) < flushMessages) return undefined;
  core.flushRequestedTo = core.endOffset;
  return flush.flush();
}
