/**
 * The other brokers' end of the metadata stream: follows whoever is the active controller, from snapshot to snapshot and
 * record to record, and tells each new state. Never goes back to an earlier epoch. Where the controller is, and what to do
 * when it is gone, is for the quorum to know.
 */
import type { Clock, Timer } from '../../base/clock.ts';
import { messageOf, SluiceError, systemErrorCode } from '../../base/errors.ts';
import type { Logger } from '../../base/logger.ts';
import type { BrokerId, LeaderEpoch, Offset } from '../../base/units.ts';
import { METADATA_TOPIC_UUID } from '../../base/uuid.ts';
import type { Channel } from '../../network/channel.ts';
import { fetch } from '../../protocol/apis/fetch.ts';
import { fetchSnapshot } from '../../protocol/apis/fetch-snapshot.ts';
import { ErrorCode, errorName } from '../../protocol/error-codes.ts';
import * as batch from '../../records/batch.ts';
import { matchesChecksum, wholeBatchBytes } from '../../records/bounds.ts';
import type { MetadataDelta } from '../delta.ts';
import { applyRecords, type MetadataImage } from '../image.ts';
import { imageDifference } from '../image-difference.ts';
import { TransactionFilter, unpack } from '../quorums/metadata-batches.ts';
import { METADATA_TOPIC } from '../quorums/metadata-log.ts';
import { decodeSnapshot, type SnapshotId } from '../quorums/snapshot-file.ts';
import type { MetadataRecord } from '../records.ts';

export interface StreamFollowerOptions {
  readonly brokerId: BrokerId;
  /** What this broker is registered with now, -1 before: the controller sees by it who follows. */
  readonly brokerEpoch: () => number;
}

export interface StreamFollowerDependencies {
  readonly clock: Clock;
  readonly logger: Logger;
  /** A connection to the active controller; undefined where none is known now. Rejects as `connect` of network/ does. */
  readonly connect: () => Promise<Channel | undefined>;
  /** Each new state, in order. */
  readonly onChange: (image: MetadataImage, delta: MetadataDelta) => void;
  /** The controller could not be reached: its host is there and nobody listens (`refused`), or anything else. */
  readonly onUnreachable?: (refused: boolean) => void;
}

/** Longest wait of the controller for news. An answer that takes much longer than this means that it hangs. */
const MAX_WAIT_MS = 1000;
const REQUEST_TIMEOUT_MS = 4000;
const MAX_BYTES = 8 * 2 ** 20;
const FIRST_BACKOFF_MS = 20;
const LONGEST_BACKOFF_MS = 500;

const FETCH_VERSION = fetch.request.versions.to;
const FETCH_SNAPSHOT_VERSION = fetchSnapshot.request.versions.to;

export class StreamFollower {
  readonly #options: StreamFollowerOptions;
  readonly #dependencies: StreamFollowerDependencies;
  #image: MetadataImage;
  #channel: Channel | undefined;
  #running = false;
  /** When a controller answered last, as one that is in office. */
  #answeredMs = Number.NEGATIVE_INFINITY;
  #loop: Promise<void> = Promise.resolve();
  #endPause: () => void = () => undefined;
  #heardMs: number;

  /** Follows from `image` on. */
  constructor(
    options: StreamFollowerOptions & { readonly image: MetadataImage },
    dependencies: StreamFollowerDependencies,
  ) {
    this.#options = options;
    this.#dependencies = dependencies;
    this.#image = options.image;
    this.#heardMs = dependencies.clock.monotonicMs();
  }

  /** For how long nothing came from where the controller is, not even that nobody listens there. */
  silentMs(): number {
    return this.#dependencies.clock.monotonicMs() - this.#heardMs;
  }

  get image(): MetadataImage {
    return this.#image;
  }

  /** Whether a controller has answered of late. */
  get hears(): boolean {
    return this.#dependencies.clock.monotonicMs() - this.#answeredMs < 2 * MAX_WAIT_MS;
  }

  /** Begins to follow, until `stop`. */
  start(): void {
    if (this.#running) return;
    this.#running = true;
    this.#loop = this.#follow();
  }

  /** Somebody else may be the active controller now: looks again at once. */
  relocate(): void {
    void this.#channel?.close();
    this.#endPause();
  }

  #heard(): void {
    this.#heardMs = this.#dependencies.clock.monotonicMs();
  }

  /** Resolves once no further state will be told. */
  async stop(): Promise<void> {
    this.#running = false;
    this.relocate();
    await this.#loop;
  }

  async #follow(): Promise<void> {
    const { logger, onUnreachable } = this.#dependencies;
    let backoffMs = FIRST_BACKOFF_MS;
    while (this.#running) {
      try {
        this.#channel = await this.#dependencies.connect();
        this.#heard();
        if (this.#channel !== undefined && this.#running) {
          await this.#fetchFrom(this.#channel, () => {
            backoffMs = FIRST_BACKOFF_MS;
          });
        }
      } catch (error) {
        if (!this.#running) break;
        logger.debug('the metadata stream was interrupted', { reason: messageOf(error) });
        if (!isSilence(error)) this.#heard();
        if (error instanceof SluiceError && error.code === 'BROKER_UNREACHABLE') onUnreachable?.(isRefused(error));
      }
      void this.#channel?.close();
      this.#channel = undefined;
      if (this.#running) await this.#pause(backoffMs);
      backoffMs = Math.min(2 * backoffMs, LONGEST_BACKOFF_MS);
    }
    void this.#channel?.close();
  }

  #pause(delayMs: number): Promise<void> {
    return new Promise((resolve) => {
      let timer: Timer | undefined;
      this.#endPause = () => {
        timer?.cancel();
        resolve();
      };
      timer = this.#dependencies.clock.after(delayMs, resolve);
    });
  }

  /** Returns where the controller has nothing for us any more; throws where that is its or the network's failure. */
  async #fetchFrom(channel: Channel, onProgress: () => void): Promise<void> {
    while (this.#running) {
      const { responses, errorCode } = await channel.request(fetch, FETCH_VERSION, this.#request(), {
        timeoutMs: REQUEST_TIMEOUT_MS,
      });
      this.#heard();
      if (!this.#running) return;
      const answer = responses[0]?.partitions[0];
      if (errorCode !== ErrorCode.NONE) throw refused(errorCode);
      if (answer === undefined)
        throw new SluiceError('MALFORMED_RESPONSE', 'the controller told nothing of its stream');
      if (answer.errorCode === ErrorCode.NOT_LEADER_OR_FOLLOWER) {
        this.#answeredMs = Number.NEGATIVE_INFINITY;
        return;
      }
      if (answer.errorCode !== ErrorCode.NONE) throw refused(answer.errorCode);
      this.#answeredMs = this.#dependencies.clock.monotonicMs();
      onProgress();
      const { epoch, endOffset } = answer.snapshotId;
      if (endOffset >= 0) await this.#load(channel, { offset: endOffset, epoch });
      else if (answer.records !== null) this.#apply(answer.records);
    }
  }

  #request() {
    const { brokerId, brokerEpoch } = this.#options;
    const { offset, epoch, clusterId } = this.#image;
    const partition = {
      partition: 0,
      currentLeaderEpoch: -1,
      fetchOffset: offset + 1,
      lastFetchedEpoch: offset < 0 ? -1 : epoch,
      logStartOffset: -1,
      partitionMaxBytes: MAX_BYTES,
    };
    return {
      clusterId,
      replicaState: { replicaId: brokerId, replicaEpoch: brokerEpoch() },
      maxWaitMs: MAX_WAIT_MS,
      minBytes: 1,
      maxBytes: MAX_BYTES,
      topics: [{ topic: METADATA_TOPIC, topicId: METADATA_TOPIC_UUID, partitions: [partition] }],
      forgottenTopicsData: [],
    };
  }

  #apply(records: Buffer): void {
    const filter = new TransactionFilter();
    const applied: MetadataRecord[] = [];
    let last: { readonly offset: Offset; readonly epoch: LeaderEpoch } | undefined;
    for (let at = 0; at < records.length; ) {
      const size = wholeBatchBytes(records, at);
      if (size <= 0 || !matchesChecksum(records, at)) throw damaged('a damaged batch');
      if (batch.baseOffset(records, at) !== (last?.offset ?? this.#image.offset) + 1) throw damaged('a gap');
      if (!batch.isControl(batch.attributes(records, at))) applied.push(...filter.pass(unpack(records, at)));
      last = { offset: batch.lastOffset(records, at), epoch: batch.leaderEpoch(records, at) };
      at += size;
    }
    if (last === undefined) return;
    if (filter.open) throw damaged('half of a change');
    const { image, delta } = applyRecords(this.#image, applied, last.offset, last.epoch);
    this.#image = image;
    this.#dependencies.onChange(image, delta);
  }

  async #load(channel: Channel, id: SnapshotId): Promise<void> {
    if (id.epoch < this.#image.epoch) {
      throw new SluiceError('STALE_CONTROLLER', `the controller of epoch ${id.epoch} is one of the past`);
    }
    const parts: Buffer[] = [];
    let position = 0;
    for (;;) {
      const part = await this.#fetchSnapshotPart(channel, id, position);
      if (!this.#running) return;
      parts.push(part.bytes);
      position += part.bytes.length;
      if (position >= part.size) break;
      if (part.bytes.length === 0) throw damaged('an empty piece of a snapshot');
    }
    const { image } = decodeSnapshot(Buffer.concat(parts), id, this.#image.clusterId);
    const delta = imageDifference(this.#image, image);
    this.#dependencies.logger.info('metadata snapshot loaded', { offset: id.offset, epoch: id.epoch });
    this.#image = image;
    this.#dependencies.onChange(image, delta);
  }

  async #fetchSnapshotPart(
    channel: Channel,
    id: SnapshotId,
    position: number,
  ): Promise<{ readonly bytes: Buffer; readonly size: number }> {
    const wanted = {
      partition: 0,
      currentLeaderEpoch: id.epoch,
      snapshotId: { endOffset: id.offset, epoch: id.epoch },
      position,
    };
    const { brokerId } = this.#options;
    const { topics, errorCode } = await channel.request(
      fetchSnapshot,
      FETCH_SNAPSHOT_VERSION,
      {
        clusterId: this.#image.clusterId,
        replicaId: brokerId,
        maxBytes: MAX_BYTES,
        topics: [{ name: METADATA_TOPIC, partitions: [wanted] }],
      },
      { timeoutMs: REQUEST_TIMEOUT_MS },
    );
    if (errorCode !== ErrorCode.NONE) throw refused(errorCode);
    const answer = topics[0]?.partitions[0];
    if (answer === undefined) throw damaged('no answer for a snapshot');
    if (answer.errorCode !== ErrorCode.NONE) throw refused(answer.errorCode);
    return { bytes: answer.unalignedRecords ?? Buffer.alloc(0), size: answer.size };
  }
}

function refused(errorCode: number): SluiceError {
  const name = errorName(errorCode);
  return new SluiceError(name, `the controller refused to tell its metadata: ${name}`, { retriable: true });
}

function damaged(what: string): SluiceError {
  return new SluiceError('CORRUPT_METADATA', `the metadata stream had ${what}`, { retriable: true });
}

/** Whether nothing came back: its host may be gone, or the way to it. */
function isSilence(error: unknown): boolean {
  if (!(error instanceof SluiceError)) return false;
  return error.code === 'REQUEST_TIMED_OUT' || (error.code === 'BROKER_UNREACHABLE' && !isRefused(error));
}

/** Nobody listens where the controller did: its process is gone, or its port. */
function isRefused(error: SluiceError): boolean {
  return systemErrorCode(error.cause) === 'ECONNREFUSED';
}
