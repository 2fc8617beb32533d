/** Creates the topics that coordinators keep their state in, when the first client asks for one. */
import { SluiceError } from '../base/errors.ts';
import type { BrokerConfig } from '../config/broker-config.ts';
import { OFFSETS_TOPIC } from '../coordinator/group/group-coordinator.ts';
import type { MetadataQuorum } from '../metadata/quorum.ts';
import type { CreateTopics } from './controller-requests.ts';

export class InternalTopics {
  readonly #config: () => BrokerConfig;
  readonly #create: CreateTopics;
  readonly #quorum: MetadataQuorum;
  #underWay: Promise<void> | undefined;

  constructor(
    options: { readonly config: () => BrokerConfig },
    dependencies: { readonly create: CreateTopics; readonly quorum: MetadataQuorum },
  ) {
    this.#config = options.config;
    this.#create = dependencies.create;
    this.#quorum = dependencies.quorum;
  }

  /** Resolves once there is a topic of committed offsets, or was an attempt to make it. */
  async ensureOffsets(): Promise<void> {
    if (this.#quorum.image().topics.byName.has(OFFSETS_TOPIC)) return;
    this.#underWay ??= this.#createOffsets().finally(() => {
      this.#underWay = undefined;
    });
    await this.#underWay;
  }

  async #createOffsets(): Promise<void> {
    const config = this.#config();
    const alive = [...this.#quorum.image().brokers.values()].filter(({ fenced }) => !fenced).length;
    await this.#create([
      {
        name: OFFSETS_TOPIC,
        numPartitions: config.get('offsets.topic.num.partitions'),
        replicationFactor: Math.max(1, Math.min(alive, config.get('offsets.topic.replication.factor'))),
        assignments: [],
        configs: [
          { name: 'cleanup.policy', value: 'compact' },
          { name: 'compression.type', value: 'producer' },
          { name: 'segment.bytes', value: String(config.get('offsets.topic.segment.bytes')) },
        ],
      },
    ]).catch((error: unknown) => {
      // Without a controller there is no coordinator yet: the client asks again.
      if (!(error instanceof SluiceError)) throw error;
    });
  }
}
