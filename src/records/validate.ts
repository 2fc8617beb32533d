/**
 * Decides whether record batches may be written, before a byte of them is: header by header, with the checksum, and
 * record by record only where the topic's settings ask about records. Answers are data with Kafka's error codes
 * (ProduceRequest.validateRecords, UnifiedLog.analyzeAndValidateRecords, LogValidator); nothing throws. Sequence
 * numbers against earlier batches are the log's concern, not this file's.
 */
import type { LeaderEpoch, Offset, Timestamp } from '../base/units.ts';
import { ErrorCode } from '../protocol/error-codes.ts';
import * as batch from './batch.ts';
import { BROKEN, matchesChecksum, PARTIAL, wholeBatchBytes } from './bounds.ts';
import { CODECS } from './compression/codec-numbers.ts';
import { type RecordError, recordFault } from './validate-records.ts';

export type { RecordError } from './validate-records.ts';

/** Who hands the batches in: a client's produce request, a coordinator of this broker, or a leader to its follower. */
export type AppendOrigin = 'client' | 'coordinator' | 'replica';

export interface ValidationRules {
  readonly origin: AppendOrigin;
  /** Limit of one batch (`max.message.bytes`); not applied to replicas. */
  readonly maxMessageBytes: number;
  /** Limit of all batches together (`segment.bytes`); not applied to replicas. */
  readonly segmentBytes: number;
  readonly timestampType: 'CreateTime' | 'LogAppendTime';
  /** How far behind `nowMs` a timestamp may be; negative, or beyond any age, for no limit. */
  readonly timestampBeforeMaxMs: number;
  /** How far ahead of `nowMs` a timestamp may be; negative, or beyond any age, for no limit. */
  readonly timestampAfterMaxMs: number;
  readonly nowMs: Timestamp;
  /** Every record of a compacted topic needs a key. */
  readonly compacted: boolean;
  /** Version of the produce request; zstd is known since 7. Newest where left out. */
  readonly produceVersion?: number;
  /** Of a replica: batches of a later epoch than the one that was fetched for are not taken. */
  readonly leaderEpoch?: LeaderEpoch;
  /** Limit of the uncompressed records of one batch, where they have to be looked at. */
  readonly maxUncompressedBytes?: number;
}

export interface ValidBatches {
  readonly ok: true;
  readonly batches: number;
  readonly records: number;
  /** Bytes of the batches to be written; fewer than were given where a replica's fetch ends inside a batch. */
  readonly bytes: number;
  /** Base offset of the first batch as sent: 0 from a client. */
  readonly firstOffset: Offset;
  /** Last offset of the last batch as sent; -1 without batches. */
  readonly lastOffset: Offset;
  /** Highest of the headers' maximum timestamps; -1 without any. */
  readonly maxTimestamp: Timestamp;
  /** Codec of the last compressed batch, 0 where none is compressed. */
  readonly codec: number;
}

export interface RefusedBatches {
  readonly ok: false;
  readonly errorCode: ErrorCode;
  readonly message: string;
  readonly batchIndex: number;
  /** Which records of the batch are at fault, where single ones are. */
  readonly recordErrors?: readonly RecordError[];
}

export type ValidationResult = ValidBatches | RefusedBatches;

/** Why a batch is refused; undefined in place of one means that it is not. */
export type BatchFault = Omit<RefusedBatches, 'ok' | 'batchIndex'>;

const FIRST_PRODUCE_VERSION_WITH_ZSTD = 7;
/** Attribute bits that a client may set: codec, append time (refused on its own), transactional, control (likewise). */
const CLIENT_ATTRIBUTE_BITS = 0x3f;

const fault = (errorCode: ErrorCode, message: string): BatchFault => ({ errorCode, message });
const refuse = (reason: BatchFault, batchIndex: number): RefusedBatches => ({ ok: false, ...reason, batchIndex });

/**
 * Walks the batches in `bytes`. From a client exactly one batch is taken, from a coordinator whole ones, from a leader as
 * many whole ones as there are, with rising offsets, up to the first of a later epoch.
 */
export function validateBatches(bytes: Buffer, rules: ValidationRules): ValidationResult {
  const replica = rules.origin === 'replica';
  let at = 0;
  let batches = 0;
  let records = 0;
  let lastOffset: Offset = -1;
  let maxTimestamp: Timestamp = batch.NO_TIMESTAMP;
  let codec = 0;
  while (at < bytes.length) {
    const size = wholeBatchBytes(bytes, at);
    if (size === BROKEN) return refuse(fault(ErrorCode.CORRUPT_MESSAGE, 'the bytes are no record batch'), batches);
    if (size === PARTIAL) {
      if (replica) break;
      return refuse(fault(ErrorCode.INVALID_RECORD, 'the records end inside a batch'), batches);
    }
    if (replica && isOfLaterEpoch(bytes, at, rules.leaderEpoch)) break;
    const reason = replica ? replicatedBatchFault(bytes, at, lastOffset) : batchFault(bytes, at, size, rules, batches);
    if (reason !== undefined) return refuse(reason, batches);
    batches++;
    records += batch.recordCount(bytes, at);
    lastOffset = batch.lastOffset(bytes, at);
    maxTimestamp = Math.max(maxTimestamp, batch.maxTimestamp(bytes, at));
    codec = batch.codecOf(batch.attributes(bytes, at)) || codec;
    at += size;
  }
  if (!replica) {
    if (batches === 0) return refuse(fault(ErrorCode.INVALID_RECORD, 'there is no record batch'), 0);
    if (at > rules.segmentBytes) {
      const message = `the batches have ${at} bytes, more than a segment of ${rules.segmentBytes}`;
      return refuse(fault(ErrorCode.RECORD_LIST_TOO_LARGE, message), 0);
    }
  }
  const firstOffset = batches === 0 ? 0 : batch.baseOffset(bytes, 0);
  return { ok: true, batches, records, bytes: at, firstOffset, lastOffset, maxTimestamp, codec };
}

function isOfLaterEpoch(bytes: Buffer, at: number, epoch: LeaderEpoch | undefined): boolean {
  return epoch !== undefined && batch.magic(bytes, at) === batch.MAGIC_V2 && batch.leaderEpoch(bytes, at) > epoch;
}

/** What a follower asks of a batch that its leader has validated: that it came whole and in order. */
function replicatedBatchFault(bytes: Buffer, at: number, after: Offset): BatchFault | undefined {
  if (batch.magic(bytes, at) !== batch.MAGIC_V2) {
    return fault(ErrorCode.UNSUPPORTED_FOR_MESSAGE_FORMAT, 'the leader holds batches of a format before version 2');
  }
  const base = batch.baseOffset(bytes, at);
  if (!Number.isSafeInteger(base) || batch.lastOffsetDelta(bytes, at) < 0) {
    return fault(ErrorCode.CORRUPT_MESSAGE, `the batch has no valid offsets: it starts at ${base}`);
  }
  if (base <= after) {
    return fault(ErrorCode.CORRUPT_MESSAGE, `offsets are out of order: ${base} follows ${after}`);
  }
  return checksumFault(bytes, at);
}

/** What a leader asks of a batch, in Kafka's order of checks, so that a batch with two faults gets Kafka's answer. */
function batchFault(
  bytes: Buffer,
  at: number,
  size: number,
  rules: ValidationRules,
  index: number,
): BatchFault | undefined {
  const fromClient = rules.origin === 'client';
  if (batch.magic(bytes, at) !== batch.MAGIC_V2) {
    return fault(ErrorCode.INVALID_RECORD, 'only record batches of format version 2 are accepted');
  }
  const codec = batch.codecOf(batch.attributes(bytes, at));
  if (codec === CODECS.zstd && (rules.produceVersion ?? Infinity) < FIRST_PRODUCE_VERSION_WITH_ZSTD) {
    return fault(ErrorCode.UNSUPPORTED_COMPRESSION_TYPE, 'zstd needs produce requests of version 7 or later');
  }
  if (fromClient && (index > 0 || at + size !== bytes.length)) {
    return fault(ErrorCode.INVALID_RECORD, 'a produce request holds exactly one record batch for a partition');
  }
  if (fromClient && batch.baseOffset(bytes, at) !== 0) {
    return fault(ErrorCode.INVALID_RECORD, `the base offset must be 0, it is ${batch.baseOffset(bytes, at)}`);
  }
  if (size > rules.maxMessageBytes) {
    const message = `the batch has ${size} bytes, more than max.message.bytes of ${rules.maxMessageBytes}`;
    return fault(ErrorCode.MESSAGE_TOO_LARGE, message);
  }
  return (
    checksumFault(bytes, at) ??
    (codec > CODECS.zstd ? fault(ErrorCode.UNSUPPORTED_COMPRESSION_TYPE, `there is no codec ${codec}`) : undefined) ??
    (fromClient ? clientBatchFault(bytes, at) : undefined) ??
    timestampFault(bytes, at, rules) ??
    (needsRecords(rules) ? recordFault(bytes, at, rules) : undefined)
  );
}

function checksumFault(bytes: Buffer, at: number): BatchFault | undefined {
  if (matchesChecksum(bytes, at)) return undefined;
  return fault(ErrorCode.CORRUPT_MESSAGE, `the batch does not match its checksum ${batch.storedCrc(bytes, at)}`);
}

/** Rules that bind clients only: this broker's coordinators write markers, and one record may stand for many offsets. */
function clientBatchFault(bytes: Buffer, at: number): BatchFault | undefined {
  const attributes = batch.attributes(bytes, at);
  const count = batch.recordCount(bytes, at);
  const lastDelta = batch.lastOffsetDelta(bytes, at);
  if (count <= 0 || lastDelta !== count - 1) {
    return fault(ErrorCode.INVALID_RECORD, `${count} records do not fit a last offset delta of ${lastDelta}`);
  }
  if (batch.isControl(attributes)) return fault(ErrorCode.INVALID_RECORD, 'clients must not write control records');
  if ((attributes & ~CLIENT_ATTRIBUTE_BITS) !== 0) {
    return fault(ErrorCode.INVALID_RECORD, 'attribute bits are set that a producer must leave clear');
  }
  return producerFault(bytes, at, batch.isTransactional(attributes));
}

function producerFault(bytes: Buffer, at: number, transactional: boolean): BatchFault | undefined {
  const id = batch.producerId(bytes, at);
  if (id === batch.NO_PRODUCER_ID) {
    if (!transactional) return undefined;
    return fault(ErrorCode.INVALID_RECORD, 'a transactional batch needs a producer id');
  }
  if (id < 0 || !Number.isSafeInteger(id)) return fault(ErrorCode.INVALID_RECORD, `there is no producer id ${id}`);
  const epoch = batch.producerEpoch(bytes, at);
  if (epoch < 0) return fault(ErrorCode.INVALID_RECORD, `producer ${id} has an invalid epoch ${epoch}`);
  const sequence = batch.baseSequence(bytes, at);
  if (sequence >= 0) return undefined;
  return fault(ErrorCode.INVALID_RECORD, `producer ${id} has an invalid sequence number ${sequence}`);
}

/** Judges by the header: its maximum stands for all timestamps that may be too far ahead. */
function timestampFault(bytes: Buffer, at: number, rules: ValidationRules): BatchFault | undefined {
  if (rules.origin === 'client' && batch.usesAppendTime(batch.attributes(bytes, at))) {
    return fault(ErrorCode.INVALID_TIMESTAMP, 'producers must not set the timestamp type to LogAppendTime');
  }
  const base = batch.baseTimestamp(bytes, at);
  const max = batch.maxTimestamp(bytes, at);
  if (!Number.isSafeInteger(base) || !Number.isSafeInteger(max)) {
    return fault(ErrorCode.INVALID_TIMESTAMP, 'a timestamp is out of the range that this broker can hold');
  }
  if (rules.timestampType === 'LogAppendTime' || max === batch.NO_TIMESTAMP || rules.timestampAfterMaxMs < 0) {
    return undefined;
  }
  if (max - rules.nowMs <= rules.timestampAfterMaxMs) return undefined;
  // The producer is told which records they are; only a refused batch pays for the walk.
  const named = recordFault(bytes, at, rules);
  if (named?.errorCode === ErrorCode.INVALID_TIMESTAMP) return named;
  const message = `timestamp ${max} is more than ${rules.timestampAfterMaxMs} ms ahead of the broker's clock`;
  return fault(ErrorCode.INVALID_TIMESTAMP, message);
}

/** The header knows neither keys nor the lowest timestamp. */
function needsRecords(rules: ValidationRules): boolean {
  return rules.compacted || (rules.timestampType === 'CreateTime' && isAgeLimited(rules));
}

function isAgeLimited(rules: ValidationRules): boolean {
  return rules.timestampBeforeMaxMs >= 0 && rules.timestampBeforeMaxMs < rules.nowMs;
}
