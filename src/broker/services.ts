import type { Clock } from '../base/clock.ts';
import type { BrokerId } from '../base/units.ts';
import type { BrokerConfig } from '../config/broker-config.ts';
import type { Controller } from '../controller/controller.ts';
import type { GroupCoordinator } from '../coordinator/group/group-coordinator.ts';
import type { MetadataQuorum } from '../metadata/quorum.ts';
import type { Connection } from '../network/connection.ts';
import type { Replicas, TopicDirectory } from '../replication/replicas.ts';
import type { LogManager } from '../storage/log-manager.ts';
import type { ControllerGateway } from './controller-gateway.ts';
import type { FetchSessions } from './fetch-sessions.ts';
import type { FollowerLinks } from './follower-links.ts';
import type { InternalTopics } from './internal-topics.ts';
import type { ProducerIds } from './producer-ids.ts';
import type { ServingGate } from './serving-gate.ts';
import type { TopicCreation } from './topic-creation.ts';

/** What handlers may call. Built once, in `broker.ts`. */
export interface BrokerServices {
  readonly brokerId: BrokerId;
  readonly clock: Clock;
  /** The effective configuration now, dynamic values included. */
  config(): BrokerConfig;
  readonly quorum: MetadataQuorum;
  readonly controller: Controller;
  readonly topics: TopicDirectory;
  readonly topicCreation: TopicCreation;
  readonly producerIds: ProducerIds;
  readonly internalTopics: InternalTopics;
  readonly groups: GroupCoordinator;
  readonly logs: LogManager;
  readonly replicas: Replicas;
  readonly fetchSessions: FetchSessions;
  readonly controllerGateway: ControllerGateway;
  readonly followerLinks: FollowerLinks;
  readonly servingGate: ServingGate;
  /** Answers a request that another broker passes on, as if it had come from its client; both without size. */
  answerEnveloped(frame: Buffer, connection: Connection): Promise<Buffer | undefined>;
}
