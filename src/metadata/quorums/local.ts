/**
 * The metadata quorum of a single node: this node leads, and its disk is all the durability there is. Appends are
 * written at once, synced in groups and applied in order. Now and then the image is written as a snapshot, and what the
 * log holds before the snapshot kept longest is deleted.
 */

import { join } from 'node:path';
import { assert } from '../../base/assert.ts';
import type { Timer } from '../../base/clock.ts';
import { makeDurableDirectory } from '../../base/durable-directory.ts';
import { messageOf, SluiceError } from '../../base/errors.ts';
import type { BrokerId, LeaderEpoch, Offset, Timestamp } from '../../base/units.ts';
import { ControlType } from '../../records/control.ts';
import type { Log, LogDependencies } from '../../storage/log.ts';
import { featureRecords } from '../first-records.ts';
import { applyRecords, emptyImage, type MetadataImage } from '../image.ts';
import type { MetadataListener, MetadataQuorum } from '../quorum.ts';
import { METADATA_VERSION_FEATURE, type MetadataRecord, newRecord } from '../records.ts';
import { RecordStream } from '../stream/record-stream.ts';
import { controlBatch, packAtomic } from './metadata-batches.ts';
import { metadataLogDirectory, openMetadataLog, replayLog } from './metadata-log.ts';
import { NO_FACTS, type QuorumFacts } from './quorum-facts.ts';
import { readQuorumState, writeQuorumState } from './quorum-state.ts';
import {
  encodeSnapshot,
  type LoadedSnapshot,
  listSnapshots,
  loadSnapshot,
  removeSnapshot,
  type SnapshotId,
  snapshotFileName,
} from './snapshot-file.ts';
import { subscribeTo } from './subscriptions.ts';

export interface LocalQuorumOptions {
  /** Kafka's metadata.log.dir; the log lies in `__cluster_metadata-0` inside. */
  readonly directory: string;
  readonly nodeId: BrokerId;
  readonly clusterId: string;
  /** metadata.log.segment.bytes and .ms. */
  readonly segmentBytes?: number;
  readonly segmentMs?: number;
  /** metadata.log.max.record.bytes.between.snapshots. */
  readonly snapshotAfterBytes?: number;
  /** metadata.log.max.snapshot.interval.ms; 0 for no limit in time. */
  readonly snapshotAfterMs?: number;
  /** What a new cluster begins with; left out, the features that are always there. */
  readonly firstRecords?: readonly MetadataRecord[];
  /** Largest record batch; only tests set it. */
  readonly maxBatchBytes?: number;
  /** The log or a listener failed: nothing can be written any more, and the node should stop. */
  readonly onFailure?: (error: Error) => void;
}

export type LocalQuorumDependencies = LogDependencies;

const GIBIBYTE = 2 ** 30;
const WEEK_MS = 604_800_000;
const DEFAULT_SNAPSHOT_BYTES = 20 * 2 ** 20;
const HOUR_MS = 3_600_000;
/** The newest, and one to fall back to where that is damaged. */
const SNAPSHOTS_KEPT = 2;
/** How often age is looked at. */
const SNAPSHOT_CHECK_MS = 60_000;

/** An append that is written and not yet committed. */
interface InFlight {
  readonly records: readonly MetadataRecord[];
  readonly lastOffset: Offset;
  readonly bytes: Buffer;
  readonly timestamp: Timestamp;
  readonly resolve: (offset: Offset) => void;
  readonly reject: (error: Error) => void;
}

export class LocalQuorum implements MetadataQuorum {
  readonly stream: RecordStream;
  readonly #options: Required<Omit<LocalQuorumOptions, 'onFailure'>>;
  readonly #onFailure: (error: Error) => void;
  readonly #dependencies: LocalQuorumDependencies;
  readonly #directory: string;
  readonly #listeners = new Set<MetadataListener>();
  readonly #inFlight: InFlight[] = [];
  #image: MetadataImage;
  #facts: QuorumFacts = NO_FACTS;
  #epoch: LeaderEpoch = 0;
  #log: Log | undefined;
  /** Set for good when the log cannot be trusted any more, and in passing when one append could not be written. */
  #refusal: SluiceError | undefined;
  #failed = false;
  #lastCommit: Promise<unknown> = Promise.resolve();
  #lastTimestamp: Timestamp = 0;
  /** Bytes and time since the newest snapshot. */
  #unsavedBytes = 0;
  #snapshotMs = 0;
  #snapshotRunning: Promise<void> | undefined;
  #timer: Timer | undefined;
  /** Ends the pause of a snapshot that is being written. */
  #resume: () => void = () => undefined;
  #closing = false;

  constructor(options: LocalQuorumOptions, dependencies: LocalQuorumDependencies) {
    const { onFailure, ...rest } = options;
    this.#options = {
      segmentBytes: GIBIBYTE,
      segmentMs: WEEK_MS,
      snapshotAfterBytes: DEFAULT_SNAPSHOT_BYTES,
      snapshotAfterMs: HOUR_MS,
      firstRecords: featureRecords(),
      maxBatchBytes: 8 * 2 ** 20,
      ...rest,
    };
    this.#onFailure = onFailure ?? (() => undefined);
    this.#dependencies = dependencies;
    this.#directory = metadataLogDirectory(options.directory);
    this.#image = emptyImage(options.clusterId);
    this.stream = new RecordStream({}, dependencies);
  }

  async start(): Promise<void> {
    const { fileSystem } = this.#dependencies;
    makeDurableDirectory(this.#directory, fileSystem);
    const state = readQuorumState(this.#directory, fileSystem);
    const snapshots = listSnapshots(this.#directory, fileSystem);
    const loaded = this.#loadNewest(snapshots);
    const { offset } = loaded.image;
    this.#log = await openMetadataLog(
      {
        directory: this.#directory,
        segmentBytes: this.#options.segmentBytes,
        segmentMs: this.#options.segmentMs,
        recoveryPoint: offset + 1,
      },
      this.#dependencies,
    );
    if (this.#log.endOffset <= offset) this.#log.truncateFullyAndStartAt(offset + 1);
    if (this.#log.startOffset > offset + 1) {
      throw new SluiceError('CORRUPT_METADATA', `${this.#directory} has no snapshot up to the start of its log`, {
        remedy: 'Restore the directory from a copy.',
      });
    }
    const { image, lastContainedMs: timestamp, facts } = loaded;
    const replayed = await replayLog(this.#log, { image, timestamp, facts });
    this.#facts = replayed.facts;
    this.#image = replayed.image;
    this.#lastTimestamp = replayed.timestamp;
    this.#unsavedBytes = replayed.bytes;
    await this.#lead(Math.max(state?.leaderEpoch ?? 0, this.#log.latestEpoch), replayed.openTransaction);
    this.#snapshotMs = this.#dependencies.clock.monotonicMs();
    this.#timer = this.#dependencies.clock.every(SNAPSHOT_CHECK_MS, () => this.#snapshotIfDue());
    this.#snapshotIfDue();
  }

  /** The newest snapshot that can be read; an older one plus more of the log makes the same image. */
  #loadNewest(ids: readonly SnapshotId[]): LoadedSnapshot {
    const { fileSystem, logger } = this.#dependencies;
    const { clusterId } = this.#options;
    for (const id of ids) {
      try {
        return loadSnapshot({ directory: this.#directory, id, clusterId }, fileSystem);
      } catch (error) {
        if (!(error instanceof SluiceError) || error.code !== 'CORRUPT_METADATA') throw error;
        logger.warn('a metadata snapshot is damaged; going on without it', { error: error.message });
        fileSystem.rename(
          join(this.#directory, snapshotFileName(id)),
          join(this.#directory, `${snapshotFileName(id)}.damaged`),
        );
      }
    }
    return { image: emptyImage(clusterId), lastContainedMs: 0, facts: NO_FACTS };
  }

  /** Begins an epoch above all before: on record in the vote file first, then in the log. */
  async #lead(lastEpoch: LeaderEpoch, openTransaction: boolean): Promise<void> {
    const log = this.#openLog();
    const { nodeId } = this.#options;
    this.#epoch = lastEpoch + 1;
    writeQuorumState(this.#directory, { leaderId: nodeId, leaderEpoch: this.#epoch }, this.#dependencies.fileSystem);
    const timestamp = this.#dependencies.clock.wallMs();
    const leader = {
      version: 0,
      leaderId: nodeId,
      voters: [{ voterId: nodeId }],
      grantingVoters: [{ voterId: nodeId }],
    };
    const place = { baseOffset: log.endOffset, epoch: this.#epoch, timestamp };
    this.#write(controlBatch(ControlType.LEADER_CHANGE, leader, place));
    const first: MetadataRecord[] = [];
    if (openTransaction) first.push(newRecord('abortTransaction', { reason: 'the controller stopped in its midst' }));
    if (!this.#image.features.has(METADATA_VERSION_FEATURE)) {
      first.push(...this.#options.firstRecords);
    }
    if (first.length > 0) this.#write(packAtomic(first, { ...place, baseOffset: log.endOffset }).bytes);
    await log.flush();
    const records = first.filter(({ kind }) => kind !== 'abortTransaction');
    this.#image = applyRecords(this.#image, records, log.endOffset - 1, this.#epoch).image;
    log.updateHighWatermark(log.endOffset);
    this.stream.open(this.#image, this.#epoch);
  }

  image(): MetadataImage {
    return this.#image;
  }

  isActiveController(): boolean {
    return this.#log !== undefined && !this.#failed;
  }

  controllerId(): BrokerId {
    return this.#log === undefined ? -1 : this.#options.nodeId;
  }

  controllerEpoch(): LeaderEpoch {
    return this.#epoch;
  }

  controllerAddress(): undefined {
    return undefined;
  }

  /** The only node leads as long as it runs. */
  onRole(): () => void {
    return () => undefined;
  }

  subscribe(listener: MetadataListener): () => void {
    return subscribeTo(this.#listeners, listener);
  }

  append(records: readonly MetadataRecord[]): Promise<Offset> {
    assert(records.length > 0, 'an append has records');
    if (this.#refusal !== undefined) return this.#rejectInOrder(this.#refusal);
    const log = this.#log;
    if (log === undefined) return Promise.reject(notStarted());
    const timestamp = this.#dependencies.clock.wallMs();
    const place = { baseOffset: log.endOffset, epoch: this.#epoch, timestamp };
    let bytes: Buffer;
    try {
      bytes = packAtomic(records, place, this.#options.maxBatchBytes).bytes;
      this.#write(bytes);
    } catch (error) {
      return this.#refuseUntilTold(writeFailed(error));
    }
    const lastOffset = log.endOffset - 1;
    const commit = new Promise<Offset>((resolve, reject) => {
      this.#inFlight.push({ records, lastOffset, bytes, timestamp, resolve, reject });
    });
    this.#lastCommit = commit.catch(() => undefined);
    log.flush().then(
      () => this.#commit(),
      (error: unknown) => this.#fail(writeFailed(error)),
    );
    return commit;
  }

  /**
   * One append could not be written (no space). Those before it still commit, and it is refused after them; until its
   * caller knows, whatever else is appended was decided in sight of it and is refused too.
   */
  #refuseUntilTold(error: SluiceError): Promise<never> {
    this.#refusal = error;
    const told = this.#rejectInOrder(error);
    const forget = (): void => {
      if (!this.#failed) this.#refusal = undefined;
    };
    told.catch(() => this.#dependencies.clock.after(0, forget));
    return told;
  }

  #rejectInOrder(error: SluiceError): Promise<never> {
    return this.#lastCommit.then(() => {
      throw error;
    });
  }

  /** Throws where nothing was written. */
  #write(bytes: Buffer): void {
    const outcome = this.#openLog().appendAsFollower(bytes);
    if (!outcome.ok) throw new Error(outcome.message);
  }

  #openLog(): Log {
    if (this.#log === undefined) throw notStarted();
    return this.#log;
  }

  /** Applies what has become durable, in order, and tells. */
  #commit(): void {
    const log = this.#openLog();
    try {
      while (this.#inFlight.length > 0 && this.#inFlight[0]!.lastOffset < log.recoveryPoint && !this.#failed) {
        const { records, lastOffset, bytes, timestamp, resolve } = this.#inFlight[0]!;
        const { image, delta } = applyRecords(this.#image, records, lastOffset, this.#epoch);
        this.#image = image;
        this.#lastTimestamp = timestamp;
        this.#unsavedBytes += bytes.length;
        log.updateHighWatermark(lastOffset + 1);
        this.stream.publish(bytes, image);
        for (const listener of this.#listeners) listener(delta, image);
        this.#inFlight.shift();
        resolve(lastOffset);
      }
    } catch (error) {
      this.#fail(writeFailed(error));
    }
    this.#snapshotIfDue();
  }

  /** Nothing is certain any more: all that waits is refused, and all that comes. */
  #fail(error: SluiceError): void {
    if (this.#failed) return;
    this.#failed = true;
    this.#refusal = error;
    this.stream.close();
    this.#dependencies.logger.error('the metadata log failed; the cluster can no longer be changed', {
      error: error.message,
    });
    for (const { reject } of this.#inFlight.splice(0)) reject(error);
    this.#onFailure(error);
  }

  #snapshotIfDue(): void {
    const { snapshotAfterBytes, snapshotAfterMs } = this.#options;
    const ageMs = this.#dependencies.clock.monotonicMs() - this.#snapshotMs;
    const due =
      this.#unsavedBytes >= snapshotAfterBytes ||
      (snapshotAfterMs > 0 && this.#unsavedBytes > 0 && ageMs >= snapshotAfterMs);
    if (!due || this.#failed || this.#closing || this.#snapshotRunning !== undefined) return;
    this.#snapshotRunning = this.#snapshot()
      .catch((error: unknown) => {
        this.#dependencies.logger.warn('a metadata snapshot could not be written', { error: messageOf(error) });
      })
      .finally(() => {
        this.#snapshotRunning = undefined;
        this.#snapshotIfDue();
      });
  }

  /** Writes the image of now, then deletes what it makes superfluous. */
  async #snapshot(): Promise<void> {
    const { clock, fileSystem, logger } = this.#dependencies;
    const image = this.#image;
    const id = { offset: image.offset + 1, epoch: image.epoch };
    this.#unsavedBytes = 0;
    this.#snapshotMs = clock.monotonicMs();
    const times = { nowMs: clock.wallMs(), lastContainedMs: this.#lastTimestamp };
    const content = await encodeSnapshot({ image, facts: this.#facts }, times, () => this.#pause());
    await fileSystem.replaceFileAsync(join(this.#directory, snapshotFileName(id)), content);
    logger.info('metadata snapshot written', { offset: id.offset, bytes: content.length });
    const kept = listSnapshots(this.#directory, fileSystem);
    for (const old of kept.splice(SNAPSHOTS_KEPT)) removeSnapshot(this.#directory, old, fileSystem);
    const log = this.#openLog();
    // The log goes by whole segments: one that begins here can be the oldest after the next snapshot.
    log.roll();
    if (kept.length < SNAPSHOTS_KEPT) return;
    log.advanceStartOffset(kept.at(-1)!.offset);
    log.applyRetention(clock.wallMs());
  }

  /** Lets others have a turn. A closing quorum has no time for that: no timer may be what a stop waits for. */
  #pause(): Promise<void> {
    if (this.#closing) return Promise.resolve();
    return new Promise((resolve) => {
      this.#resume = resolve;
      this.#dependencies.clock.after(0, resolve);
    });
  }

  async close(): Promise<void> {
    this.#closing = true;
    this.#timer?.cancel();
    this.stream.close();
    this.#resume();
    await this.#lastCommit;
    await this.#snapshotRunning;
    const log = this.#log;
    this.#log = undefined;
    if (log === undefined) return;
    if (this.#failed) log.abandon();
    else await log.close();
  }
}

function notStarted(): SluiceError {
  return new SluiceError('NOT_CONTROLLER', 'the metadata quorum is not running', { retriable: true });
}

function writeFailed(error: unknown): SluiceError {
  return new SluiceError('METADATA_WRITE_FAILED', `the metadata log cannot be written: ${messageOf(error)}`, {
    cause: error,
  });
}
