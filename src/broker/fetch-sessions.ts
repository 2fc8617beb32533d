/**
 * Incremental fetch sessions (KIP-227): the broker remembers which partitions a consumer reads, requests name only
 * what changed and replies carry only partitions with news. The cache is bounded; a client that gets no session
 * (id 0) goes on with full fetches. Never reads data itself.
 */
import type { Clock } from '../base/clock.ts';
import type { Random } from '../base/random.ts';
import type { LeaderEpoch, Offset } from '../base/units.ts';
import { type Uuid, ZERO_UUID } from '../base/uuid.ts';
import { ErrorCode } from '../protocol/error-codes.ts';
import type { Hurry } from '../replication/fetching.ts';

/** What a consumer asks of one partition. `topic` is undefined while its id is unknown here. */
export interface FetchTarget {
  readonly topic: string | undefined;
  readonly topicId: Uuid;
  readonly partition: number;
  readonly offset: Offset;
  readonly maxBytes: number;
  readonly currentLeaderEpoch: LeaderEpoch;
  readonly lastFetchedEpoch: LeaderEpoch;
  /** Where the log of a follower starts. */
  readonly startOffset: Offset;
}

export interface ForgottenPartition {
  readonly topic: string | undefined;
  readonly topicId: Uuid;
  readonly partition: number;
}

/** What a reply says of a partition, as far as a session decides by it whether the client has to hear it. */
export interface PartitionNews {
  readonly errorCode: number;
  readonly highWatermark: Offset;
  readonly startOffset: Offset;
  readonly bytes: number;
  readonly diverging: boolean;
  /** The client is sent to another replica. */
  readonly redirected: boolean;
}

export interface SessionRequest {
  readonly sessionId: number;
  readonly sessionEpoch: number;
  /** Fetch 13 and later name topics by id; a session keeps to the way it began with. */
  readonly usesTopicIds: boolean;
  /** The reader is a broker: its session may take the place of a client's. */
  readonly isFollower: boolean;
  readonly targets: readonly FetchTarget[];
  readonly forgotten: readonly ForgottenPartition[];
}

/** The part that a session plays in one fetch. */
export interface FetchContext {
  readonly errorCode: ErrorCode;
  /** All partitions to read, those remembered included. */
  readonly targets: readonly FetchTarget[];
  /** The next request of the session arrived while this one waits: nothing is worth waiting for any more. */
  readonly hurry: Hurry;
  /**
   * Ends the fetch: tells the session id to reply with and which of `targets` (same order as `news`) the reply must
   * include.
   */
  conclude(news: readonly PartitionNews[]): { readonly sessionId: number; readonly include: readonly boolean[] };
}

interface RememberedPartition {
  target: FetchTarget;
  highWatermark: Offset;
  startOffset: Offset;
  /** The request that told the position last, by its number. */
  toldIn: number;
}

interface Session {
  readonly id: number;
  readonly usesTopicIds: boolean;
  readonly isFollower: boolean;
  readonly partitions: Map<string, RememberedPartition>;
  /** Of the latest request. */
  hurry: SessionHurry;
  epoch: number;
  /** Requests so far; unlike the epoch it never begins anew. */
  requests: number;
  lastUsedMs: number;
}

class SessionHurry implements Hurry {
  hurried = false;
  #callback: (() => void) | undefined;

  onHurry(callback: () => void): () => void {
    this.#callback = callback;
    return () => {
      this.#callback = undefined;
    };
  }

  set(): void {
    this.hurried = true;
    this.#callback?.();
  }
}

const NO_HURRY: Hurry = { hurried: false, onHurry: () => () => undefined };

const NO_SESSION = 0;
/** A request with this epoch opens a session. */
const INITIAL_EPOCH = 0;
/** A request with this epoch is complete in itself and closes the session it names. */
const FINAL_EPOCH = -1;
const LAST_EPOCH = 2 ** 31 - 1;
/** A session that was used within this time is not evicted for another. */
const EVICTION_AGE_MS = 120_000;
/** Partitions that one session may remember; a session that would grow beyond is dropped and its client starts anew. */
const MAX_PARTITIONS_A_SESSION = 100_000;

export class FetchSessions {
  readonly #limits: { readonly maxSessions: number };
  readonly #clock: Clock;
  readonly #random: Random;
  /** Least recently used first: a session that is used is put at the end. */
  readonly #sessions = new Map<number, Session>();

  constructor(
    limits: { readonly maxSessions: number },
    dependencies: { readonly clock: Clock; readonly random: Random },
  ) {
    this.#limits = limits;
    this.#clock = dependencies.clock;
    this.#random = dependencies.random;
  }

  get size(): number {
    return this.#sessions.size;
  }

  begin(request: SessionRequest): FetchContext {
    if (request.sessionEpoch === FINAL_EPOCH || request.sessionEpoch === INITIAL_EPOCH) {
      this.#sessions.delete(request.sessionId);
      return request.sessionEpoch === FINAL_EPOCH ? sessionless(request.targets) : this.#opening(request);
    }
    const session = this.#sessions.get(request.sessionId);
    if (session === undefined) return failed(ErrorCode.FETCH_SESSION_ID_NOT_FOUND);
    if (session.epoch !== request.sessionEpoch) return failed(ErrorCode.INVALID_FETCH_SESSION_EPOCH);
    if (session.usesTopicIds !== request.usesTopicIds) return failed(ErrorCode.FETCH_SESSION_TOPIC_ID_ERROR);
    return this.#continuing(session, request);
  }

  #opening(request: SessionRequest): FetchContext {
    // Of a partition that stands twice the last position counts, as in Kafka.
    const named = request.targets.map((target) => [keyOf(target, request.usesTopicIds), target] as const);
    const targets = [...new Map(named).values()];
    return {
      errorCode: ErrorCode.NONE,
      targets,
      hurry: NO_HURRY,
      conclude: (news) => ({ sessionId: this.#open({ ...request, targets }, news), include: news.map(() => true) }),
    };
  }

  /** Remembers a new session and returns its id, or 0 where the cache is full of sessions in use. */
  #open(request: SessionRequest, news: readonly PartitionNews[]): number {
    const partitionCount = request.targets.length;
    if (partitionCount > MAX_PARTITIONS_A_SESSION || !this.#makeRoom(request)) return NO_SESSION;
    let id: number;
    do id = 1 + this.#random.below(2 ** 31 - 1);
    while (this.#sessions.has(id));
    const partitions = new Map<string, RememberedPartition>();
    request.targets.forEach((target, index) => {
      partitions.set(keyOf(target, request.usesTopicIds), remember(target, news[index]!));
    });
    const lastUsedMs = this.#clock.monotonicMs();
    const { usesTopicIds, isFollower } = request;
    const hurry = new SessionHurry();
    this.#sessions.set(id, { id, usesTopicIds, isFollower, partitions, hurry, epoch: 1, requests: 0, lastUsedMs });
    return id;
  }

  #makeRoom({ isFollower }: SessionRequest): boolean {
    if (this.#sessions.size < this.#limits.maxSessions) return true;
    for (const session of this.#sessions.values()) {
      const isIdle = this.#clock.monotonicMs() - session.lastUsedMs >= EVICTION_AGE_MS;
      // A client's makes room for a follower's, which is in use all the time as long as the follower is there.
      if (isIdle || (isFollower && !session.isFollower)) {
        this.#sessions.delete(session.id);
        return true;
      }
      // The others are younger.
      if (!isFollower) return false;
    }
    return false;
  }

  #continuing(session: Session, request: SessionRequest): FetchContext {
    const number = ++session.requests;
    for (const forgotten of request.forgotten) session.partitions.delete(keyOf(forgotten, session.usesTopicIds));
    for (const target of request.targets) {
      const key = keyOf(target, session.usesTopicIds);
      const known = session.partitions.get(key);
      if (known === undefined)
        session.partitions.set(key, { target, highWatermark: -1, startOffset: -1, toldIn: number });
      else {
        // A follower that begins anew in another epoch may have no use for an answer that is under way.
        if (known.target.currentLeaderEpoch !== target.currentLeaderEpoch) known.highWatermark = -1;
        known.target = target;
        known.toldIn = number;
      }
    }
    if (session.partitions.size > MAX_PARTITIONS_A_SESSION) {
      this.#sessions.delete(session.id);
      return failed(ErrorCode.FETCH_SESSION_ID_NOT_FOUND);
    }
    if (session.partitions.size === 0) {
      this.#sessions.delete(session.id);
      return sessionless([]);
    }
    session.epoch = session.epoch === LAST_EPOCH ? 1 : session.epoch + 1;
    session.lastUsedMs = this.#clock.monotonicMs();
    this.#sessions.delete(session.id);
    this.#sessions.set(session.id, session);
    session.hurry.set();
    session.hurry = new SessionHurry();
    const entries = [...session.partitions];
    return {
      errorCode: ErrorCode.NONE,
      hurry: session.hurry,
      targets: entries.map(([, remembered]) => remembered.target),
      conclude: (news) => ({
        sessionId: session.id,
        include: news.map((each, index) => note(session, entries[index]!, each, number)),
      }),
    };
  }
}

/**
 * After an error the next good state is news, whatever it is; and so it is after a follower was told that its log parts from
 * this one: it must not believe the high watermark before it has cut its log.
 */
function heardHighWatermark({ errorCode, diverging, highWatermark }: PartitionNews): Offset {
  return errorCode === ErrorCode.NONE && !diverging ? highWatermark : -1;
}

/** Whether the client has to hear of a partition; notes what it will have heard. */
function note(
  session: Session,
  [key, remembered]: readonly [string, RememberedPartition],
  news: PartitionNews,
  number: number,
): boolean {
  // A later request told another position while this one waited: the client has no use for the answer to the old one.
  const isOutdated = remembered.toldIn > number;
  const changed =
    news.bytes > 0 ||
    news.diverging ||
    news.redirected ||
    news.errorCode !== ErrorCode.NONE ||
    news.highWatermark !== remembered.highWatermark ||
    news.startOffset !== remembered.startOffset;
  if (!changed || isOutdated) return changed;
  remembered.highWatermark = heardHighWatermark(news);
  remembered.startOffset = news.startOffset;
  if (news.bytes > 0 && session.partitions.delete(key)) {
    // Served now, last in line next time: a busy partition must not starve the others of the byte limit.
    session.partitions.set(key, remembered);
  }
  return true;
}

function remember(target: FetchTarget, news: PartitionNews): RememberedPartition {
  return { target, highWatermark: heardHighWatermark(news), startOffset: news.startOffset, toldIn: 0 };
}

function keyOf(target: ForgottenPartition, byId: boolean): string {
  return byId ? `${target.topicId}/${target.partition}` : `${target.topic}/${target.partition}`;
}

function sessionless(targets: readonly FetchTarget[]): FetchContext {
  return {
    errorCode: ErrorCode.NONE,
    targets,
    hurry: NO_HURRY,
    conclude: (news) => ({ sessionId: NO_SESSION, include: news.map(() => true) }),
  };
}

function failed(errorCode: ErrorCode): FetchContext {
  return {
    errorCode,
    targets: [],
    hurry: NO_HURRY,
    conclude: () => ({ sessionId: NO_SESSION, include: [] }),
  };
}

/** Names for topics that were unknown when a session began are looked up again at each fetch. */
export function withTopicName(target: FetchTarget, nameOf: (id: Uuid) => string | undefined): FetchTarget {
  if (target.topic !== undefined || target.topicId === ZERO_UUID) return target;
  return { ...target, topic: nameOf(target.topicId) };
}
