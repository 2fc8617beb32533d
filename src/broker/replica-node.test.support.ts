/** One life of a broker process in a replica world: logs, replication and the handlers that serve it. */
import type { Clock, Timer } from '../base/clock.ts';
import { isFileRegion } from '../base/file-region.ts';
import type { FileSystem } from '../base/file-system.ts';
import { type Logger, silentLogger } from '../base/logger.ts';
import { type Random, seededRandom } from '../base/random.ts';
import type { BrokerId } from '../base/units.ts';
import { type BrokerConfig, loadBrokerConfig } from '../config/broker-config.ts';
import { resolveTopicConfig } from '../config/topic-config.ts';
import type { MetadataDelta } from '../metadata/delta.ts';
import { type MetadataImage, topicConfigsOf } from '../metadata/image.ts';
import type { Channel } from '../network/channel.ts';
import type { Connection } from '../network/connection.ts';
import { joinParts } from '../protocol/codec.ts';
import { decodeRequestBody, decodeRequestHeader, encodeResponseFrame } from '../protocol/frames.ts';
import { includesVersion } from '../protocol/versions.ts';
import type { IsrChanges } from '../replication/isr-changes.ts';
import { replicaConfigOf } from '../replication/replica-config.ts';
import { Replication } from '../replication/replication.ts';
import { LogManager } from '../storage/log-manager.ts';
import { cancellationOf } from './cancellation.ts';
import { FetchSessions } from './fetch-sessions.ts';
import { CLOSE, type Handler, NO_REPLY } from './handler.ts';
import { handleFetch } from './handlers/fetch.ts';
import { handleListOffsets } from './handlers/list-offsets.ts';
import { handleProduce } from './handlers/produce.ts';
import type { BrokerServices } from './services.ts';

/** A process that can be stopped in the middle of everything, for good or for a while. */
export class ProcessClock implements Clock {
  readonly #clock: Clock;
  isDead = false;
  #paused: (() => void)[] | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  wallMs = (): number => this.#clock.wallMs();
  monotonicMs = (): number => this.#clock.monotonicMs();
  after = (ms: number, callback: () => void): Timer => this.#clock.after(ms, () => this.run(callback));
  every = (ms: number, callback: () => void): Timer => this.#clock.every(ms, () => this.run(callback));
  afterTurn = (callback: () => void): void => this.#clock.afterTurn(() => this.run(callback));

  get isPaused(): boolean {
    return this.#paused !== undefined;
  }

  /** Runs something in the process, once it can. */
  run(callback: () => void): void {
    if (this.isDead) return;
    if (this.#paused !== undefined) this.#paused.push(callback);
    else callback();
  }

  pause(): void {
    this.#paused ??= [];
  }

  resume(): void {
    const waiting = this.#paused ?? [];
    this.#paused = undefined;
    for (const callback of waiting) this.run(callback);
  }
}

export interface NodeOptions {
  readonly brokerId: BrokerId;
  readonly brokerEpoch: number;
  readonly overrides: Readonly<Record<string, string>>;
  readonly seed: number;
}

export interface NodeDependencies {
  readonly clock: ProcessClock;
  readonly fileSystem: FileSystem;
  readonly image: MetadataImage;
  readonly isrChanges: IsrChanges;
  readonly openChannel: (brokerId: BrokerId) => Promise<Channel>;
  readonly logger?: Logger;
}

export class ReplicaNode {
  readonly brokerId: BrokerId;
  readonly brokerEpoch: number;
  readonly clock: ProcessClock;
  readonly logs: LogManager;
  readonly replication: Replication;
  readonly sessions: FetchSessions;
  readonly config: BrokerConfig;
  image: MetadataImage;
  readonly #handlers = new Map<number, Handler>();

  constructor(options: NodeOptions, dependencies: NodeDependencies) {
    const { clock, fileSystem } = dependencies;
    const logger = dependencies.logger ?? silentLogger;
    const random: Random = seededRandom(options.seed);
    this.brokerId = options.brokerId;
    this.brokerEpoch = options.brokerEpoch;
    this.clock = clock;
    this.image = dependencies.image;
    this.config = loadBrokerConfig({ overrides: { ...options.overrides } });
    const config = (): BrokerConfig => this.config;
    this.logs = new LogManager(
      {
        directories: ['/data'],
        nodeId: options.brokerId,
        clusterId: 'ckhF3xLEQsqTd6aJf9KTaQ',
        configOf: (topic) => replicaConfigOf(resolveTopicConfig(this.config, topicConfigsOf(this.image, topic))).log,
        highWatermarkOf: (log) => this.replication.replicas.highWatermarkOf(log),
        onDirectoryFailure: () => this.replication.directoryFailed(),
      },
      { fileSystem, clock, logger, random },
    );
    const topics = {
      hasPartition: (topic: string, partition: number) =>
        this.image.topics.byName.get(topic)?.partitions[partition] !== undefined,
      topicName: (id: string) => this.image.topics.byId.get(id)?.name,
    };
    this.replication = new Replication(
      { brokerId: options.brokerId },
      {
        logs: this.logs,
        directory: topics,
        clock,
        logger,
        config,
        image: () => this.image,
        brokerEpoch: () => options.brokerEpoch,
        isrChanges: dependencies.isrChanges,
        openChannel: dependencies.openChannel,
      },
    );
    this.sessions = new FetchSessions({ maxSessions: 100 }, { clock, random });
    const services = {
      brokerId: options.brokerId,
      clock,
      config,
      quorum: { image: () => this.image },
      topics,
      logs: this.logs,
      replicas: this.replication.replicas,
      fetchSessions: this.sessions,
      servingGate: { isOpen: true },
    } as unknown as BrokerServices;
    for (const create of [handleProduce, handleFetch, handleListOffsets]) {
      const made = create(services);
      this.#handlers.set(made.api.key, made);
    }
  }

  async start(): Promise<void> {
    await this.logs.open();
    this.replication.hostAll(this.image);
    this.replication.start();
  }

  follow(delta: MetadataDelta, image: MetadataImage): void {
    this.image = image;
    this.replication.follow(delta, image);
  }

  async stop(): Promise<void> {
    this.replication.stop();
    await this.logs.close({ brokerEpoch: this.brokerEpoch });
  }

  /** Answers a request frame without its size; undefined where nothing is answered. */
  async answer(frame: Buffer, connection: Connection): Promise<Buffer | undefined> {
    const header = decodeRequestHeader(frame, (key, version) => {
      const known = this.#handlers.get(key);
      return known === undefined ? undefined : includesVersion(known.api.request.flexible, version);
    });
    const { api, handle } = this.#handlers.get(header.apiKey)!;
    const request = decodeRequestBody(api, header.apiVersion, frame, header.bodyAt);
    const outcome = await handle(request, { header, connection, cancellation: cancellationOf(connection) });
    if (outcome === NO_REPLY || outcome === CLOSE) return undefined;
    const body = outcome as Record<string, unknown>;
    const parts = encodeResponseFrame(api, header.apiVersion, header.correlationId, body).map((part) => {
      if (!isFileRegion(part)) return part;
      const bytes = Buffer.alloc(part.length);
      const read = part.file.readSync(bytes, part.position);
      part.release();
      return bytes.subarray(0, read);
    });
    return joinParts(parts).subarray(4);
  }
}
