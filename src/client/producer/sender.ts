/**
 * Moves batches from their queues to the leaders of their partitions and settles them. Works in turns: whoever changes
 * something calls `poke`, and one `drain` at the end of the turn sends all that may leave.
 *
 * With an idempotent producer several batches of a partition are under way at once, each with its place in a sequence
 * that the broker checks. A batch that is lost for good leaves a gap there; then everything that may have been written is
 * tried until the broker says whether it was, and the producer goes on with the next epoch of its id (KIP-360).
 */
import type { Timer } from '../../base/clock.ts';
import { SluiceError } from '../../base/errors.ts';
import type { BrokerId } from '../../base/units.ts';
import { produce } from '../../protocol/apis/produce.ts';
import { ErrorCode, isRetriable } from '../../protocol/error-codes.ts';
import type { BrokerConnection } from '../broker-connection.ts';
import type { Cluster } from '../cluster.ts';
import { clientClosed, mayRetry, refusedBy } from '../errors.ts';
import type { BrokerView, TopicView } from '../metadata-cache.ts';
import { backoffMs } from '../retry.ts';
import { requestIdentity } from './identity.ts';
import type { ResolvedProducerOptions } from './options.ts';
import type { PartitionQueue } from './partition-queue.ts';
import {
  type BatchOutcome,
  type Compression,
  NO_SEQUENCE,
  type PendingBatch,
  type ProducerIdentity,
} from './pending-batch.ts';
import {
  answerFor,
  isSequenceFault,
  isShortOfReplicas,
  mostProduceVersion,
  type Parcel,
  type PartitionAnswer,
  type ProduceAnswer,
  produceBody,
  refusalText,
} from './produce-request.ts';
import { isHeard, tell } from './producer-events.ts';

/** Told of every batch that ends, so that its memory can be given back. */
export type SettledListener = (batch: PendingBatch, outcome: BatchOutcome) => void;

/** A queue whose next batch may leave, and what is known of its topic in this turn. */
interface Ready {
  readonly queue: PartitionQueue;
  readonly topic: TopicView;
}

/** One broker to which batches go. */
interface Lane {
  readonly leader: BrokerId;
  connection: BrokerConnection | undefined;
  opening: boolean;
  requests: number;
  notBeforeMs: number;
  failures: number;
}

/** Grow only, but for the slowest. */
export interface SenderCounters {
  requests: number;
  /** Batches that were closed, whatever became of them. */
  batches: number;
  /** Attempts that failed and were followed by another. */
  retriedBatches: number;
  /** Batches that the broker found too large, sent again in smaller ones. */
  splitBatches: number;
  /** Of closed batches, on the wire. */
  batchBytes: number;
  /** Of closed batches, before compression. */
  uncompressedBytes: number;
  /** Time of all answered requests together. */
  requestMs: number;
  slowestRequestMs: number;
}

const LANE_NAME = 'produce';
/** Bytes of a request around its batches, generously. */
const REQUEST_OVERHEAD_BYTES = 1024;
/** How soon a socket that is full is looked at again. */
const SOCKET_LOOK_MS = 2;
/** Code of the failure of a request that did not leave. */
const NEVER_SENT = 'CHANNEL_CLOSED';
/** After this one comes another id. */
const LAST_EPOCH = 2 ** 15 - 2;

export class Sender {
  /** Batches that are handed in count as full while this is above zero. */
  flushing = 0;
  /** And while this is so: whoever waits for room waits for what lingers. */
  isShortOfRoom: () => boolean = () => false;
  readonly counters: SenderCounters = {
    requests: 0,
    batches: 0,
    retriedBatches: 0,
    splitBatches: 0,
    batchBytes: 0,
    uncompressedBytes: 0,
    requestMs: 0,
    slowestRequestMs: 0,
  };
  readonly #cluster: Cluster;
  readonly #options: ResolvedProducerOptions;
  readonly #onSettled: SettledListener;
  readonly #compression: Compression;
  /** Queues that have something to send or under way, in the order in which they get their turn. */
  readonly #active = new Set<PartitionQueue>();
  readonly #lanes = new Map<BrokerId, Lane>();
  readonly #lookUps = new Set<string>();
  #identity: ProducerIdentity | undefined;
  #identityState: 'none' | 'asked' | 'valid' | 'spent' = 'none';
  /** The broker does not accept the id any more, whatever the epoch. */
  #needsNewId = false;
  #identityNotBeforeMs = 0;
  #poked = false;
  #wake: { readonly atMs: number; readonly timer: Timer } | undefined;

  constructor(cluster: Cluster, options: ResolvedProducerOptions, onSettled: SettledListener) {
    this.#cluster = cluster;
    this.#options = options;
    this.#onSettled = onSettled;
    this.#compression = { codec: options.codec, level: options.compressionLevel };
  }

  /** Every batch that is not settled. */
  pending(): PendingBatch[] {
    return [...this.#active].flatMap((queue) => [...queue.inFlight, ...queue.waiting]);
  }

  /** Takes notice of a queue that has something to send. */
  enqueue(queue: PartitionQueue): void {
    this.#active.add(queue);
    this.poke();
  }

  poke(): void {
    if (this.#poked) return;
    this.#poked = true;
    this.#cluster.dependencies.clock.afterTurn(() => {
      this.#poked = false;
      this.#drain();
    });
  }

  /** Ends all batches that have not been acknowledged with `error`. */
  failAll(error: SluiceError): void {
    this.#wake?.timer.cancel();
    for (const queue of this.#active) {
      for (const batch of [...queue.waiting.splice(0), ...queue.inFlight])
        this.#settle(queue, batch, { ok: false, error });
    }
  }

  get #nowMs(): number {
    return this.#cluster.dependencies.clock.monotonicMs();
  }

  #drain(): void {
    if (this.#cluster.closing.aborted) this.failAll(clientClosed());
    const nowMs = this.#nowMs;
    this.#expire(nowMs);
    if (this.#active.size === 0) return;
    let wakeAtMs = this.#nextExpiryMs();
    const identified = this.#hasIdentity(nowMs);
    const parcelled = new Map<Lane, Ready[]>();
    const isHurried = this.#isHurried;
    for (const queue of this.#active) {
      // A spent identity is good for one thing: to learn what became of what was sent under it.
      if (!identified && !(this.#identityState === 'spent' && queue.isUncertain)) continue;
      const readyAtMs = queue.readyAtMs(isHurried);
      if (readyAtMs > nowMs) wakeAtMs = Math.min(wakeAtMs, readyAtMs);
      else this.#address(queue, parcelled, nowMs);
    }
    for (const [lane, ready] of parcelled) this.#load(lane, ready, identified);
    for (const lane of this.#lanes.values())
      if (lane.notBeforeMs > nowMs) wakeAtMs = Math.min(wakeAtMs, lane.notBeforeMs);
    if (!identified && this.#identityNotBeforeMs > nowMs) wakeAtMs = Math.min(wakeAtMs, this.#identityNotBeforeMs);
    this.#wakeAt(wakeAtMs);
  }

  /** Finds the lane of a queue that is ready; where the leader is unknown or not connected, sets that in motion. */
  #address(queue: PartitionQueue, parcelled: Map<Lane, Ready[]>, nowMs: number): void {
    const topic = this.#cluster.knownTopic(queue.topic);
    const leader = topic?.partitions[queue.partition]?.leader ?? -1;
    if (topic === undefined || leader < 0) {
      this.#lookUp(queue);
      return;
    }
    let lane = this.#lanes.get(leader);
    if (lane === undefined) {
      lane = { leader, connection: undefined, opening: false, requests: 0, notBeforeMs: 0, failures: 0 };
      this.#lanes.set(leader, lane);
    }
    const ready = parcelled.get(lane);
    if (lane.connection?.usable !== true) this.#open(lane, nowMs);
    else if (ready === undefined) parcelled.set(lane, [{ queue, topic }]);
    else ready.push({ queue, topic });
  }

  /** Fills requests for one broker until nothing is left or enough are under way. */
  #load(lane: Lane, ready: readonly Ready[], identified: boolean): void {
    let left = ready;
    while (left.length > 0 && this.#hasRoom(lane)) {
      const parcels: Parcel[] = [];
      const postponed: Ready[] = [];
      let bytes = REQUEST_OVERHEAD_BYTES;
      for (const each of left) {
        const { queue } = each;
        if (parcels.length > 0 && bytes + queue.waiting[0]!.bytes > this.#options.maxRequestBytes) {
          postponed.push(each);
          continue;
        }
        const parcel = this.#pack(each);
        bytes += parcel.bytes.length;
        parcels.push(parcel);
        // Who was served goes to the end, so that a busy partition does not starve the others.
        if (this.#active.size > 1) {
          this.#active.delete(queue);
          this.#active.add(queue);
        }
      }
      this.#dispatch(lane, parcels);
      if (identified) postponed.push(...parcels.filter(({ queue }) => queue.readyAtMs(this.#isHurried) <= this.#nowMs));
      left = postponed;
    }
  }

  get #isHurried(): boolean {
    return this.flushing > 0 || this.isShortOfRoom();
  }

  /** Without acknowledgements the socket is the only thing that slows a producer down. */
  #hasRoom(lane: Lane): boolean {
    if (this.#options.acks !== 0) return lane.requests < this.#options.maxInFlight;
    if (lane.connection!.queuedBytes < this.#options.maxRequestBytes * this.#options.maxInFlight) return true;
    lane.notBeforeMs = this.#nowMs + SOCKET_LOOK_MS;
    return false;
  }

  #pack({ queue, topic }: Ready): Parcel {
    const batch = queue.take();
    if (batch.open) this.#close(batch, queue);
    const bytes = batch.finish(this.#compression);
    if (this.#identity !== undefined && batch.baseSequence === NO_SEQUENCE) {
      batch.stamp(this.#identity, queue.takeSequence(batch.count));
    }
    return { queue, batch, bytes, topic };
  }

  #close(batch: PendingBatch, queue: PartitionQueue): void {
    this.counters.batches++;
    this.counters.uncompressedBytes += batch.bytes;
    const identity = this.#identity;
    // With its place known at once the checksum is computed only once.
    const place = identity === undefined ? undefined : { identity, baseSequence: queue.takeSequence(batch.count) };
    this.counters.batchBytes += batch.finish(this.#compression, place).length;
  }

  /** Sends in this turn, so that requests leave in the order in which sequences were given out. */
  #dispatch(lane: Lane, parcels: readonly Parcel[]): void {
    const connection = lane.connection!;
    const body = produceBody(parcels, this.#options);
    const options = { atMostVersion: mostProduceVersion(parcels) };
    if (this.#options.acks === 0) {
      try {
        connection.send(produce, body, options);
        for (const parcel of parcels) this.#acknowledge(parcel, -1, -1);
      } catch (error) {
        this.#lost(parcels, error);
      }
      return;
    }
    lane.requests++;
    this.counters.requests++;
    const sentMs = this.#nowMs;
    connection.request(produce, body, options).then(
      (answer) => {
        lane.requests--;
        lane.failures = 0;
        const tookMs = this.#nowMs - sentMs;
        this.counters.requestMs += tookMs;
        this.counters.slowestRequestMs = Math.max(this.counters.slowestRequestMs, tookMs);
        this.#receive(parcels, answer);
        this.poke();
      },
      (error: unknown) => {
        lane.requests--;
        this.#lost(parcels, error);
        this.poke();
      },
    );
  }

  /** The request got no answer: the batches may have been written or not. */
  #lost(parcels: readonly Parcel[], error: unknown): void {
    const failure = asSluiceError(error);
    for (const parcel of parcels) {
      this.#cluster.forgetTopic(parcel.queue.topic);
      if (failure.code !== NEVER_SENT) parcel.batch.doubt();
      if (mayRetry(failure)) this.#sendAgain(parcel, failure);
      else this.#giveUp(parcel, failure);
    }
  }

  #receive(parcels: readonly Parcel[], answer: ProduceAnswer): void {
    const endpoints = answer.nodeEndpoints.map(({ nodeId: id, host, port, rack }) => ({ id, host, port, rack }));
    for (const parcel of parcels) {
      if (parcel.batch.outcome !== undefined) continue;
      const partition = answerFor(parcel, answer);
      if (partition === undefined) {
        const error = refusedBy(ErrorCode.UNKNOWN_SERVER_ERROR, placeOf(parcel.queue), 'the answer left it out');
        this.#giveUp(parcel, error);
      } else if (partition.errorCode === ErrorCode.NONE) {
        this.#acknowledge(parcel, partition.baseOffset, partition.logAppendTimeMs);
      } else {
        this.#refused(parcel, partition, endpoints);
      }
    }
  }

  /** Whether the refusal tells who leads now (KIP-951). */
  #learnLeader(
    { topic, partition }: PartitionQueue,
    answer: PartitionAnswer,
    endpoints: readonly BrokerView[],
  ): boolean {
    const { leaderId: leader, leaderEpoch } = answer.currentLeader;
    return leader >= 0 && this.#cluster.learnLeader({ topic, partition, leader, leaderEpoch }, endpoints);
  }

  #refused(parcel: Parcel, answer: PartitionAnswer, endpoints: readonly BrokerView[]): void {
    const { queue, batch } = parcel;
    const code = answer.errorCode;
    if (code === ErrorCode.DUPLICATE_SEQUENCE_NUMBER) {
      // The broker has it already: an earlier attempt had come through and its answer was lost.
      this.#acknowledge(parcel, -1, -1);
    } else if (this.#identity !== undefined && isSequenceFault(code)) {
      this.#refusedSequence(parcel, answer);
    } else if (isRetriable(code)) {
      // A leader that was deposed, or waited for replicas in vain, had written it; what becomes of that is open.
      if (code !== ErrorCode.NOT_ENOUGH_REPLICAS) batch.doubt();
      if (!isShortOfReplicas(code) && !this.#learnLeader(queue, answer, endpoints))
        this.#cluster.forgetTopic(queue.topic);
      this.#sendAgain(parcel, refusedBy(code, placeOf(queue)));
    } else if (code === ErrorCode.MESSAGE_TOO_LARGE && batch.count > 1) {
      this.#split(parcel, refusedBy(code, placeOf(queue), refusalText(answer)));
    } else {
      this.#giveUp(parcel, refusedBy(code, placeOf(queue), refusalText(answer)));
    }
  }

  /** Behind a batch that failed this is only its echo; in front it means that the broker's memory and ours differ. */
  #refusedSequence(parcel: Parcel, answer: PartitionAnswer): void {
    const { queue, batch } = parcel;
    const code = answer.errorCode;
    const isEcho = code === ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER && queue.hasEarlier(batch);
    if (code !== ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER) this.#needsNewId = true;
    if (!isEcho) this.#identityState = 'spent';
    // This leader does not have it; one from before may, and lead again: sent under another identity it would be there twice.
    if (!isEcho && batch.everUncertain) {
      this.#giveUp(parcel, refusedBy(code, placeOf(queue), 'an earlier attempt may have been written'));
      return;
    }
    if (!isEcho) batch.uncertain = false;
    this.#sendAgain(parcel, refusedBy(code, placeOf(queue)));
  }

  /** Sends halves of a batch that is larger than the topic allows (KIP-126), and makes no such large ones there any more. */
  #split({ queue, batch }: Parcel, error: SluiceError): void {
    this.counters.splitBatches++;
    const { topic, partition } = queue;
    if (isHeard('retried')) tell('retried', { topic, partition, records: batch.count, error });
    const halfBytes = batch.plainBytes >> 1;
    queue.batchBytes = Math.min(queue.batchBytes, halfBytes);
    const parts = batch.split(this.#compression, halfBytes);
    if (batch.baseSequence !== NO_SEQUENCE) queue.divideSequence(batch, parts, this.#identity!);
    queue.giveBack(batch, parts);
  }

  #sendAgain({ queue, batch }: Parcel, error: SluiceError): void {
    if (batch.outcome !== undefined) return;
    this.counters.retriedBatches++;
    const { topic, partition } = queue;
    if (isHeard('retried')) tell('retried', { topic, partition, records: batch.count, error });
    queue.giveBack(batch);
    queue.failures++;
    const { options, dependencies } = this.#cluster;
    queue.notBeforeMs = this.#nowMs + backoffMs(options.backoff, queue.failures, dependencies.random);
  }

  #acknowledge({ queue, batch }: Parcel, baseOffset: number, appendTimestamp: number): void {
    queue.acknowledged();
    this.#settle(queue, batch, { ok: true, baseOffset, appendTimestamp });
  }

  #giveUp({ queue, batch }: Parcel, error: SluiceError): void {
    if (batch.outcome !== undefined) return;
    if (batch.baseSequence !== NO_SEQUENCE) this.#identityState = 'spent';
    this.#settle(queue, batch, { ok: false, error });
  }

  #settle(queue: PartitionQueue, batch: PendingBatch, outcome: BatchOutcome): void {
    queue.inFlight.delete(batch);
    if (queue.idle) this.#active.delete(queue);
    if (batch.outcome !== undefined) return;
    batch.settle(outcome);
    this.#onSettled(batch, outcome);
    if (isHeard(outcome.ok ? 'acknowledged' : 'failed')) tellOutcome(queue, batch, outcome);
  }

  /** Ends waiting batches whose time is up. What is under way ends with its request. */
  #expire(nowMs: number): void {
    const { deliveryTimeoutMs } = this.#options;
    for (const queue of this.#active) {
      while (queue.waiting.length > 0 && queue.waiting[0]!.openedAtMs + deliveryTimeoutMs <= nowMs) {
        const batch = queue.waiting.shift()!;
        const message = `records for ${placeOf(queue)} were not acknowledged within ${deliveryTimeoutMs} ms`;
        const remedy = 'Check that the leader of the partition can be reached, or raise deliveryTimeoutMs.';
        const error = new SluiceError('DELIVERY_TIMED_OUT', message, { retriable: true, remedy });
        if (batch.baseSequence !== NO_SEQUENCE) this.#identityState = 'spent';
        this.#settle(queue, batch, { ok: false, error });
      }
    }
  }

  #nextExpiryMs(): number {
    let atMs = Infinity;
    for (const queue of this.#active) {
      const first = queue.waiting[0];
      if (first !== undefined) atMs = Math.min(atMs, first.openedAtMs + this.#options.deliveryTimeoutMs);
    }
    return atMs;
  }

  /** Whether batches may leave as far as the producer id is concerned; where not, sets that in motion. */
  #hasIdentity(nowMs: number): boolean {
    if (!this.#options.idempotent || this.#identityState === 'valid') return true;
    if (this.#identityState === 'asked' || this.#identityNotBeforeMs > nowMs) return false;
    for (const queue of this.#active) if (queue.inFlight.size > 0 || queue.isUncertain) return false;
    const known = this.#identity;
    if (known !== undefined && !this.#needsNewId && known.epoch < LAST_EPOCH) {
      this.#renew({ id: known.id, epoch: known.epoch + 1 });
      return true;
    }
    this.#identityState = 'asked';
    requestIdentity(this.#cluster).then(
      (identity) => {
        this.#renew(identity);
        this.poke();
      },
      (error: unknown) => {
        this.#identityState = 'none';
        this.#identityNotBeforeMs = this.#nowMs + this.#cluster.options.backoff.mostMs;
        if (!mayRetry(error)) this.failAll(asSluiceError(error));
        this.poke();
      },
    );
    return false;
  }

  /** Goes on under another identity: nothing is under way now, and all that waits is numbered from 0. */
  #renew(identity: ProducerIdentity): void {
    this.#identity = identity;
    this.#identityState = 'valid';
    this.#needsNewId = false;
    this.onRenewed?.();
    for (const queue of this.#active) {
      for (const batch of queue.waiting) {
        if (batch.baseSequence !== NO_SEQUENCE) batch.stamp(identity, queue.takeSequence(batch.count));
      }
    }
  }

  /** Called before waiting batches are numbered anew: every queue, idle ones too, starts its sequence again. */
  onRenewed: (() => void) | undefined;

  #lookUp(queue: PartitionQueue): void {
    const { topic } = queue;
    if (this.#lookUps.has(topic)) return;
    this.#lookUps.add(topic);
    const failed = (failure: unknown): void => {
      this.#lookUps.delete(topic);
      for (const each of this.#active) {
        if (each.topic !== topic) continue;
        each.notBeforeMs = Math.max(each.notBeforeMs, this.#nowMs + this.#cluster.options.backoff.firstMs);
        if (failure !== undefined && !mayRetry(failure)) this.#dropQueue(each, asSluiceError(failure));
      }
      this.poke();
    };
    this.#cluster.forgetTopic(topic);
    this.#cluster.topic(topic, { create: this.#options.createTopics }).then((view: TopicView) => {
      if (view.partitions.some(({ leader }) => leader < 0)) failed(undefined);
      this.#lookUps.delete(topic);
      this.poke();
    }, failed);
  }

  #dropQueue(queue: PartitionQueue, error: SluiceError): void {
    for (const batch of queue.waiting.splice(0)) {
      if (batch.baseSequence !== NO_SEQUENCE) this.#identityState = 'spent';
      this.#settle(queue, batch, { ok: false, error });
    }
  }

  #open(lane: Lane, nowMs: number): void {
    if (lane.opening || lane.notBeforeMs > nowMs) return;
    lane.opening = true;
    this.#cluster.connection(lane.leader, LANE_NAME).then(
      (connection) => {
        lane.opening = false;
        lane.connection = connection;
        this.poke();
      },
      (error: unknown) => {
        lane.opening = false;
        lane.failures++;
        this.#cluster.onTrouble?.(error);
        const { options, dependencies } = this.#cluster;
        lane.notBeforeMs = this.#nowMs + backoffMs(options.backoff, lane.failures, dependencies.random);
        // Leadership moves away from a broker that is gone.
        for (const queue of this.#active) this.#cluster.forgetTopic(queue.topic);
        this.poke();
      },
    );
  }

  #wakeAt(atMs: number): void {
    if (this.#wake !== undefined) {
      // One that comes earlier does no harm, and spares a timer a record where they are sent one by one.
      if (this.#wake.atMs <= atMs && atMs !== Infinity) return;
      this.#wake.timer.cancel();
      this.#wake = undefined;
    }
    if (atMs === Infinity) return;
    const wake = (): void => {
      this.#wake = undefined;
      this.poke();
    };
    const delayMs = Math.max(1, Math.ceil(atMs - this.#nowMs));
    this.#wake = { atMs, timer: this.#cluster.dependencies.clock.after(delayMs, wake, { holdsProcess: true }) };
  }
}

function tellOutcome(
  { topic, partition }: PartitionQueue,
  { count: records }: PendingBatch,
  outcome: BatchOutcome,
): void {
  if (outcome.ok) tell('acknowledged', { topic, partition, records, baseOffset: outcome.baseOffset });
  else tell('failed', { topic, partition, records, error: outcome.error });
}

function placeOf(queue: PartitionQueue): string {
  return `${queue.topic}-${queue.partition}`;
}

function asSluiceError(error: unknown): SluiceError {
  if (error instanceof SluiceError) return error;
  return new SluiceError('UNEXPECTED', 'sending failed', { cause: error, remedy: 'Look at the cause.' });
}
