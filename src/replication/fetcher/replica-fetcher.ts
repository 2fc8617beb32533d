/**
 * Fetches the partitions that one leader broker leads, over one connection: one request after the other, each answer
 * applied before the next request leaves. What a request tells of a position is in the log, and durable where the topic
 * asks for that, for the leader counts it as replicated. Ends only when stopped: errors are waited out.
 */
import type { Clock } from '../../base/clock.ts';
import { messageOf, SluiceError } from '../../base/errors.ts';
import type { Logger } from '../../base/logger.ts';
import type { BrokerId } from '../../base/units.ts';
import type { Channel } from '../../network/channel.ts';
import { fetch } from '../../protocol/apis/fetch.ts';
import { listOffsets } from '../../protocol/apis/list-offsets.ts';
import { type ErrorCode as Code, ErrorCode, errorName } from '../../protocol/error-codes.ts';
import type { DecodedFields } from '../../protocol/schema.ts';
import type { Partition } from '../partition.ts';
import { ListOffsetsTimestamp } from '../reading.ts';
import { type FollowerFetchLimits, FollowerSession } from './fetch-session.ts';
import { FollowedPartition } from './followed-partition.ts';
import { appendFetched, resetToLeader, truncateDiverged } from './follower-log.ts';

export interface FetcherSettings extends FollowerFetchLimits {
  /** replica.fetch.backoff.ms: the longest pause after an error; the first ones are shorter. */
  readonly backoffMs: number;
  /** replica.socket.timeout.ms */
  readonly requestTimeoutMs: number;
  /** A leader of which nothing at all is heard for so long is looked for anew. */
  readonly silenceMs: number;
}

export interface FetcherDependencies {
  readonly brokerId: BrokerId;
  readonly brokerEpoch: () => number;
  readonly settings: () => FetcherSettings;
  /** Connects to a broker, as it can be reached now. Rejects where it cannot. */
  readonly openChannel: (brokerId: BrokerId) => Promise<Channel>;
  readonly clock: Clock;
  readonly logger: Logger;
}

type FetchAnswer = DecodedFields<(typeof fetch)['response']['fields']>;
type PartitionAnswer = FetchAnswer['responses'][number]['partitions'][number];

interface RequestInFlight {
  readonly number: number;
  readonly answer: Promise<FetchAnswer>;
}

const FETCH_VERSION = fetch.request.versions.to;
const LIST_OFFSETS_VERSION = listOffsets.request.versions.to;
const FIRST_BACKOFF_MS = 50;
/** What a leader says that heard of its role, or of a topic, later than its follower. */
const IN_TRANSITION: ReadonlySet<Code> = new Set([
  ErrorCode.UNKNOWN_LEADER_EPOCH,
  ErrorCode.NOT_LEADER_OR_FOLLOWER,
  ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
  ErrorCode.UNKNOWN_TOPIC_ID,
  ErrorCode.INCONSISTENT_TOPIC_ID,
]);
/** How often a follower that is held back by its limit looks again. */
const THROTTLE_CHECK_MS = 100;

export class ReplicaFetcher {
  readonly leaderId: BrokerId;
  readonly #dependencies: FetcherDependencies;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #partitions = new Map<Partition, FollowedPartition>();
  readonly #session: FollowerSession;
  #channel: Channel | undefined;
  /** In the order of sending, which is that of answering. */
  #inFlight: RequestInFlight[] = [];
  /** A request was answered on this connection, so that waiting at the leader hurts nobody. */
  #mayWait = false;
  #isSettling = false;
  #hurryScheduled = false;
  #failures = 0;
  #unreachedSinceMs = 0;
  #stopped = false;
  #wake: () => void = () => undefined;

  constructor(leaderId: BrokerId, dependencies: FetcherDependencies) {
    this.leaderId = leaderId;
    this.#dependencies = dependencies;
    this.#clock = dependencies.clock;
    this.#logger = dependencies.logger.with({ leader: leaderId });
    this.#session = new FollowerSession(dependencies);
    void this.#run();
  }

  get isIdle(): boolean {
    return this.#partitions.size === 0;
  }

  /** Fetches the partition from its log's end, in its current leader epoch. One that is fetched in it already goes on. */
  assign(partition: Partition): void {
    const known = this.#partitions.get(partition);
    if (known !== undefined && known.leaderEpoch === partition.state.leaderEpoch) return;
    this.#partitions.set(partition, new FollowedPartition(partition));
    this.#wake();
    this.#hurry();
  }

  drop(partition: Partition): void {
    this.#partitions.delete(partition);
  }

  stop(): void {
    this.#stopped = true;
    this.#disconnect();
    this.#wake();
  }

  async #run(): Promise<void> {
    while (!this.#stopped) {
      try {
        await this.#step();
      } catch (error) {
        if (this.#stopped) return;
        this.#disconnect();
        if (!(error instanceof SluiceError)) {
          this.#logger.error('a follower failed', { reason: messageOf(error), stack: stackOf(error) });
        } else if (this.#failures === 0) {
          this.#unreachedSinceMs = this.#clock.monotonicMs();
          this.#logger.warn('a leader cannot be reached', { leader: this.leaderId, reason: error.message });
        }
        await this.#sleep(Math.min(FIRST_BACKOFF_MS * 2 ** this.#failures++, this.#dependencies.settings().backoffMs));
      }
    }
  }

  async #step(): Promise<void> {
    if (this.#partitions.size === 0) {
      this.#disconnect();
      await this.#sleep(undefined);
      return;
    }
    const channel = this.#channel ?? (await this.#connect());
    if (this.#inFlight.length === 0 && (this.#stopped || !this.#send(channel))) {
      await this.#sleep(this.#nextDueMs());
      return;
    }
    const request = this.#inFlight[0]!;
    const answer = await request.answer;
    if (this.#channel !== channel || this.#stopped) return;
    this.#inFlight.shift();
    if (this.#failures > 0) {
      const forMs = Math.round(this.#clock.monotonicMs() - this.#unreachedSinceMs);
      this.#logger.info('a leader is reached again', { leader: this.leaderId, forMs });
    }
    this.#failures = 0;
    const unsettled = this.#accept(request, answer, channel);
    if (unsettled.length === 0) return;
    this.#isSettling = true;
    await Promise.all(unsettled).finally(() => {
      this.#isSettling = false;
    });
  }

  async #connect(): Promise<Channel> {
    const channel = await this.#dependencies.openChannel(this.leaderId);
    if (this.#stopped) void channel.close();
    else this.#channel = channel;
    return channel;
  }

  #disconnect(): void {
    void this.#channel?.close();
    this.#channel = undefined;
    this.#inFlight = [];
    this.#mayWait = false;
    this.#session.reset();
  }

  /** Sends what there is to ask for; false where that is nothing. */
  #send(channel: Channel): boolean {
    const nowMs = this.#clock.monotonicMs();
    const wanted = new Set<FollowedPartition>();
    for (const [partition, followed] of this.#partitions) {
      if (!followed.isCurrent || partition.log.failure !== undefined) continue;
      if (followed.isReady(nowMs)) wanted.add(followed);
    }
    const { requestTimeoutMs: timeoutMs, silenceMs, ...limits } = this.#dependencies.settings();
    // The first answer opens the session, without which nothing could be added while the leader lets us wait.
    const maxWaitMs = this.#mayWait ? limits.maxWaitMs : 0;
    const next = this.#session.next(wanted, { ...limits, maxWaitMs });
    if (next === undefined) return false;
    const answer = channel.request(fetch, FETCH_VERSION, next.body, { timeoutMs, silenceMs });
    // Whoever awaits it hears of a failure, unless another did before.
    answer.catch(() => undefined);
    this.#inFlight.push({ number: next.number, answer });
    return true;
  }

  /**
   * A partition was added while the leader lets the last request wait for records: a further request tells it, and the
   * leader answers the one that waits at once.
   */
  #hurry(): void {
    if (this.#hurryScheduled || this.#inFlight.length !== 1) return;
    this.#hurryScheduled = true;
    this.#clock.afterTurn(() => {
      this.#hurryScheduled = false;
      const { isOpen } = this.#session;
      if (this.#channel?.open !== true || this.#inFlight.length !== 1 || !isOpen || this.#isSettling) return;
      this.#send(this.#channel);
    });
  }

  #nextDueMs(): number | undefined {
    const nowMs = this.#clock.monotonicMs();
    let dueMs: number | undefined;
    for (const followed of this.#partitions.values()) {
      if (followed.isStopped || !followed.isCurrent || followed.partition.log.failure !== undefined) continue;
      const waitMs = followed.isHeldBack ? THROTTLE_CHECK_MS : Math.max(1, followed.retryAtMs - nowMs);
      dueMs = Math.min(dueMs ?? Number.POSITIVE_INFINITY, waitMs);
    }
    return dueMs;
  }

  #sleep(ms: number | undefined): Promise<void> {
    return new Promise((resolve) => {
      const timer = ms === undefined ? undefined : this.#clock.after(ms, () => this.#wake());
      this.#wake = () => {
        timer?.cancel();
        this.#wake = () => undefined;
        resolve();
      };
    });
  }

  /** Applies an answer, in this turn; what is returned must be waited for before the next request. */
  #accept({ number }: RequestInFlight, answer: FetchAnswer, channel: Channel): Promise<void>[] {
    if (answer.errorCode !== ErrorCode.NONE) {
      this.#logger.info('a fetch session begins anew', { error: errorName(answer.errorCode as Code) });
      this.#session.reset();
      return [];
    }
    this.#session.opened(answer.sessionId);
    this.#mayWait = true;
    const unsettled: Promise<void>[] = [];
    for (const { topicId, partitions } of answer.responses) {
      for (const partition of partitions) {
        const followed = this.#session.find(topicId, partition.partitionIndex);
        if (followed === undefined) continue;
        if (!this.#isMeant(followed, number)) {
          this.#hearFrom(followed, partition);
          continue;
        }
        const pending = this.#take(followed, partition, channel);
        if (pending !== undefined) unsettled.push(pending);
      }
    }
    // Without a session the leader remembers nothing.
    if (!this.#session.isOpen) this.#session.reset();
    return unsettled;
  }

  /**
   * Several requests were on their way at once, and this answer is about a position that the log has left. The leader will
   * not repeat its high watermark.
   */
  #hearFrom(followed: FollowedPartition, answer: PartitionAnswer): void {
    const { partition } = followed;
    if (this.#partitions.get(partition) !== followed || !followed.isCurrent || !followed.agrees) return;
    if (followed.isStopped || followed.isResetting || partition.log.failure !== undefined) return;
    if (answer.errorCode !== ErrorCode.NONE || answer.divergingEpoch.endOffset >= 0) return;
    partition.followHighWatermark(answer.highWatermark, answer.logStartOffset);
  }

  /** Whether the answer is about the position that the log is at, in the epoch that it is in. */
  #isMeant(followed: FollowedPartition, number: number): boolean {
    if (this.#partitions.get(followed.partition) !== followed || !followed.isCurrent) return false;
    if (followed.isStopped || followed.isResetting || followed.toldIn > number) return false;
    return followed.told?.offset === followed.partition.log.endOffset;
  }

  #take(followed: FollowedPartition, answer: PartitionAnswer, channel: Channel): Promise<void> | undefined {
    try {
      switch (answer.errorCode as Code) {
        case ErrorCode.NONE:
          return this.#takeRecords(followed, answer);
        case ErrorCode.OFFSET_OUT_OF_RANGE:
          return this.#reset(followed, channel);
        case ErrorCode.FENCED_LEADER_EPOCH:
          // The leader is in a later epoch: the controller's word of it is on its way.
          followed.isStopped = true;
          return undefined;
        default:
          this.#backOff(followed, errorName(answer.errorCode as Code), IN_TRANSITION.has(answer.errorCode as Code));
          return undefined;
      }
    } catch (error) {
      this.#failed(followed, error);
      return undefined;
    }
  }

  #takeRecords(followed: FollowedPartition, answer: PartitionAnswer): Promise<void> | undefined {
    const { partition, leaderEpoch } = followed;
    const { divergingEpoch, records, highWatermark, logStartOffset } = answer;
    followed.agrees = divergingEpoch.endOffset < 0;
    if (divergingEpoch.endOffset >= 0) {
      const from = followed.position;
      const to = truncateDiverged(partition.log, divergingEpoch);
      // A leader that only sees another epoch at the same end cuts nothing.
      this.#logger[to < from.offset ? 'info' : 'debug']('truncated to the leader', {
        ...nameOf(partition),
        from: from.offset,
        to,
        leaderEpoch,
        diverging: divergingEpoch,
      });
      if (to === from.offset && partition.log.latestEpoch === from.lastFetchedEpoch) {
        this.#backOff(followed, 'the leader sees another history where there is nothing to cut');
      }
      // Its high watermark says nothing of this log until a fetch found that both agree.
      return undefined;
    }
    let durable: Promise<void> | undefined;
    if (records !== null && records.length > 0) {
      const outcome = appendFetched(partition.log, records, leaderEpoch);
      partition.throttle.follower?.record(records.length);
      if (!outcome.ok) {
        followed.agrees = false;
        this.#backOff(followed, outcome.message);
        return undefined;
      }
      durable = outcome.durable;
    }
    partition.followHighWatermark(highWatermark, logStartOffset);
    followed.isCaughtUp = partition.log.endOffset >= highWatermark;
    if (followed.succeeded()) this.#logger.info('a partition follows its leader again', nameOf(partition));
    return durable?.catch((error: unknown) => this.#failed(followed, error));
  }

  #backOff(followed: FollowedPartition, reason: string, isUsual = false): void {
    followed.backOff(this.#clock.monotonicMs(), this.#dependencies.settings().backoffMs);
    const fields = { ...nameOf(followed.partition), reason };
    const isNews = !isUsual && followed.isNews(reason, this.#clock.monotonicMs());
    this.#logger[isNews ? 'warn' : 'debug']('a partition cannot follow its leader now; it is tried again', fields);
  }

  #failed(followed: FollowedPartition, error: unknown): void {
    const { log } = followed.partition;
    if (log.failure === undefined && log.offline === false && error instanceof SluiceError === false) {
      // A full disk, for one: it may pass.
      this.#backOff(followed, messageOf(error));
      return;
    }
    followed.isStopped = true;
    this.#logger.error('a partition cannot follow its leader', {
      ...nameOf(followed.partition),
      reason: messageOf(error),
    });
  }

  /** Asks the leader where its log starts and ends, and goes on from there. */
  async #reset(followed: FollowedPartition, channel: Channel): Promise<void> {
    followed.isResetting = true;
    followed.agrees = false;
    try {
      const endOffset = await this.#leaderOffset(followed, ListOffsetsTimestamp.latest, channel);
      const startOffset = await this.#leaderOffset(followed, ListOffsetsTimestamp.earliest, channel);
      if (!followed.isCurrent || this.#partitions.get(followed.partition) !== followed) return;
      if (typeof endOffset === 'string' || typeof startOffset === 'string') {
        this.#backOff(followed, String(typeof endOffset === 'string' ? endOffset : startOffset));
        return;
      }
      const { log } = followed.partition;
      const from = log.endOffset;
      resetToLeader(log, { startOffset, endOffset });
      this.#logger.warn('began anew where the leader is', { ...nameOf(followed.partition), from, to: log.endOffset });
      followed.isCaughtUp = false;
      // The leader may refuse the same position again, where histories differ without a trace.
      if (log.endOffset === from) this.#backOff(followed, 'the position is not in the log of the leader');
    } catch (error) {
      if (error instanceof SluiceError && !channel.open) throw error;
      this.#failed(followed, error);
    } finally {
      followed.isResetting = false;
    }
  }

  /** The offset, or the name of the error. */
  async #leaderOffset(followed: FollowedPartition, timestamp: number, channel: Channel): Promise<number | string> {
    const { topic, partition } = followed.partition;
    const { topics } = await channel.request(
      listOffsets,
      LIST_OFFSETS_VERSION,
      {
        replicaId: this.#dependencies.brokerId,
        isolationLevel: 0,
        topics: [
          {
            name: topic,
            partitions: [{ partitionIndex: partition, currentLeaderEpoch: followed.leaderEpoch, timestamp }],
          },
        ],
        timeoutMs: 0,
      },
      { timeoutMs: this.#dependencies.settings().requestTimeoutMs },
    );
    const found = topics[0]?.partitions[0];
    if (found === undefined) return errorName(ErrorCode.UNKNOWN_SERVER_ERROR);
    return found.errorCode === ErrorCode.NONE ? found.offset : errorName(found.errorCode as Code);
  }
}

function nameOf({ topic, partition }: Partition): { readonly topic: string; readonly partition: number } {
  return { topic, partition };
}

function stackOf(error: unknown): string | undefined {
  return error instanceof Error ? error.stack : undefined;
}
