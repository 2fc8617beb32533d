/**
 * The controller: requests in, metadata records out, answers once they are committed. Each decision is a pure function
 * over an image (one file a concern); here they meet the quorum. Knows no socket and no log.
 */

import { SluiceError } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import type { Random } from '../base/random.ts';
import type { BrokerId } from '../base/units.ts';
import type { BrokerConfig } from '../config/broker-config.ts';
import type { BrokerRegistration } from '../metadata/broker-registration.ts';
import type { MetadataImage } from '../metadata/image.ts';
import type { MetadataQuorum } from '../metadata/quorum.ts';
import type { AlterConfigsRequest, AlterConfigsResponse } from '../protocol/apis/alter-configs.ts';
import type { CreatePartitionsRequest, CreatePartitionsResponse } from '../protocol/apis/create-partitions.ts';
import type { CreateTopicsRequest, CreateTopicsResponse } from '../protocol/apis/create-topics.ts';
import type { DeleteTopicsRequest, DeleteTopicsResponse } from '../protocol/apis/delete-topics.ts';
import type {
  IncrementalAlterConfigsRequest,
  IncrementalAlterConfigsResponse,
} from '../protocol/apis/incremental-alter-configs.ts';
import type { UpdateFeaturesRequest, UpdateFeaturesResponse } from '../protocol/apis/update-features.ts';
import { errorName, isRetriable } from '../protocol/error-codes.ts';
import { alterConfigs, alterConfigsRefused, incrementalAlterConfigs } from './configs.ts';
import { updateFeatures, updateFeaturesRefused } from './features.ts';
import { createPartitions, createPartitionsRefused } from './partitions.ts';
import { type Decision, PendingImage } from './pending-image.ts';
import { allocateProducerIds, type ProducerIdBlock } from './producer-ids.ts';
import { isRefusal, type Refusal, refusalOf } from './refusal.ts';
import {
  beginControlledShutdown,
  fenceBroker,
  type Registered,
  registerBroker,
  unfenceBroker,
} from './registration.ts';
import { createTopics, createTopicsRefused, deleteTopics, deleteTopicsRefused } from './topics.ts';

export interface ControllerDependencies {
  readonly quorum: MetadataQuorum;
  readonly random: Random;
  readonly logger: Logger;
}

/** A broker as it was told at its registration. */
export interface BrokerReference {
  readonly brokerId: BrokerId;
  readonly brokerEpoch: number;
}

export class Controller {
  readonly #pending: PendingImage;
  readonly #random: Random;
  readonly #logger: Logger;
  readonly #config: () => BrokerConfig;

  /** `config` gives the configuration as it is now, dynamic values included. */
  constructor(options: { readonly config: () => BrokerConfig }, dependencies: ControllerDependencies) {
    this.#config = options.config;
    this.#pending = new PendingImage(dependencies.quorum);
    this.#random = dependencies.random;
    this.#logger = dependencies.logger;
  }

  /** Creates topics; the answer tells ids, counts and configs of each, or why it was not created. */
  createTopics(request: CreateTopicsRequest): Promise<CreateTopicsResponse> {
    const policies = { config: this.#config(), random: this.#random };
    return this.#answer(
      (image) => createTopics(image, request, policies),
      (refusal) => createTopicsRefused(request, refusal),
    );
  }

  deleteTopics(request: DeleteTopicsRequest): Promise<DeleteTopicsResponse> {
    const options = { enabled: this.#config().get('delete.topic.enable') };
    return this.#answer(
      (image) => deleteTopics(image, request, options),
      (refusal) => deleteTopicsRefused(request, refusal),
    );
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
    return this.#answer((image) => updateFeatures(image, request, apiVersion), updateFeaturesRefused);
  }

  /** A block of producer ids for a broker. Rejects with a SluiceError named as Kafka's error code. */
  async allocateProducerIds(broker: BrokerReference): Promise<ProducerIdBlock> {
    return granted(await this.#pending.run((image) => allocateProducerIds(image, broker)));
  }

  /** Registers a starting broker. Rejects with a SluiceError named as Kafka's error code. */
  async registerBroker(registration: BrokerRegistration): Promise<Registered> {
    const config = this.#config();
    const registered = granted(await this.#pending.run((image) => registerBroker(image, registration, config)));
    this.#logger.info('broker registered', { brokerId: registration.brokerId, ...registered });
    return registered;
  }

  /** The broker has caught up with the metadata and may serve. */
  async unfenceBroker(broker: BrokerReference): Promise<void> {
    const config = this.#config();
    done(await this.#pending.run((image) => unfenceBroker(image, broker, config)));
  }

  /** The broker is taken for gone. */
  async fenceBroker(broker: BrokerReference): Promise<void> {
    const config = this.#config();
    done(await this.#pending.run((image) => fenceBroker(image, broker, config)));
  }

  /** The broker is about to stop and gives up its leaderships. */
  async beginControlledShutdown(broker: BrokerReference): Promise<void> {
    const config = this.#config();
    done(await this.#pending.run((image) => beginControlledShutdown(image, broker, config)));
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
