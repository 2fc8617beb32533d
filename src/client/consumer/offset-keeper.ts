/** Finds where partitions begin, and commits how far they are. Owns what is under way of both; no position. */
import type { Timer } from '../../base/clock.ts';
import { SluiceError } from '../../base/errors.ts';
import { type LeaderEpoch, type Offset, partitionName, type TopicPartition } from '../../base/units.ts';
import { ErrorCode } from '../../protocol/error-codes.ts';
import type { Cluster } from '../cluster.ts';
import { mayRetry, refusedBy, refusedForGood } from '../errors.ts';
import { tell } from './consumer-events.ts';
import type { ResolvedConsumerOptions } from './consumer-options.ts';
import { type CommittedOffset, commitOffsets, fetchCommitted, type OffsetToCommit } from './group/committed-offsets.ts';
import type { CoordinatorLink } from './group/coordinator-link.ts';
import { type GroupMembership, NOBODY } from './group/membership.ts';
import { type HeldPartitions, uncommitted } from './held-partitions.ts';
import { resolveReset } from './start-position.ts';

/** Refusals after which another attempt, as the member that this is by then, may succeed. */
const PASSING = new Set<number>([ErrorCode.STALE_MEMBER_EPOCH, ErrorCode.UNSTABLE_OFFSET_COMMIT]);
/** The last commits of what is given up do not hold a rebalance up longer. */
const PARTING_TIMEOUT_MS = 5000;

export interface Start extends TopicPartition {
  readonly offset: Offset;
  /** Of the leader that wrote what lies before the offset; -1 where that is not known. */
  readonly leaderEpoch: LeaderEpoch;
  /** -1 where nothing is committed. */
  readonly committed: Offset;
}

export class OffsetKeeper {
  readonly #cluster: Cluster;
  readonly #options: ResolvedConsumerOptions;
  readonly #link: CoordinatorLink | undefined;
  readonly #held: HeldPartitions;
  #membership: GroupMembership | undefined;
  #timer: Timer | undefined;
  #automatic: Promise<void> | undefined;

  constructor(
    cluster: Cluster,
    options: ResolvedConsumerOptions,
    link: CoordinatorLink | undefined,
    held: HeldPartitions,
  ) {
    this.#cluster = cluster;
    this.#options = options;
    this.#link = link;
    this.#held = held;
  }

  /** In whose name offsets are committed from now on; nobody's where partitions are assigned by hand. */
  actFor(membership: GroupMembership | undefined): void {
    this.#membership = membership;
  }

  /** Commits from time to time what was processed; `prepare` is called before. */
  startCommitting(prepare: () => void): void {
    if (!this.#options.autoCommit || this.#timer !== undefined) return;
    this.#timer = this.#cluster.dependencies.clock.every(this.#options.autoCommitIntervalMs, () => {
      prepare();
      this.#automatic ??= this.#commitQuietly().finally(() => {
        this.#automatic = undefined;
      });
    });
  }

  async stop(): Promise<void> {
    this.#timer?.cancel();
    await this.#automatic;
  }

  /** One that fails is made up for by the next. */
  async #commitQuietly(): Promise<void> {
    const offsets = uncommitted(this.#held.all);
    if (offsets.length === 0) return;
    try {
      await this.#commitOnce(offsets);
    } catch (error) {
      tell('commit-failed', { groupId: this.#link?.groupId, error: asSluiceError(error) });
    }
  }

  /** The last commit of partitions that are given up; a failure is told, and the rebalance goes on. */
  async commitParting(partitions: readonly TopicPartition[]): Promise<void> {
    await this.#automatic;
    const held = partitions.map((each) => this.#held.get(each)).filter((each) => each !== undefined);
    const offsets = uncommitted(held);
    if (!this.#options.autoCommit || offsets.length === 0) return;
    const signal = new AbortController();
    const timer = this.#cluster.dependencies.clock.after(PARTING_TIMEOUT_MS, () => signal.abort());
    try {
      await this.commit(offsets, signal.signal);
    } catch (error) {
      tell('commit-failed', { groupId: this.#link?.groupId, error: asSluiceError(error) });
    } finally {
      timer.cancel();
    }
  }

  /** Rejects with the broker's refusal, or NO_GROUP. */
  commit(offsets: readonly OffsetToCommit[], signal?: AbortSignal): Promise<void> {
    if (offsets.length === 0) return Promise.resolve();
    return this.#cluster.retrying(signal, () => this.#commitOnce(offsets));
  }

  async #commitOnce(offsets: readonly OffsetToCommit[]): Promise<void> {
    const link = this.#group();
    const identity = this.#membership?.identity ?? NOBODY;
    // As nobody it could commit to a group that is empty by now, what others read again from an earlier offset.
    if (this.#membership !== undefined && identity.epoch <= 0) {
      throw refusedForGood(ErrorCode.UNKNOWN_MEMBER_ID, `committing for group ${link.groupId}`);
    }
    const code = await commitOffsets(link, identity, offsets);
    if (code !== ErrorCode.NONE) {
      this.#membership?.commitRefused(code);
      const about = `committing for group ${link.groupId}`;
      // A rebalance waits for this very reader: only once it comes back for more is it over.
      if (code === ErrorCode.REBALANCE_IN_PROGRESS) throw refusedForGood(code, about);
      const refusal = refusedBy(code, about);
      throw PASSING.has(code) && this.#isSame(identity.memberId) ? asRetriable(refusal) : refusal;
    }
    for (const each of offsets) {
      const held = this.#held.get(each);
      if (held !== undefined) held.committed = each.offset;
    }
    tell('committed', { groupId: link.groupId, offsets });
  }

  #isSame(memberId: string): boolean {
    return this.#membership?.identity.memberId === memberId;
  }

  committed(partitions: readonly TopicPartition[], signal?: AbortSignal): Promise<CommittedOffset[]> {
    const link = this.#group();
    return this.#cluster.retrying(signal, async () => {
      const member = this.#membership?.usesMemberEpoch === true ? this.#membership.identity : undefined;
      try {
        return await fetchCommitted(link, member, partitions);
      } catch (error) {
        throw error instanceof SluiceError && error.code === 'STALE_MEMBER_EPOCH' ? asRetriable(error) : error;
      }
    });
  }

  /** Where to begin: as committed, else by the reset policy. Rejects NO_COMMITTED_OFFSET where that is 'none'. */
  async starts(partitions: readonly TopicPartition[], signal: AbortSignal): Promise<Start[]> {
    const found = this.#link === undefined ? [] : await this.committed(partitions, signal);
    const known = partitions.map((each, index) => {
      const { offset: committed, leaderEpoch } = found[index] ?? { offset: -1, leaderEpoch: -1 };
      return { ...each, committed, leaderEpoch };
    });
    const missing = known.filter(({ committed }) => committed < 0);
    const resets = new Map<string, Offset>();
    if (missing.length > 0) {
      const { offsetReset, fetch } = this.#options;
      if (offsetReset === 'none') throw noCommittedOffset(missing[0]!);
      const offsets = await resolveReset(this.#cluster, missing, offsetReset, { isolation: fetch.isolation, signal });
      for (const [index, { topic, partition }] of missing.entries()) {
        resets.set(partitionName(topic, partition), offsets[index]!);
      }
    }
    return known.map(({ topic, partition, committed, leaderEpoch }) => ({
      topic,
      partition,
      committed,
      leaderEpoch,
      offset: committed >= 0 ? committed : resets.get(partitionName(topic, partition))!,
    }));
  }

  #group(): CoordinatorLink {
    if (this.#link !== undefined) return this.#link;
    throw new SluiceError('NO_GROUP', 'without a group there are no committed offsets', { remedy: 'Give a groupId.' });
  }
}

/** Whether looking for the start again may help: also where a topic has not reached every broker yet. */
export function maySearchAgain(error: unknown): boolean {
  return mayRetry(error) || (error instanceof SluiceError && error.code === 'UNKNOWN_TOPIC_OR_PARTITION');
}

function asRetriable({ code, message, remedy }: SluiceError): SluiceError {
  return new SluiceError(code, message, { retriable: true, remedy });
}

export function asSluiceError(error: unknown): SluiceError {
  if (error instanceof SluiceError) return error;
  return new SluiceError('UNEXPECTED', 'the consumer failed', { cause: error, remedy: 'Look at the cause.' });
}

function noCommittedOffset({ topic, partition }: TopicPartition): SluiceError {
  const message = `the group has committed no offset of ${partitionName(topic, partition)}`;
  return new SluiceError('NO_COMMITTED_OFFSET', message, { remedy: 'Seek, or set offsetReset.' });
}
