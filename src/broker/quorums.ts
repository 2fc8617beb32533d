/**
 * The metadata quorum that a configuration asks for: builds and starts it, and tells how brokers become known in it. Each
 * kind has its own order of things: a node that is its own quorum finds its cluster in its directories, others ask first.
 */

import { unreachable } from '../base/assert.ts';
import type { Clock } from '../base/clock.ts';
import { SluiceError } from '../base/errors.ts';
import type { FileSystem } from '../base/file-system.ts';
import type { Logger } from '../base/logger.ts';
import type { Random } from '../base/random.ts';
import type { BrokerId } from '../base/units.ts';
import type { Uuid } from '../base/uuid.ts';
import type { BrokerConfig } from '../config/broker-config.ts';
import { interBrokerListener } from '../config/listeners.ts';
import type { Controller } from '../controller/controller.ts';
import { eligibleLeaderRecords } from '../controller/eligible-leaders.ts';
import type { BrokerWatch } from '../metadata/broker-registration.ts';
import { featureRecords } from '../metadata/first-records.ts';
import type { MetadataQuorum } from '../metadata/quorum.ts';
import { FollowedQuorum } from '../metadata/quorums/followed.ts';
import { LocalQuorum } from '../metadata/quorums/local.ts';
import { zooKeeperOptions } from '../metadata/quorums/zookeeper/quorum-options.ts';
import { ZooKeeperQuorum } from '../metadata/quorums/zookeeper/zookeeper-quorum.ts';
import type { MetadataRecord } from '../metadata/records.ts';
import type { Channel } from '../network/channel.ts';
import type { Transport } from '../network/transport.ts';
import { brokerRegistration } from '../protocol/apis/broker-registration.ts';
import { ErrorCode, errorName, isRetriable } from '../protocol/error-codes.ts';
import type { Registrar } from './cluster-membership.ts';
import type { ControllerGateway } from './controller-gateway.ts';
import { logDirectories } from './log-options.ts';

export type QuorumChoice =
  /** An ensemble of ZooKeeper. */
  | { readonly kind: 'zookeeper'; readonly options: NonNullable<ReturnType<typeof zooKeeperOptions>> }
  /** This node alone is the quorum. */
  | { readonly kind: 'local' }
  /** Another node alone is the quorum. */
  | {
      readonly kind: 'followed';
      readonly controller: { readonly id: BrokerId; readonly host: string; readonly port: number };
    };

const VOTER = /^(\d+)@\[?([^\]]+)\]?:(\d{1,5})$/;

export function quorumOf(config: BrokerConfig): QuorumChoice {
  const options = zooKeeperOptions(config);
  if (options !== undefined) return { kind: 'zookeeper', options };
  const voters = config.get('controller.quorum.voters');
  if (voters.length === 0) return { kind: 'local' };
  if (voters.length > 1) {
    throw new SluiceError('INVALID_CONFIG', 'controller.quorum.voters: quorums of several voters are not there yet', {
      remedy: 'Name one voter, or use zookeeper.connect.',
    });
  }
  const match = VOTER.exec(voters[0]!);
  if (match === null) {
    throw new SluiceError('INVALID_CONFIG', `controller.quorum.voters=${voters[0]}: expected id@host:port`);
  }
  const controller = { id: Number(match[1]), host: match[2]!, port: Number(match[3]) };
  return controller.id === config.get('node.id') ? { kind: 'local' } : { kind: 'followed', controller };
}

export interface QuorumSurroundings {
  readonly config: BrokerConfig;
  readonly brokerId: BrokerId;
  readonly brokerEpoch: () => number;
  /** The cluster that the data directories belong to, where they have data; nothing is claimed or written for it. */
  readonly knownClusterId: () => string | undefined;
  /** Takes the data directories, for the cluster that is known by now, and tells whose they are. */
  readonly claimLogs: (clusterId: string | undefined) => ClaimedLogs;
  /** What is started must be stopped. */
  readonly onStop: (stop: () => Promise<void>) => void;
  /** The metadata cannot be trusted any more. */
  readonly onFailure: (error: Error) => void;
}

export interface ClaimedLogs {
  readonly clusterId: string;
  /** Of one directory, which nobody else has while this broker lives. */
  readonly directoryId: Uuid | undefined;
}

export interface QuorumDependencies {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly random: Random;
  readonly fileSystem: FileSystem;
  readonly transport: Transport;
  readonly connect: (address: { readonly host: string; readonly port: number }) => Promise<Channel>;
}

export interface StartedQuorum {
  readonly quorum: MetadataQuorum;
  /** Whether brokers tell by heartbeats that they live. Where not, `watch` tells. */
  readonly brokersBeat: boolean;
  readonly watch?: BrokerWatch;
  /** This node hears too few of the others to be their controller; left out where nobody else can be. */
  standDown?(why: string): void;
  /** How long the controller was not heard; undefined where nobody is to be heard. Left out where nobody else can be it. */
  controllerSilentMs?(): number | undefined;
  /** How this broker becomes known in it. */
  registrar(services: { readonly controller: Controller; readonly gateway: ControllerGateway }): Registrar;
}

/** Resolves once the metadata is there. */
export function startQuorum(
  surroundings: QuorumSurroundings,
  dependencies: QuorumDependencies,
): Promise<StartedQuorum> {
  const choice = quorumOf(surroundings.config);
  switch (choice.kind) {
    case 'local':
      return startLocal(surroundings, dependencies);
    case 'followed':
      return startFollowed(choice.controller, surroundings, dependencies);
    case 'zookeeper':
      return startZooKeeper(choice.options, surroundings, dependencies);
    default:
      return unreachable(choice, 'every kind of quorum is started');
  }
}

async function startZooKeeper(
  options: NonNullable<ReturnType<typeof zooKeeperOptions>>,
  { config, brokerId, knownClusterId, claimLogs, onStop, onFailure }: QuorumSurroundings,
  { connect, ...dependencies }: QuorumDependencies,
): Promise<StartedQuorum> {
  const quorum = new ZooKeeperQuorum(
    {
      ...options,
      brokerId,
      interBrokerListener: interBrokerListener(config),
      firstRecords: firstRecords(config),
      onFailure,
    },
    { ...dependencies, connectController: connect },
  );
  onStop(() => quorum.close());
  const { directoryId } = claimLogs(await quorum.clusterId(knownClusterId()));
  await quorum.start(directoryId);
  const registrar: Registrar = {
    register: (registration) => quorum.registerBroker(registration),
    onEpoch: (listener) => quorum.onBrokerEpoch(listener),
    needsHeartbeats: false,
  };
  return {
    quorum,
    brokersBeat: false,
    watch: quorum,
    standDown: (why) => quorum.standDown(why),
    controllerSilentMs: () => quorum.controllerSilentMs(),
    registrar: () => registrar,
  };
}

/** As Kafka formats new clusters: a replica that lost what it had acknowledged does not lead while others have it. */
function firstRecords(config: BrokerConfig): MetadataRecord[] {
  return [...featureRecords(), ...eligibleLeaderRecords(config)];
}

async function startLocal(
  { config, brokerId, claimLogs, onStop, onFailure }: QuorumSurroundings,
  { clock, logger, random, fileSystem }: QuorumDependencies,
): Promise<StartedQuorum> {
  const { clusterId } = claimLogs(undefined);
  const quorum = new LocalQuorum(
    {
      directory: config.get('metadata.log.dir') ?? logDirectories(config)[0]!,
      nodeId: brokerId,
      clusterId,
      firstRecords: firstRecords(config),
      segmentBytes: config.get('metadata.log.segment.bytes'),
      segmentMs: config.get('metadata.log.segment.ms'),
      snapshotAfterBytes: config.get('metadata.log.max.record.bytes.between.snapshots'),
      snapshotAfterMs: config.get('metadata.log.max.snapshot.interval.ms'),
      onFailure,
    },
    { logger, clock, fileSystem, random },
  );
  onStop(() => quorum.close());
  await quorum.start();
  const registrar = ({ controller }: { readonly controller: Controller }): Registrar => ({
    // Nobody else watches this node, so there is nothing to wait for.
    register: (registration) => controller.registerBroker({ ...registration, unfenced: true }),
    needsHeartbeats: false,
  });
  return { quorum, brokersBeat: true, registrar };
}

async function startFollowed(
  controller: { readonly id: BrokerId; readonly host: string; readonly port: number },
  { brokerId, brokerEpoch, claimLogs, onStop }: QuorumSurroundings,
  dependencies: QuorumDependencies,
): Promise<StartedQuorum> {
  const quorum = new FollowedQuorum({ brokerId, brokerEpoch, controller }, dependencies);
  onStop(() => quorum.close());
  const clusterId = await quorum.clusterId();
  claimLogs(clusterId);
  await quorum.start(clusterId);
  return {
    quorum,
    brokersBeat: true,
    registrar: ({ gateway }) => ({ register: registerThrough(gateway), needsHeartbeats: true }),
  };
}

/**
 * The controller itself is in trouble, its disk full for one; or this broker's former life, which had other directories,
 * has a session that must end first.
 */
const MAY_PASS: ReadonlySet<number> = new Set([
  ErrorCode.UNKNOWN_SERVER_ERROR,
  ErrorCode.DUPLICATE_BROKER_REGISTRATION,
]);

/** Registers by request to the active controller. */
function registerThrough(gateway: ControllerGateway): Registrar['register'] {
  return async ({ endpoints, features, unfenced: _, ...registration }) => {
    const answer = await gateway.request(brokerRegistration, {
      ...registration,
      listeners: endpoints,
      features: features ?? [],
    });
    if (answer.errorCode === ErrorCode.NONE) return { brokerEpoch: answer.brokerEpoch };
    const name = errorName(answer.errorCode);
    throw new SluiceError(name, `the controller refused to register this broker: ${name}`, {
      retriable: isRetriable(answer.errorCode) || MAY_PASS.has(answer.errorCode),
    });
  };
}
