/**
 * A client's way to a cluster: finds brokers from the bootstrap servers, keeps what it learned, holds one connection a
 * broker and lane, and tries again where that may help. Producer, consumer and admin share one of these.
 */
import type { BrokerId } from '../base/units.ts';
import type { Uuid } from '../base/uuid.ts';
import { metadata } from '../protocol/apis/metadata.ts';
import { ErrorCode } from '../protocol/error-codes.ts';
import type { Api, DecodedFields, EncodableFields, Fields } from '../protocol/schema.ts';
import { type Endpoint, formatEndpoint } from './bootstrap.ts';
import type { BrokerConnection, RequestOptions } from './broker-connection.ts';
import { ConnectionPool } from './connection-pool.ts';
import { type ClientDependencies, systemDependencies } from './dependencies.ts';
import { clientClosed, mayRetry, refusedBy, refusedForGood } from './errors.ts';
import {
  type BrokerView,
  type LeaderHint,
  type MetadataAnswer,
  MetadataCache,
  type PartitionView,
  type TopicView,
} from './metadata-cache.ts';
import { type ClusterOptions, type ResolvedOptions, resolveClusterOptions } from './options.ts';
import { retry } from './retry.ts';
import { type FailedAttempt, noBrokerReachable, notReachedAsAdvertised } from './unreachable.ts';

/** Where a request goes: to a broker by id, to the controller, or to whichever broker answers. */
export type Destination = BrokerId | 'controller' | 'any';

export interface TopicOptions {
  /** Let the broker make the topic where its settings allow that. */
  readonly create?: boolean;
  readonly signal?: AbortSignal;
}

export interface CallOptions extends RequestOptions {
  readonly signal?: AbortSignal;
  readonly lane?: string;
}

const MAIN_LANE = 'main';
/** For so long an address to which no connection could be made is tried last. */
const AVOIDED_MS = 10_000;
/** How often an unknown topic is asked for: one that was just made may not have reached the broker that answers. */
const LOOKS_FOR_A_TOPIC = 3;

export class Cluster implements AsyncDisposable {
  readonly options: ResolvedOptions;
  readonly dependencies: ClientDependencies;
  readonly #pool: ConnectionPool;
  readonly #cache = new MetadataCache();
  readonly #stop = new AbortController();
  /** When a connection to an address could not be made the last time. */
  readonly #failures = new Map<string, number>();
  /** Hears of attempts that failed and are made again: what an operation that takes long is waiting for. */
  onTrouble: ((error: unknown) => void) | undefined;

  constructor(options: ClusterOptions, dependencies: ClientDependencies = systemDependencies) {
    this.options = resolveClusterOptions(options);
    this.dependencies = dependencies;
    this.#pool = new ConnectionPool(this.options.connection, dependencies);
  }

  /** Fires when the cluster is closed. */
  get closing(): AbortSignal {
    return this.#stop.signal;
  }

  get clusterId(): string | null {
    return this.#cache.clusterId;
  }

  /** The brokers as last heard of; empty before the first answer. */
  get brokers(): readonly BrokerView[] {
    return [...this.#cache.brokers.values()];
  }

  /** The topic as known now, without asking; undefined where it is unknown or what is known is too old. */
  knownTopic(name: string): TopicView | undefined {
    return this.#cache.topic(name, this.dependencies.clock.monotonicMs() - this.options.metadataMaxAgeMs);
  }

  /** The topic as last heard of, however long ago: without a look at the clock, for whoever asks for every record. */
  lastKnownTopic(name: string): TopicView | undefined {
    return this.#cache.topic(name, -Infinity);
  }

  /** Makes the next look at the topic ask the cluster: after a refusal that shows what is known to be out of date. */
  forgetTopic(name: string): void {
    this.#cache.forget(name);
  }

  /** Takes in a leader that a refusal told of (KIP-951). False where that is nothing newer. */
  learnLeader(hint: LeaderHint, endpoints: readonly BrokerView[]): boolean {
    return this.#cache.learnLeader(hint, endpoints);
  }

  /**
   * The topic that has an id, asking the cluster where it is not known; undefined where nobody knows it (yet). One
   * attempt.
   */
  async topicWithId(id: Uuid): Promise<TopicView | undefined> {
    const known = this.#cache.topicWithId(id);
    if (known !== undefined) return known;
    const connection = await this.#anyBroker(MAIN_LANE);
    const answer = await connection.request(metadata, { topics: [{ topicId: id, name: null }] });
    this.#cache.apply(answer, this.dependencies.clock.monotonicMs());
    return this.#cache.topicWithId(id);
  }

  /**
   * The topic, asking the cluster where it is not known; with `create`, waits for the broker to make it. Throws
   * UNKNOWN_TOPIC_OR_PARTITION where there is none.
   */
  async topic(name: string, options: TopicOptions = {}): Promise<TopicView> {
    const known = this.knownTopic(name);
    if (known !== undefined) return known;
    return this.retrying(options.signal, (failures) => this.#lookUp(name, options.create ?? false, failures + 1));
  }

  async #lookUp(name: string, create: boolean, look: number): Promise<TopicView> {
    const answer = await this.askMetadata([name], create);
    const topic = answer.topics.find((each) => each.name === name);
    const code = topic?.errorCode ?? ErrorCode.UNKNOWN_TOPIC_OR_PARTITION;
    if (code === ErrorCode.UNKNOWN_TOPIC_OR_PARTITION && !create && look >= LOOKS_FOR_A_TOPIC) {
      throw refusedForGood(code, `topic ${name}`);
    }
    const view = code === ErrorCode.NONE ? this.#cache.topic(name, 0) : undefined;
    if (view === undefined) throw refusedBy(code, `topic ${name}`);
    return view;
  }

  /** The partition's view with a leader, asking again while there is none. */
  async leader(topic: string, partition: number, signal?: AbortSignal): Promise<PartitionView> {
    return this.retrying(signal, async (failures) => {
      const known = this.knownTopic(topic) ?? (await this.#lookUp(topic, false, failures + 1));
      const view = known.partitions[partition];
      if (view === undefined) throw refusedForGood(ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, `${topic}-${partition}`);
      if (view.leader < 0 || !this.#cache.brokers.has(view.leader)) {
        this.forgetTopic(topic);
        throw refusedBy(ErrorCode.LEADER_NOT_AVAILABLE, `${topic}-${partition}`);
      }
      return view;
    });
  }

  /** Asks any broker about the named topics (all where undefined) and remembers the answer. One attempt a broker. */
  async askMetadata(names: readonly string[] | undefined, create = false): Promise<MetadataAnswer> {
    const topics = names?.map((name) => ({ name })) ?? null;
    const connection = await this.#anyBroker(MAIN_LANE);
    const answer = await connection.request(metadata, { topics, allowAutoTopicCreation: create });
    if (answer.errorCode !== ErrorCode.NONE) throw refusedBy(answer.errorCode, 'cluster metadata');
    this.#cache.apply(answer, this.dependencies.clock.monotonicMs());
    return answer;
  }

  /** Sends one request and resolves with its answer, trying again on lost connections only. */
  call<Req extends Fields, Res extends Fields>(
    destination: Destination,
    api: Api<Req, Res>,
    body: EncodableFields<Req>,
    options: CallOptions = {},
  ): Promise<DecodedFields<Res>> {
    return this.retrying(options.signal, async () => {
      const connection = await this.connection(destination, options.lane);
      return connection.request(api, body, options);
    });
  }

  /** Runs `attempt` until it succeeds or fails for good, within the operation timeout and until the client closes. */
  retrying<T>(signal: AbortSignal | undefined, attempt: (failures: number) => Promise<T>): Promise<T> {
    const { operationTimeoutMs: timeoutMs, backoff } = this.options;
    const work = retry(this.dependencies, { timeoutMs, backoff, signals: [signal, this.closing] }, async (failures) => {
      try {
        return await attempt(failures);
      } catch (error) {
        if (mayRetry(error)) this.onTrouble?.(error);
        throw error;
      }
    });
    return work.catch((error: unknown) => {
      throw this.closing.aborted && !signal?.aborted ? clientClosed() : error;
    });
  }

  /** A connection to the destination; one attempt. */
  async connection(destination: Destination, lane: string = MAIN_LANE): Promise<BrokerConnection> {
    if (destination === 'any') return this.#anyBroker(lane);
    if (this.#cache.brokers.size === 0) await this.askMetadata([]);
    const id = destination === 'controller' ? this.#cache.controllerId : destination;
    const broker = this.#cache.brokers.get(id);
    if (broker !== undefined) return this.#toBroker(broker, lane);
    if (destination === 'controller') return this.#anyBroker(lane);
    await this.askMetadata([]);
    const found = this.#cache.brokers.get(id);
    if (found === undefined) throw refusedBy(ErrorCode.BROKER_NOT_AVAILABLE, `broker ${id}`);
    return this.#toBroker(found, lane);
  }

  #toBroker(broker: BrokerView, lane: string): Promise<BrokerConnection> {
    return this.#pool.get(broker.id, broker, lane).catch((error: unknown) => {
      throw notReachedAsAdvertised(broker.id, error);
    });
  }

  /** Known brokers in random order, then the bootstrap servers, those last that failed lately; the first that answers. */
  async #anyBroker(lane: string): Promise<BrokerConnection> {
    if (this.closing.aborted) throw clientClosed();
    const { random, clock } = this.dependencies;
    const known = this.brokers
      .map((broker) => ({ id: broker.id as BrokerId | 'bootstrap', endpoint: broker, order: random.fraction() }))
      .sort((left, right) => left.order - right.order);
    const bootstrap = this.options.bootstrap.map((endpoint) => ({ id: 'bootstrap' as const, endpoint, order: 0 }));
    const all = [...known, ...bootstrap];
    // One that hangs costs each who asks it the time for a connection.
    const avoided = all.filter(({ endpoint }) => this.#failedLately(endpoint));
    const attempts: FailedAttempt[] = [];
    for (const { id, endpoint } of [...all.filter((each) => !avoided.includes(each)), ...avoided]) {
      try {
        const connection = await this.#pool.get(id, endpoint, lane);
        this.#failures.delete(formatEndpoint(endpoint));
        return connection;
      } catch (error) {
        if (this.closing.aborted) throw clientClosed();
        this.#failures.set(formatEndpoint(endpoint), clock.monotonicMs());
        attempts.push({ endpoint, error });
      }
    }
    // Where no address can ever answer, it is better to say so at once.
    if (!attempts.some(({ error }) => mayRetry(error))) throw attempts[0]!.error;
    throw noBrokerReachable(attempts);
  }

  #failedLately(endpoint: Endpoint): boolean {
    if (this.#failures.size === 0) return false;
    const failedMs = this.#failures.get(formatEndpoint(endpoint));
    return failedMs !== undefined && this.dependencies.clock.monotonicMs() - failedMs < AVOIDED_MS;
  }

  /** Closes the connections of a lane that is not used any more. */
  closeLane(lane: string): Promise<void> {
    return this.#pool.closeLane(lane);
  }

  /** Closes all connections; operations under way fail with CLIENT_CLOSED. */
  async close(): Promise<void> {
    this.#stop.abort(clientClosed());
    await this.#pool.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}
