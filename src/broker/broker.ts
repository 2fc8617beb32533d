/**
 * The composition root: builds every service of one broker, wires what lower rooms declare as interfaces, starts them
 * in order and stops them in the opposite one. Nothing else constructs services.
 */
import { hostname } from 'node:os';
import { type Clock, systemClock } from '../base/clock.ts';
import { disk } from '../base/disk.ts';
import { messageOf, SluiceError } from '../base/errors.ts';
import type { FileSystem } from '../base/file-system.ts';
import { libc } from '../base/libc.ts';
import { limitLines } from '../base/limited-logger.ts';
import type { Logger } from '../base/logger.ts';
import { type Random, systemRandom } from '../base/random.ts';
import type { BrokerId } from '../base/units.ts';
import { newUuid } from '../base/uuid.ts';
import type { BrokerConfig } from '../config/broker-config.ts';
import {
  advertisedListeners,
  brokerListeners,
  type Endpoint,
  interBrokerListener,
  type ListenersResult,
  SECURITY_PROTOCOL_IDS,
} from '../config/listeners.ts';
import { resolveTopicConfig } from '../config/topic-config.ts';
import { type BrokerReference, Controller } from '../controller/controller.ts';
import { GroupCoordinator, OFFSETS_TOPIC } from '../coordinator/group/group-coordinator.ts';
import { brokerConfigsOf, emptyImage, type MetadataImage, topicConfigsOf } from '../metadata/image.ts';
import type { MetadataQuorum } from '../metadata/quorum.ts';
import { nodeTransport, type Transport } from '../network/transport.ts';
import { alterPartition } from '../protocol/apis/alter-partition.ts';
import { assignReplicasToDirs } from '../protocol/apis/assign-replicas-to-dirs.ts';
import { replicaConfigOf } from '../replication/replica-config.ts';
import type { TopicDirectory } from '../replication/replicas.ts';
import { Replication } from '../replication/replication.ts';
import type { Log } from '../storage/log.ts';
import type { LogConfig } from '../storage/log-config.ts';
import { LogManager } from '../storage/log-manager.ts';
import { clusterIdIn } from '../storage/meta-properties.ts';
import { type Answering, answering, ownConnection } from './answering.ts';
import { ClusterMembership } from './cluster-membership.ts';
import { ControllerContact } from './controller-contact.ts';
import { ControllerGateway } from './controller-gateway.ts';
import { allocateProducerIdsThrough, createTopicsThrough } from './controller-requests.ts';
import { createDispatch } from './dispatch.ts';
import { FetchSessions } from './fetch-sessions.ts';
import { FollowerLinks } from './follower-links.ts';
import { groupCoordinatorOptions } from './group-options.ts';
import { HandlerFailures } from './handler-failures.ts';
import { createHandlers } from './handlers.ts';
import { InternalTopics } from './internal-topics.ts';
import { type OpenListeners, openListeners } from './listening.ts';
import { cleanerSettings, logDirectories, logManagerOptions } from './log-options.ts';
import { Peers } from './peers.ts';
import { type ProducerIdBlock, ProducerIds } from './producer-ids.ts';
import { type StartedQuorum, startQuorum } from './quorums.ts';
import { ReplicaDirectories } from './replica-directories.ts';
import type { BrokerServices } from './services.ts';
import { ServingGate } from './serving-gate.ts';
import { TopicCreation } from './topic-creation.ts';

/** A new controller takes seconds at most: who asks for longer is told that there is none. */
const CONTROLLER_PATIENCE_MS = 8000;

export interface BrokerDependencies {
  readonly logger: Logger;
  readonly clock?: Clock;
  readonly random?: Random;
  readonly fileSystem?: FileSystem;
  readonly transport?: Transport;
  /** The broker stops by itself, for it cannot go on. */
  readonly onFailure?: (error: Error) => void;
  /** Sees what the broker is made of before it serves: for simulation, which checks invariants in there. */
  readonly onServices?: (services: BrokerServices) => void;
}

export interface Broker {
  readonly brokerId: BrokerId;
  readonly clusterId: string;
  /** What clients are told to connect to. */
  readonly advertised: readonly Endpoint[];
  readonly dataDirectories: readonly string[];
  /** Finishes requests in flight, makes everything durable and stops. */
  close(): Promise<void>;
}

/**
 * Starts a broker; resolves once it serves. Rejects with a SluiceError where the configuration, a directory or a
 * port does not allow it, leaving nothing open.
 */
export async function createBroker(
  options: { readonly config: BrokerConfig },
  dependencies: BrokerDependencies,
): Promise<Broker> {
  const clock = dependencies.clock ?? systemClock;
  const broker = new BrokerProcess(options.config, {
    random: systemRandom,
    fileSystem: disk,
    transport: nodeTransport,
    onServices: () => undefined,
    onFailure: () => undefined,
    ...dependencies,
    clock,
    logger: limitLines(dependencies.logger, clock),
  });
  try {
    await broker.start();
    return broker;
  } catch (error) {
    await broker.close();
    throw error;
  }
}

class BrokerProcess implements Broker {
  readonly brokerId: BrokerId;
  readonly #dependencies: Required<BrokerDependencies>;
  readonly #logger: Logger;
  readonly #static: BrokerConfig;
  readonly #logs: LogManager;
  readonly #peers: Peers;
  /** What to undo, in the order of starting. */
  readonly #stops: (() => Promise<void>)[] = [];
  #config: BrokerConfig;
  #quorum: MetadataQuorum | undefined;
  #replication: Replication | undefined;
  #advertised: readonly Endpoint[] = [];
  /** Of the cluster, where others than this node's directories know it. */
  #clusterId: string | undefined;
  #membership: ClusterMembership | undefined;
  #directories: ReplicaDirectories | undefined;
  /** Set once there are handlers. */
  #listeners: OpenListeners | undefined;
  #answerOwn: Answering = () => Promise.resolve(undefined);
  #answerEnveloped: Answering = () => Promise.resolve(undefined);
  #closing: Promise<void> | undefined;

  constructor(config: BrokerConfig, dependencies: Required<BrokerDependencies>) {
    const clusterId = (): string | undefined => this.#clusterId;
    this.#static = config;
    this.#config = config;
    this.#dependencies = dependencies;
    this.#logger = dependencies.logger;
    this.brokerId = Math.max(0, config.get('node.id'));
    this.#peers = new Peers(
      {
        brokerId: this.brokerId,
        requestTimeoutMs: config.get('request.timeout.ms'),
        listener: interBrokerListener(config),
      },
      { ...dependencies, image: () => this.#quorum?.image() ?? emptyImage('') },
    );
    this.#logs = new LogManager(
      {
        ...logManagerOptions(config, this.brokerId),
        get clusterId() {
          return clusterId();
        },
        configOf: (topic) => this.#logConfigOf(topic),
        isStray: (log) => this.#isStray(log),
        onMoved: (log) => {
          this.#replication?.replicas.logMoved(log);
          this.#directories?.look();
        },
        onDirectoryFailure: () => this.#directoryFailed(),
        // Never the end of a log that nobody hosts yet: what of it is committed is not known better than before.
        highWatermarkOf: (log) =>
          this.#replication === undefined
            ? this.#logs.checkpointedHighWatermark(log)
            : this.#replication.replicas.highWatermarkOf(log),
        moveBytesPerSecond: () => this.#config.get('replica.alter.log.dirs.io.max.bytes.per.second') ?? undefined,
        cleaner: () => cleanerSettings(this.#config),
      },
      dependencies,
    );
  }

  get clusterId(): string {
    return this.#logs.clusterId;
  }

  get advertised(): readonly Endpoint[] {
    return this.#advertised;
  }

  get dataDirectories(): readonly string[] {
    return logDirectories(this.#static);
  }

  async start(): Promise<void> {
    const endpoints = plaintextOnly(endpointsOf(brokerListeners(this.#config)));
    const started = await this.#startQuorum();
    const services = this.#createServices(started);
    this.#dependencies.onServices(services);
    this.#membership = this.#createMembership(started, services);
    // Before the logs are read: recovery may take minutes, and this node may be the controller that others follow.
    await this.#listen(endpoints, services);
    await this.#logs.load();
    await this.#join();
    // Not with metadata of before: in its former life this broker led in epochs that it must not lead in again.
    this.#follow(started.quorum, services);
    services.servingGate.open();
    services.producerIds.begin();
    this.#keepInTouch(started, services);
    this.#reportFacts();
  }

  #keepInTouch({ controllerSilentMs }: StartedQuorum, { servingGate }: BrokerServices): void {
    if (controllerSilentMs === undefined) return;
    const { clock, logger } = this.#dependencies;
    const config = this.#static;
    // A controller that hangs is in office until its own session ends: nobody was fenced by it.
    const replacedMs = 1.5 * config.get('zookeeper.session.timeout.ms');
    const contact = new ControllerContact(
      { limitMs: Math.max(config.get('broker.session.timeout.ms'), replacedMs) },
      {
        clock,
        logger,
        silentMs: controllerSilentMs,
        onLost: () => {
          servingGate.shut();
          this.#listeners?.dropConnections();
        },
        onRegained: () => servingGate.open(),
      },
    );
    this.#stops.push(async () => contact.close());
  }

  /** Takes over the metadata as it is in this turn, and every change from then on. */
  #follow(quorum: MetadataQuorum, { groups, controllerGateway }: BrokerServices): void {
    const replication = this.#replication!;
    const directories = this.#createReplicaDirectories(quorum, controllerGateway);
    const configure = (image: MetadataImage): void => {
      this.#config = this.#static.withDynamic(brokerConfigsOf(image, this.brokerId));
    };
    configure(quorum.image());
    replication.hostAll(quorum.image());
    replication.start();
    groups.start();
    directories.look();
    quorum.subscribe((delta, image) => {
      configure(image);
      replication.follow(delta, image);
      groups.follow(delta, image);
      if (delta.createdTopics.length > 0 || delta.changedTopics.length > 0) directories.look();
    });
  }

  #createReplicaDirectories(quorum: MetadataQuorum, gateway: ControllerGateway): ReplicaDirectories {
    const { logger, clock } = this.#dependencies;
    const directories = new ReplicaDirectories(
      { brokerId: this.brokerId, brokerEpoch: () => this.#brokerEpoch },
      {
        clock,
        logger,
        image: () => quorum.image(),
        logs: this.#logs,
        assign: (request) => gateway.request(assignReplicasToDirs, request),
      },
    );
    this.#stops.push(async () => directories.close());
    this.#directories = directories;
    return directories;
  }

  async #startQuorum(): Promise<StartedQuorum> {
    const { logger, clock, fileSystem, random, transport } = this.#dependencies;
    const started = await startQuorum(
      {
        config: this.#static,
        brokerId: this.brokerId,
        brokerEpoch: () => this.#brokerEpoch,
        knownClusterId: () => clusterIdIn(this.dataDirectories, fileSystem),
        claimLogs: (clusterId) => {
          this.#clusterId = clusterId;
          this.#logs.claim();
          this.#stops.push(() => this.#logs.close({ brokerEpoch: this.#brokerEpoch }));
          return { clusterId: this.#logs.clusterId, directoryId: this.#logs.directories()[0]?.id };
        },
        onStop: (stop) => this.#stops.push(stop),
        onFailure: (error) => this.#fail(error),
      },
      { logger, clock, fileSystem, random, transport, connect: (address) => this.#peers.connectAt(address) },
    );
    this.#quorum = started.quorum;
    this.#config = this.#static.withDynamic(brokerConfigsOf(started.quorum.image(), this.brokerId));
    return started;
  }

  get #brokerEpoch(): number {
    return this.#membership?.brokerEpoch ?? -1;
  }

  #createServices(started: StartedQuorum): BrokerServices {
    const { quorum } = started;
    const { logger, clock, random } = this.#dependencies;
    const config = (): BrokerConfig => this.#config;
    const controller = this.#createController(started);
    const gateway = this.#createGateway(quorum);
    const create = createTopicsThrough(gateway);
    const topics: TopicDirectory = {
      hasPartition: (topic, partition) => quorum.image().topics.byName.get(topic)?.partitions[partition] !== undefined,
      topicName: (id) => quorum.image().topics.byId.get(id)?.name,
    };
    const { replicas } = this.#createReplication(quorum, topics, gateway);
    const services: BrokerServices = {
      brokerId: this.brokerId,
      clock,
      config,
      quorum,
      controller,
      topics,
      topicCreation: new TopicCreation({ enabled: () => config().get('auto.create.topics.enable') }, { create }),
      producerIds: this.#createProducerIds(gateway),
      logs: this.#logs,
      replicas,
      internalTopics: new InternalTopics({ config }, { create, quorum }),
      groups: new GroupCoordinator(
        { brokerId: this.brokerId, ...groupCoordinatorOptions(config) },
        {
          clock,
          random,
          logger,
          image: () => quorum.image(),
          find: (partition) => replicas.find(OFFSETS_TOPIC, partition),
        },
      ),
      fetchSessions: new FetchSessions(
        { maxSessions: config().get('max.incremental.fetch.session.cache.slots') },
        { clock, random },
      ),
      controllerGateway: gateway,
      servingGate: new ServingGate({ clock }),
      followerLinks: new FollowerLinks(
        {
          brokerId: this.brokerId,
          silenceMs: started.brokersBeat ? undefined : this.#static.get('broker.session.timeout.ms'),
        },
        {
          clock,
          quorum,
          connect: (brokerId) => this.#peers.connectTo(brokerId),
          onGone: (brokerId, brokerEpoch) => this.#suspect(controller, { brokerId, brokerEpoch }),
          onIsolated: () => started.standDown?.('most of the other brokers do not reach it'),
        },
      ),
      answerEnveloped: (frame, connection) => this.#answerEnveloped(frame, connection),
    };
    return services;
  }

  #createProducerIds(gateway: ControllerGateway): ProducerIds {
    const { logger, clock } = this.#dependencies;
    const { brokerId } = this;
    const allocate = (): Promise<ProducerIdBlock> =>
      allocateProducerIdsThrough(gateway, { brokerId, brokerEpoch: this.#brokerEpoch });
    const producerIds = new ProducerIds({ clock, logger, allocate });
    this.#stops.push(async () => producerIds.close());
    return producerIds;
  }

  #createReplication(quorum: MetadataQuorum, topics: TopicDirectory, gateway: ControllerGateway): Replication {
    const { logger, clock } = this.#dependencies;
    const replication = new Replication(
      { brokerId: this.brokerId },
      {
        logs: this.#logs,
        directory: topics,
        clock,
        logger,
        config: () => this.#config,
        image: () => quorum.image(),
        brokerEpoch: () => this.#brokerEpoch,
        // What stays without an answer over a dead link is sent again over another, with the same outcome.
        isrChanges: {
          alter: (request) => gateway.request(alterPartition, request, { timeoutMs: this.#halfSessionMs }),
        },
        openChannel: (brokerId) => this.#peers.connectTo(brokerId),
      },
    );
    this.#stops.push(async () => replication.stop());
    this.#replication = replication;
    return replication;
  }

  get #halfSessionMs(): number {
    return this.#static.get('broker.session.timeout.ms') / 2;
  }

  #createController({ quorum, brokersBeat, watch }: StartedQuorum): Controller {
    const { logger, clock, random } = this.#dependencies;
    const controller = new Controller(
      { config: () => this.#config, heartbeatsCount: brokersBeat },
      { quorum, logger, random, clock },
    );
    const stops = [
      quorum.onRole((active) => controller.roleChanged(active)),
      watch?.watchBrokers((live) => controller.followMembers(live)),
    ];
    if (quorum.isActiveController()) controller.roleChanged(true);
    this.#stops.push(async () => {
      for (const stop of stops) stop?.();
      controller.close();
    });
    return controller;
  }

  #createGateway(quorum: MetadataQuorum): ControllerGateway {
    const { logger, clock } = this.#dependencies;
    const own = ownConnection();
    const gateway = new ControllerGateway(
      { timeoutMs: this.#static.get('request.timeout.ms'), patienceMs: CONTROLLER_PATIENCE_MS },
      {
        clock,
        logger,
        quorum,
        connect: (address) => this.#peers.connectAt(address),
        answer: (frame) => this.#answerOwn(frame, own),
      },
    );
    this.#stops.push(async () => gateway.close());
    return gateway;
  }

  /** The broker's process is gone: there is no reason to wait for the end of its session. */
  #suspect(controller: Controller, broker: BrokerReference): void {
    controller.suspect(broker).catch((error: unknown) => {
      this.#logger.warn('a broker that is gone could not be fenced', { ...broker, reason: messageOf(error) });
    });
  }

  #createMembership(started: StartedQuorum, services: BrokerServices): ClusterMembership {
    const { logger, clock } = this.#dependencies;
    const { quorum, controller, controllerGateway: gateway } = services;
    const config = this.#static;
    const handOver = config.get('controlled.shutdown.enable');
    return new ClusterMembership(
      {
        brokerId: this.brokerId,
        heartbeatMs: config.get('broker.heartbeat.interval.ms'),
        handOverMs: handOver
          ? config.get('controlled.shutdown.max.retries') * config.get('controlled.shutdown.retry.backoff.ms')
          : 0,
        offlineLogDirs: () =>
          this.#logs.directories().flatMap(({ id, online }) => (id === undefined || online ? [] : [id])),
      },
      { clock, logger, quorum, gateway, registrar: started.registrar({ controller, gateway }) },
    );
  }

  async #listen(endpoints: readonly Endpoint[], services: BrokerServices): Promise<void> {
    const { logger, clock, transport } = this.#dependencies;
    const config = this.#config;
    const handlers = createHandlers(services);
    const { controllerGateway: toController, servingGate: gate } = services;
    const surroundings = { logger, failures: new HandlerFailures({ clock, logger }) };
    const obstacle = (): string | undefined => services.quorum.obstacle;
    const handler = createDispatch(handlers, surroundings, { toController, gate, obstacle });
    this.#answerOwn = answering(createDispatch(handlers, surroundings));
    const forController = handlers.filter(({ traits }) => traits.forController);
    this.#answerEnveloped = answering(createDispatch(forController, surroundings, { obstacle }));
    const listeners = await openListeners({ config, endpoints, handler }, { logger, clock, transport });
    this.#listeners = listeners;
    this.#stops.push(() => listeners.close({ graceMs: config.get('sluice.shutdown.grace.ms') }));
    // First of all: members that wait for others would hold up the listeners until the grace is over.
    this.#stops.push(async () => services.groups.close());
    this.#advertised = endpointsOf(advertisedListeners(config, hostname(), listeners.ports));
  }

  /** Makes the broker known at the ports that it got. */
  async #join(): Promise<void> {
    const membership = this.#membership!;
    const { previousBrokerEpoch } = this.#logs;
    this.#stops.push(() => membership.leave());
    await membership.join({
      brokerId: this.brokerId,
      clusterId: this.clusterId,
      incarnationId: newUuid(this.#dependencies.random),
      endpoints: this.#advertised.map(({ listener, host, port, protocol }) => ({
        name: listener,
        host,
        port,
        securityProtocol: SECURITY_PROTOCOL_IDS[protocol],
      })),
      rack: this.#config.get('broker.rack'),
      logDirs: this.#logs.directories().flatMap(({ id }) => (id === undefined ? [] : [id])),
      previousBrokerEpoch,
      unfenced: false,
    });
  }

  /** Whether no partition that is assigned to this broker has this log, as after a deletion that a crash interrupted. */
  #isStray({ topic, partition, topicId }: Log): boolean {
    const known = this.#quorum?.image().topics.byName.get(topic);
    const assigned = known?.partitions[partition]?.replicas.includes(this.brokerId) === true;
    return !assigned || (topicId !== undefined && topicId !== known?.id);
  }

  #logConfigOf(topic: string): LogConfig {
    const overrides = this.#quorum === undefined ? new Map() : topicConfigsOf(this.#quorum.image(), topic);
    return replicaConfigOf(resolveTopicConfig(this.#config, overrides)).log;
  }

  #reportFacts(): void {
    const sending = libc === undefined ? 'copying (koffi is not installed or not for this system)' : 'sendfile';
    this.#logger.info('broker started', { brokerId: this.brokerId, clusterId: this.clusterId, sending });
    const inert = this.#static.inertGiven().map(({ name }) => name);
    if (inert.length > 0) this.#logger.warn('options that have no effect here (see sluice config)', { options: inert });
    const ignored = [...this.#static.ignoredOptions].map(([name, what]) => `${name} (${what})`);
    if (ignored.length > 0) this.#logger.warn('options that are ignored', { options: ignored });
  }

  #directoryFailed(): void {
    this.#replication?.directoryFailed();
    void this.#membership?.tellOfflineDirectories();
    if (this.#logs.directories().some(({ online }) => online)) return;
    this.#fail(new SluiceError('NO_LOG_DIRECTORY', 'every log directory has failed'));
  }

  /** Without its metadata a broker cannot know whether what it does is still right: it stops, and says so. */
  #fail(error: Error): void {
    if (this.#closing !== undefined) return;
    this.#logger.error('stopping: this broker cannot go on', { reason: messageOf(error) });
    this.#dependencies.onFailure(error);
    this.close().catch((failure: unknown) => {
      this.#logger.error('not everything could be stopped in order', { reason: messageOf(failure) });
    });
  }

  close(): Promise<void> {
    this.#closing ??= this.#stopAll();
    return this.#closing;
  }

  async #stopAll(): Promise<void> {
    const failures: unknown[] = [];
    // What fails to stop must not keep the others, and their directories' locks, from being given up.
    for (const stop of this.#stops.reverse()) await stop().catch((error: unknown) => failures.push(error));
    if (failures.length > 0) throw failures[0];
  }
}

function endpointsOf(result: ListenersResult): readonly Endpoint[] {
  if (result.ok) return result.endpoints;
  throw new SluiceError('INVALID_CONFIG', result.error);
}

/** Refuses to listen without the protection that somebody configured. */
function plaintextOnly(endpoints: readonly Endpoint[]): readonly Endpoint[] {
  const guarded = endpoints.find(({ protocol }) => protocol !== 'PLAINTEXT');
  if (guarded === undefined) return endpoints;
  throw new SluiceError('LISTENER_UNSUPPORTED', `listener ${guarded.listener}: ${guarded.protocol} is not served yet`, {
    remedy: 'Use PLAINTEXT on an address that only trusted hosts reach.',
  });
}
