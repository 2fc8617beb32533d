/**
 * The controller: requests in, metadata records out, answers once they are committed. Each decision is a pure function
 * over an image (one file a concern); here they meet the quorum. Knows no socket and no log.
 */

import type { Clock } from '../base/clock.ts';
import { SluiceError } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import type { Random } from '../base/random.ts';
import type { Offset } from '../base/units.ts';
import type { BrokerConfig } from '../config/broker-config.ts';
import type { BrokerReference, BrokerRegistration, LiveBroker } from '../metadata/broker-registration.ts';
import type { MetadataImage } from '../metadata/image.ts';
import type { MetadataQuorum } from '../metadata/quorum.ts';
import type { AllocateProducerIdsResponse } from '../protocol/apis/allocate-producer-ids.ts';
import type { AlterConfigsRequest, AlterConfigsResponse } from '../protocol/apis/alter-configs.ts';
import type { AlterPartitionRequest, AlterPartitionResponse } from '../protocol/apis/alter-partition.ts';
import type {
  AlterPartitionReassignmentsRequest,
  AlterPartitionReassignmentsResponse,
} from '../protocol/apis/alter-partition-reassignments.ts';
import type {
  AssignReplicasToDirsRequest,
  AssignReplicasToDirsResponse,
} from '../protocol/apis/assign-replicas-to-dirs.ts';
import type { BrokerHeartbeatRequest, BrokerHeartbeatResponse } from '../protocol/apis/broker-heartbeat.ts';
import type { BrokerRegistrationRequest, BrokerRegistrationResponse } from '../protocol/apis/broker-registration.ts';
import type { CreatePartitionsRequest, CreatePartitionsResponse } from '../protocol/apis/create-partitions.ts';
import type { CreateTopicsRequest, CreateTopicsResponse } from '../protocol/apis/create-topics.ts';
import type { DeleteTopicsRequest, DeleteTopicsResponse } from '../protocol/apis/delete-topics.ts';
import type { ElectLeadersRequest, ElectLeadersResponse } from '../protocol/apis/elect-leaders.ts';
import type {
  IncrementalAlterConfigsRequest,
  IncrementalAlterConfigsResponse,
} from '../protocol/apis/incremental-alter-configs.ts';
import type {
  ListPartitionReassignmentsRequest,
  ListPartitionReassignmentsResponse,
} from '../protocol/apis/list-partition-reassignments.ts';
import type { UnregisterBrokerRequest, UnregisterBrokerResponse } from '../protocol/apis/unregister-broker.ts';
import type { UpdateFeaturesRequest, UpdateFeaturesResponse } from '../protocol/apis/update-features.ts';
import { ErrorCode, errorName, isRetriable } from '../protocol/error-codes.ts';
import { ActiveDuties } from './active-duties.ts';
import { alterPartition, alterPartitionRefused } from './alter-partition.ts';
import { brokerHeartbeat, type HeartbeatOutcome } from './broker-heartbeat.ts';
import { BrokerSessions } from './broker-sessions.ts';
import { alterConfigs, alterConfigsRefused, incrementalAlterConfigs } from './configs.ts';
import { assignReplicasRefused, assignReplicasToDirectories } from './directory-changes.ts';
import { electLeaders, electLeadersRefused } from './elect-leaders.ts';
import { updateFeatures, updateFeaturesRefused } from './features.ts';
import { createPartitions, createPartitionsRefused } from './partitions.ts';
import { type Decision, PendingImage } from './pending-image.ts';
import { allocateProducerIds } from './producer-ids.ts';
import {
  alterPartitionReassignments,
  alterPartitionReassignmentsRefused,
  listPartitionReassignments,
} from './reassignments.ts';
import { isRefusal, type Refusal, refusalOf } from './refusal.ts';
import {
  beginControlledShutdown,
  fenceBroker,
  type Registered,
  registerBroker,
  staleBroker,
  unfenceBroker,
  unregisterBroker,
} from './registration.ts';
import { createTopics, createTopicsRefused, deleteTopics, deleteTopicsRefused } from './topics.ts';

export interface ControllerDependencies {
  readonly quorum: MetadataQuorum;
  readonly random: Random;
  readonly logger: Logger;
  readonly clock: Clock;
}

export type { BrokerReference } from '../metadata/broker-registration.ts';

export interface ControllerOptions {
  /** The configuration as it is now, dynamic values included. */
  readonly config: () => BrokerConfig;
  /** Whether silence alone fences a broker; false where something else tells who lives (`followMembers`). */
  readonly heartbeatsCount?: boolean;
}

export class Controller {
  readonly #pending: PendingImage;
  readonly #random: Random;
  readonly #logger: Logger;
  readonly #config: () => BrokerConfig;
  readonly #quorum: MetadataQuorum;
  readonly #sessions: BrokerSessions;
  readonly #duties: ActiveDuties;

  constructor(options: ControllerOptions, dependencies: ControllerDependencies) {
    const { quorum, random, logger, clock } = dependencies;
    this.#config = options.config;
    this.#quorum = quorum;
    this.#pending = new PendingImage(quorum);
    this.#random = random;
    this.#logger = logger;
    this.#sessions = new BrokerSessions(clock);
    this.#duties = new ActiveDuties(
      { config: options.config, heartbeatsCount: options.heartbeatsCount ?? true },
      { quorum, pending: this.#pending, sessions: this.#sessions, clock, logger },
    );
  }

  /** This node became the active controller, or is it no longer. */
  roleChanged(active: boolean): void {
    if (active) this.#duties.begin();
    else this.#duties.end();
  }

  /** Ends what runs by timers. */
  close(): void {
    this.#duties.end();
  }

  /** Creates topics; the answer tells ids, counts and configs of each, or why it was not created. */
  createTopics(request: CreateTopicsRequest): Promise<CreateTopicsResponse> {
    const lostTopics = this.#quorum.lostTopics?.reasons;
    const policies = { config: this.#config(), random: this.#random, lostTopics };
    return this.#answer(
      (image) => createTopics(image, request, policies),
      (refusal) => createTopicsRefused(request, refusal),
    );
  }

  async deleteTopics(request: DeleteTopicsRequest): Promise<DeleteTopicsResponse> {
    const options = { enabled: this.#config().get('delete.topic.enable') };
    const answer = await this.#answer<DeleteTopicsResponse>(
      (image) => deleteTopics(image, request, options),
      (refusal) => deleteTopicsRefused(request, refusal),
    );
    return { ...answer, responses: await Promise.all(answer.responses.map((each) => this.#deleteLost(each))) };
  }

  /** A topic whose stored form makes no sense is in no image, and can be deleted all the same. */
  async #deleteLost(response: DeleteTopicsResponse['responses'][number]): Promise<typeof response> {
    const { name, errorCode } = response;
    const { lostTopics } = this.#quorum;
    if (errorCode !== ErrorCode.UNKNOWN_TOPIC_OR_PARTITION || name === null || lostTopics?.reasons.has(name) !== true) {
      return response;
    }
    try {
      await lostTopics.remove(name);
      return { ...response, errorCode: ErrorCode.NONE, errorMessage: null };
    } catch (error) {
      return { ...response, ...refusalOf(error) };
    }
  }

  createPartitions(request: CreatePartitionsRequest): Promise<CreatePartitionsResponse> {
    const policies = { config: this.#config(), random: this.#random };
    return this.#answer(
      (image) => createPartitions(image, request, policies),
      (refusal) => createPartitionsRefused(request, refusal),
    );
  }

  alterConfigs(request: AlterConfigsRequest): Promise<AlterConfigsResponse> {
    const config = this.#config();
    return this.#answer(
      (image) => alterConfigs(image, request, config),
      (refusal) => alterConfigsRefused(request, refusal),
    );
  }

  incrementalAlterConfigs(request: IncrementalAlterConfigsRequest): Promise<IncrementalAlterConfigsResponse> {
    const config = this.#config();
    return this.#answer(
      (image) => incrementalAlterConfigs(image, request, config),
      (refusal) => alterConfigsRefused(request, refusal),
    );
  }

  /** Finalizes levels of features; `apiVersion` says how the answer tells of it. */
  updateFeatures(request: UpdateFeaturesRequest, apiVersion: number): Promise<UpdateFeaturesResponse> {
    const config = this.#config();
    return this.#answer((image) => updateFeatures(image, request, apiVersion, config), updateFeaturesRefused);
  }

  /** A leader's change to its in-sync set. What is refused changed nothing, but for NEW_LEADER_ELECTED. */
  alterPartition(request: AlterPartitionRequest): Promise<AlterPartitionResponse> {
    const config = this.#config();
    return this.#answer((image) => alterPartition(image, request, config), alterPartitionRefused);
  }

  alterPartitionReassignments(
    request: AlterPartitionReassignmentsRequest,
  ): Promise<AlterPartitionReassignmentsResponse> {
    const config = this.#config();
    return this.#answer(
      (image) => alterPartitionReassignments(image, request, config),
      (refusal) => alterPartitionReassignmentsRefused(request, refusal),
    );
  }

  listPartitionReassignments(request: ListPartitionReassignmentsRequest): Promise<ListPartitionReassignmentsResponse> {
    return this.#answer(
      (image) => ({ records: [], result: listPartitionReassignments(image, request) }),
      (refusal) => ({ ...refusal, topics: [] }),
    );
  }

  electLeaders(request: ElectLeadersRequest): Promise<ElectLeadersResponse> {
    const config = this.#config();
    return this.#answer(
      (image) => electLeaders(image, request, config),
      (refusal) => electLeadersRefused(request, refusal),
    );
  }

  assignReplicasToDirs(request: AssignReplicasToDirsRequest): Promise<AssignReplicasToDirsResponse> {
    const config = this.#config();
    return this.#answer((image) => assignReplicasToDirectories(image, request, config), assignReplicasRefused);
  }

  /** A block of producer ids for a broker. */
  allocateProducerIds(broker: BrokerReference): Promise<AllocateProducerIdsResponse> {
    return this.#answer(
      (image) => allocateProducerIds(image, broker),
      ({ errorCode }) => ({ errorCode, producerIdStart: 0, producerIdLen: 0 }),
    );
  }

  /** Registers a starting broker. Rejects with a SluiceError named as Kafka's error code. */
  async registerBroker(registration: BrokerRegistration): Promise<Registered> {
    return granted(await this.#register(registration));
  }

  /** A broker that is not this one registers; it serves once its heartbeats say that it has caught up. */
  async brokerRegistration(request: BrokerRegistrationRequest): Promise<BrokerRegistrationResponse> {
    const { listeners: endpoints, isMigratingZkBroker: _, ...rest } = request;
    const outcome = await this.#register({ ...rest, endpoints, unfenced: false });
    return isRefusal(outcome) ? { errorCode: outcome.errorCode } : { errorCode: ErrorCode.NONE, ...outcome };
  }

  async #register(registration: BrokerRegistration): Promise<Registered | Refusal> {
    const config = this.#config();
    const { brokerId } = registration;
    const outcome = await this.#answer<Registered | Refusal>(
      (image) => {
        const hasSession = this.#sessions.hasSession(brokerId, config.get('broker.session.timeout.ms'));
        return registerBroker(image, registration, config, { hasSession });
      },
      (refusal) => refusal,
    );
    if (isRefusal(outcome)) {
      this.#logger.warn('a broker may not join the cluster', { brokerId, reason: outcome.errorMessage });
      return outcome;
    }
    this.#sessions.registered({ brokerId, ...outcome }, this.#quorum.image());
    this.#logger.info('broker registered', { brokerId, ...outcome });
    return outcome;
  }

  /** A broker tells that it lives and what it wishes. */
  async brokerHeartbeat(request: BrokerHeartbeatRequest): Promise<BrokerHeartbeatResponse> {
    const broker = { brokerId: request.brokerId, brokerEpoch: request.brokerEpoch };
    const config = this.#config();
    const outcome = await this.#answer<HeartbeatOutcome | Refusal>(
      (image) => this.#hear(image, broker, request, config),
      (refusal) => refusal,
    );
    if (isRefusal(outcome)) return { errorCode: outcome.errorCode, shouldShutDown: false };
    const { isCaughtUp, state } = outcome;
    const image = this.#quorum.image();
    if (state === 'stopping') this.#sessions.shutdownBegan(broker, image.offset, image);
    if (state === 'stopped') this.#sessions.silenced(broker);
    return {
      errorCode: ErrorCode.NONE,
      isCaughtUp,
      isFenced: state === 'fenced' || state === 'stopped',
      shouldShutDown: state === 'stopped',
    };
  }

  #hear(
    image: MetadataImage,
    broker: BrokerReference,
    request: BrokerHeartbeatRequest,
    config: BrokerConfig,
  ): Decision<HeartbeatOutcome | Refusal> {
    const stale = staleBroker(image, broker.brokerId, broker.brokerEpoch);
    if (stale !== undefined) return { records: [], result: stale };
    const sessions = this.#sessions;
    sessions.heard(broker, image);
    sessions.reached(broker, request.currentMetadataOffset, image);
    // This node follows the metadata that it writes itself.
    const except = new Set([broker.brokerId, this.#quorum.controllerId()]);
    const facts = {
      registeredAt: sessions.registeredAt(broker, image),
      shutdownAt: sessions.shutdownAt(broker, image),
      lowestActiveOffset: sessions.lowestActiveOffset(image, except),
    };
    return brokerHeartbeat(image, request, facts, config);
  }

  /** A follower of the metadata was seen to have read up to `offset`, as its fetches tell between heartbeats. */
  followerReached(broker: BrokerReference, offset: Offset): void {
    const image = this.#quorum.image();
    if (image.brokers.get(broker.brokerId)?.epoch === broker.brokerEpoch) this.#sessions.reached(broker, offset, image);
  }

  /** Something else than heartbeats tells which brokers live, all of them, after each change. */
  followMembers(live: readonly LiveBroker[]): void {
    this.#duties.followMembers(live);
  }

  /** There is evidence that the broker is gone: it is fenced without waiting for its session to end. */
  async suspect(broker: BrokerReference): Promise<void> {
    this.#logger.warn('fencing a broker that is gone', { ...broker });
    await this.fenceBroker(broker);
  }

  /** The broker has caught up with the metadata and may serve. */
  async unfenceBroker(broker: BrokerReference): Promise<void> {
    const config = this.#config();
    done(await this.#pending.run((image) => unfenceBroker(image, broker, config)));
  }

  /** The broker is taken for gone. */
  async fenceBroker(broker: BrokerReference): Promise<void> {
    const config = this.#config();
    this.#sessions.silenced(broker);
    done(await this.#pending.run((image) => fenceBroker(image, broker, config)));
  }

  /** The broker is about to stop and gives up its leaderships. */
  async beginControlledShutdown(broker: BrokerReference): Promise<void> {
    const config = this.#config();
    done(await this.#pending.run((image) => beginControlledShutdown(image, broker, config)));
  }

  /** The broker is struck off the cluster's list; replicas that it holds stay assigned to it. */
  async unregisterBroker({ brokerId }: UnregisterBrokerRequest): Promise<UnregisterBrokerResponse> {
    const config = this.#config();
    const refusal = await this.#answer<Refusal | undefined>(
      (image) => unregisterBroker(image, brokerId, config),
      (refused) => refused,
    );
    if (refusal !== undefined) return refusal;
    this.#sessions.forget(brokerId);
    return { errorCode: ErrorCode.NONE, errorMessage: null };
  }

  async #answer<Response>(
    decide: (image: MetadataImage) => Decision<Response>,
    refused: (refusal: Refusal) => Response,
  ): Promise<Response> {
    try {
      return await this.#pending.run(decide);
    } catch (error) {
      const refusal = refusalOf(error);
      this.#logger.warn('a change to the cluster was not made', { reason: refusal.errorMessage });
      return refused(refusal);
    }
  }
}

function granted<Result extends object>(outcome: Result | Refusal): Result {
  if (isRefusal(outcome)) throw errorOf(outcome);
  return outcome;
}

function done(outcome: Refusal | undefined): void {
  if (outcome !== undefined) throw errorOf(outcome);
}

function errorOf({ errorCode, errorMessage }: Refusal): SluiceError {
  return new SluiceError(errorName(errorCode), errorMessage, { retriable: isRetriable(errorCode) });
}
