/** Groups of one shard over simulated time, their records kept as a log, and topics that can be made and grow. */

import { silentLogger } from '../../../base/logger.ts';
import { type Random, seededRandom } from '../../../base/random.ts';
import { SimulatedClock } from '../../../base/simulated-clock.ts';
import { newUuid } from '../../../base/uuid.ts';
import { loadBrokerConfig } from '../../../config/broker-config.ts';
import { applyRecords, emptyImage, type MetadataImage } from '../../../metadata/image.ts';
import { type MetadataRecord, newRecord } from '../../../metadata/records.ts';
import type { ConsumerGroupHeartbeatRequest } from '../../../protocol/apis/consumer-group-heartbeat.ts';
import { KeyedTimers } from '../../runtime/timers.ts';
import type { GroupClient } from '../classic/context.ts';
import { GroupShard } from '../group-shard.ts';
import { decodeGroupRecord, encodeGroupRecord, type GroupRecord, type GroupResult } from '../records.ts';
import type { ConsumerGroup } from './group.ts';
import { consumerGroupSettings } from './settings.ts';

export const CLIENT: GroupClient = { clientId: 'client', clientHost: '/127.0.0.1', apiVersion: 1 };

export type Beat = Partial<ConsumerGroupHeartbeatRequest> & { readonly memberId: string };

const BROKER = { brokerId: 1, brokerEpoch: 0, incarnationId: 'AAAAAAAAAAAAAAAAAAAAEA', endPoints: [], features: [] };

export class SimulatedShard {
  readonly clock = new SimulatedClock();
  readonly random: Random;
  readonly log: { readonly key: Buffer; readonly value: Buffer | null }[] = [];
  image: MetadataImage = emptyImage('cluster');
  shard: GroupShard;
  readonly #config: Readonly<Record<string, string>>;

  constructor(options: { readonly seed?: number; readonly config?: Readonly<Record<string, string>> } = {}) {
    this.random = seededRandom(options.seed ?? 1);
    this.#config = options.config ?? {};
    this.change([
      newRecord('registerBroker', { ...BROKER, rack: null, fenced: false, inControlledShutdown: false, logDirs: [] }),
    ]);
    this.shard = this.#open();
  }

  #open(): GroupShard {
    const config = loadBrokerConfig({ overrides: this.#config });
    const timers = new KeyedTimers<GroupRecord>(this.clock, (operation) => void this.run(operation()));
    const settings = {
      minSessionTimeoutMs: 0,
      maxSessionTimeoutMs: 1_800_000,
      initialRebalanceDelayMs: 0,
      maxMembers: 1000,
      offsetMetadataMaxLength: 4096,
      offsetsRetentionMs: 10_000_000_000,
      offsetsRetentionCheckMs: 10_000_000_000,
    };
    return new GroupShard(
      { settings: () => settings, consumerSettings: (own) => consumerGroupSettings(config, own) },
      timers,
      { clock: this.clock, random: this.random, logger: silentLogger, image: () => this.image },
    );
  }

  /** Appends, replays what is to be replayed, and answers: all in one turn, as where a commit takes no time. */
  run<Reply>(result: GroupResult<Reply>): Reply {
    for (const record of result.records) {
      const bytes = encodeGroupRecord(record);
      this.log.push(bytes);
      const read = decodeGroupRecord(bytes.key, bytes.value)!;
      if (result.settle === undefined) this.shard.replay(read, { offset: this.log.length - 1, producerId: -1 });
    }
    result.settle?.(0);
    return result.reply;
  }

  /** The broker dies and comes back: timers and all that was not written are gone. */
  restart(): void {
    this.clock.forget();
    this.shard = this.#open();
    this.log.forEach(({ key, value }, offset) => {
      this.shard.replay(decodeGroupRecord(key, value)!, { offset, producerId: -1 });
    });
    this.shard.loaded();
  }

  change(records: readonly MetadataRecord[]): void {
    const { image, delta } = applyRecords(this.image, records, this.image.offset + 1, 1);
    this.image = image;
    this.shard?.metadataChanged(delta, image);
  }

  createTopic(name: string, partitions: number): string {
    const topicId = newUuid(this.random);
    const numbers = Array.from({ length: partitions }, (_, partition) => partition);
    this.change([
      newRecord('topic', { name, topicId }),
      ...numbers.map((partition) => newPartition(topicId, partition)),
    ]);
    return topicId;
  }

  growTopic(name: string): void {
    const { id, partitions } = this.image.topics.byName.get(name)!;
    this.change([newPartition(id, partitions.length)]);
  }

  deleteTopic(name: string): void {
    this.change([newRecord('removeTopic', { topicId: this.image.topics.byName.get(name)!.id })]);
  }

  /** A heartbeat of the group `g`; what is left out is not told. */
  beat(beat: Beat, client: GroupClient = CLIENT) {
    return this.run(
      this.shard.consumer.heartbeat(
        {
          groupId: 'g',
          memberEpoch: 0,
          instanceId: null,
          rackId: null,
          rebalanceTimeoutMs: -1,
          subscribedTopicNames: null,
          subscribedTopicRegex: null,
          serverAssignor: null,
          topicPartitions: null,
          ...beat,
        },
        client,
      ),
    );
  }

  /** A join with all that a join must tell. */
  join(memberId: string, topics: readonly string[], more: Partial<Beat> = {}) {
    const told = { subscribedTopicNames: [...topics], rebalanceTimeoutMs: 30_000, topicPartitions: [] };
    return this.beat({ memberId, ...told, ...more });
  }

  get group(): ConsumerGroup | undefined {
    return this.shard.consumer.find('g');
  }
}

function newPartition(topicId: string, partitionId: number): MetadataRecord {
  return newRecord('partition', {
    partitionId,
    topicId,
    replicas: [1],
    isr: [1],
    addingReplicas: [],
    removingReplicas: [],
    leader: 1,
    directories: ['AAAAAAAAAAAAAAAAAAAAAQ'],
  });
}
