/**
 * Replication of one broker, put together: the hosted partitions, the fetchers that follow other leaders, what is proposed
 * to the controller, and the limits of its traffic. What happens to it comes from the metadata (`hostAll`, `follow`).
 */
import type { Clock, Timer } from '../base/clock.ts';
import type { Logger } from '../base/logger.ts';
import type { BrokerId } from '../base/units.ts';
import type { BrokerConfig } from '../config/broker-config.ts';
import type { MetadataDelta } from '../metadata/delta.ts';
import { isActiveBroker, type MetadataImage } from '../metadata/image.ts';
import type { Channel } from '../network/channel.ts';
import type { LogManager } from '../storage/log-manager.ts';
import { Fetchers } from './fetcher/fetchers.ts';
import type { FetcherSettings } from './fetcher/replica-fetcher.ts';
import { followDelta, hostAll } from './follow-metadata.ts';
import { IsrChangeQueue, type IsrChanges } from './isr-changes.ts';
import { Replicas, type TopicDirectory } from './replicas.ts';
import { ReplicationThrottle } from './throttle.ts';

export interface ReplicationDependencies {
  readonly logs: LogManager;
  readonly directory: TopicDirectory;
  readonly clock: Clock;
  readonly logger: Logger;
  /** The effective configuration now. */
  readonly config: () => BrokerConfig;
  /** The metadata that `hostAll` or `follow` was told last. */
  readonly image: () => MetadataImage;
  /** Epoch of this broker's registration. */
  readonly brokerEpoch: () => number;
  readonly isrChanges: IsrChanges;
  /** Connects to a broker, as it can be reached now. Rejects where it cannot. */
  readonly openChannel: (brokerId: BrokerId) => Promise<Channel>;
}

/** An in-sync replica that hangs holds producers up: it is let go no later than this after its time. */
const LONGEST_CHECK_MS = 500;
/** Followers that this broker did not hear while it did not run itself were not silent. */
const DEAF_MS = 250;
/** Pace of trying again to create logs that the disk refused. */
const RETRY_OFFLINE_MS = 10_000;

export class Replication {
  readonly brokerId: BrokerId;
  readonly replicas: Replicas;
  readonly #dependencies: ReplicationDependencies;
  readonly #changes: IsrChangeQueue;
  readonly #fetchers: Fetchers;
  #fetcherCount: number;
  #check: Timer | undefined;
  #retriedMs = 0;

  constructor({ brokerId }: { readonly brokerId: BrokerId }, dependencies: ReplicationDependencies) {
    const { logs, directory, clock, logger, config, image, brokerEpoch } = dependencies;
    this.brokerId = brokerId;
    this.#dependencies = dependencies;
    this.#changes = new IsrChangeQueue({ brokerId, brokerEpoch }, { changes: dependencies.isrChanges, clock, logger });
    this.#fetcherCount = config().get('num.replica.fetchers');
    this.#fetchers = new Fetchers({
      brokerId,
      brokerEpoch,
      clock,
      logger,
      openChannel: dependencies.openChannel,
      settings: () => fetcherSettings(config()),
      fetchersPerLeader: () => config().get('num.replica.fetchers'),
    });
    this.replicas = new Replicas(
      { brokerId },
      {
        logs,
        directory,
        logger,
        clock,
        following: this.#fetchers,
        environment: {
          clock,
          logger,
          proposals: this.#changes,
          lagTimeMaxMs: () => config().get('replica.lag.time.max.ms'),
          silenceMaxMs: () => config().get('sluice.replica.silence.max.ms') || Number.POSITIVE_INFINITY,
          brokers: {
            ownEpoch: brokerEpoch,
            epochOf: (id) => image().brokers.get(id)?.epoch,
            isActive: (id) => isActiveBroker(image(), id),
          },
        },
        throttle: {
          leader: this.#throttle(() => config().get('leader.replication.throttled.rate')),
          follower: this.#throttle(() => config().get('follower.replication.throttled.rate')),
        },
      },
    );
  }

  #throttle(bytesPerSecond: () => number | null): ReplicationThrottle {
    const { clock, config } = this.#dependencies;
    return new ReplicationThrottle(
      {
        limit: () => bytesPerSecond() ?? undefined,
        window: () => ({
          count: config().get('replication.quota.window.num'),
          sizeMs: 1000 * config().get('replication.quota.window.size.seconds'),
        }),
      },
      { clock },
    );
  }

  /** Begins to let go of followers that do not keep up. */
  start(): void {
    this.#checkLater();
  }

  #checkLater(): void {
    const { clock, config } = this.#dependencies;
    const afterMs = Math.max(1, Math.min(LONGEST_CHECK_MS, config().get('replica.lag.time.max.ms') / 2));
    const dueMs = clock.monotonicMs() + afterMs;
    this.#check = clock.after(afterMs, () => {
      const hears = clock.monotonicMs() - dueMs < DEAF_MS;
      for (const partition of this.replicas.partitions()) partition.checkFollowers({ hears });
      this.#retryOffline();
      this.#checkLater();
    });
  }

  #retryOffline(): void {
    const nowMs = this.#dependencies.clock.monotonicMs();
    if (nowMs - this.#retriedMs < RETRY_OFFLINE_MS) return;
    this.#retriedMs = nowMs;
    this.replicas.retryOffline();
  }

  /** Fetches and proposes nothing any more; hosted partitions still answer. */
  stop(): void {
    this.#check?.cancel();
    this.#fetchers.stop();
    this.#changes.stop();
    this.replicas.stop();
  }

  /** Hosts every partition that the image assigns to this broker. */
  hostAll(image: MetadataImage): void {
    hostAll({ brokerId: this.brokerId, config: this.#dependencies.config, replicas: this.replicas }, image);
  }

  /** Takes over a change of the metadata. The image that it led to must be what `image()` tells by now. */
  follow(delta: MetadataDelta, image: MetadataImage): void {
    followDelta({ brokerId: this.brokerId, config: this.#dependencies.config, replicas: this.replicas }, delta, image);
    const count = this.#dependencies.config().get('num.replica.fetchers');
    if (count === this.#fetcherCount) return;
    this.#fetcherCount = count;
    this.#fetchers.spread();
  }

  /** A log directory failed. */
  directoryFailed(): void {
    this.replicas.directoryFailed();
  }
}

function fetcherSettings(config: BrokerConfig): FetcherSettings {
  return {
    maxWaitMs: config.get('replica.fetch.wait.max.ms'),
    minBytes: config.get('replica.fetch.min.bytes'),
    maxBytes: config.get('replica.fetch.response.max.bytes'),
    partitionMaxBytes: config.get('replica.fetch.max.bytes'),
    backoffMs: config.get('replica.fetch.backoff.ms'),
    requestTimeoutMs: config.get('replica.socket.timeout.ms'),
    silenceMs: config.get('replica.fetch.wait.max.ms') + config.get('broker.session.timeout.ms') / 2,
  };
}
