/**
 * Who asked to begin a transaction in this partition and is being checked with the transaction's coordinator (KIP-890).
 * Each check has a guard of its own: a marker that arrives in between forgets it, so that an answer that comes too late
 * begins no transaction that nobody will end. Nothing of it is on disk: whoever asks again is checked again.
 */
import type { ProducerId, Timestamp } from '../base/units.ts';
import { ErrorCode } from '../protocol/error-codes.ts';
import * as batch from '../records/batch.ts';
import type { ProducerEntry } from './producer-entry.ts';
import type { ProducerRefusal } from './producer-state.ts';

/** Stands for one check. Equal only to itself. */
export type VerificationGuard = object;

/** The first batch of a producer that wants to write. */
export interface VerificationRequest {
  readonly producerId: ProducerId;
  readonly producerEpoch: number;
  readonly baseSequence: number;
  /** The producer speaks version 2 of the transaction protocol, where every transaction has its own epoch. */
  readonly supportsEpochBump: boolean;
}

interface Verification {
  readonly guard: VerificationGuard;
  readonly supportsEpochBump: boolean;
  readonly beganMs: Timestamp;
  /** Of the batches that wait: a later one must not overtake. */
  lowestSequence: number;
  epoch: number;
}

export class TransactionVerifications {
  readonly #running = new Map<ProducerId, Verification>();

  /** Whether nobody is being checked. */
  get isIdle(): boolean {
    return this.#running.size === 0;
  }

  /** The guard of the producer's check, a new one where none is under way. */
  begin({ producerId, producerEpoch, baseSequence, supportsEpochBump }: VerificationRequest, nowMs: Timestamp): object {
    let verification = this.#running.get(producerId);
    if (verification === undefined) {
      const first = { lowestSequence: baseSequence, epoch: producerEpoch };
      verification = { guard: {}, supportsEpochBump, beganMs: nowMs, ...first };
      this.#running.set(producerId, verification);
    }
    if (producerEpoch > verification.epoch) {
      verification.epoch = producerEpoch;
      verification.lowestSequence = baseSequence;
    } else if (producerEpoch === verification.epoch && baseSequence < verification.lowestSequence) {
      verification.lowestSequence = baseSequence;
    }
    return verification.guard;
  }

  /** Whether `guard` is that of the check under way. */
  holds(producerId: ProducerId, guard: VerificationGuard | undefined): boolean {
    return guard !== undefined && this.#running.get(producerId)?.guard === guard;
  }

  /** Why a producer that is checked may not begin with the batch at `at`. */
  sequenceRefusal(bytes: Buffer, at: number, entry: ProducerEntry | undefined): ProducerRefusal | undefined {
    const producerId = batch.producerId(bytes, at);
    const verification = this.#running.get(producerId);
    if (verification === undefined) return undefined;
    const first = batch.baseSequence(bytes, at);
    const isUnknown = entry === undefined || entry.batches.length === 0;
    const lowest = verification.supportsEpochBump && isUnknown ? 0 : verification.lowestSequence;
    if (first <= lowest) return undefined;
    const message = `sequence ${first} of producer ${producerId} comes before ${lowest}, which is still to be written`;
    return { errorCode: ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER, message };
  }

  /** A transactional batch was written: its transaction is under way, or has ended. */
  written(bytes: Buffer, at: number): void {
    if (this.isIdle) return;
    const bits = batch.attributes(bytes, at);
    if (!batch.isTransactional(bits)) return;
    const producerId = batch.producerId(bytes, at);
    const verification = this.#running.get(producerId);
    if (verification === undefined) return;
    // With an epoch for each transaction, a marker of the epoch that is checked ended the transaction before it.
    const isNext = verification.supportsEpochBump && verification.epoch === batch.producerEpoch(bytes, at);
    if (!(batch.isControl(bits) && isNext)) this.#running.delete(producerId);
  }

  /** Forgets checks that never ended. */
  expire(nowMs: Timestamp, expirationMs: number): void {
    for (const [producerId, { beganMs }] of this.#running) {
      if (nowMs - beganMs >= expirationMs) this.#running.delete(producerId);
    }
  }
}
