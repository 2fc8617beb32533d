/** A controller in memory, for tests of replication: elects leaders from the in-sync set and judges AlterPartition as Kafka's does. */
import type { BrokerId } from '../base/units.ts';
import type { MetadataDelta } from '../metadata/delta.ts';
import {
  applyRecords,
  emptyImage,
  isActiveBroker,
  type MetadataImage,
  type PartitionImage,
} from '../metadata/image.ts';
import { type MetadataRecord, newRecord } from '../metadata/records.ts';
import type { AlterPartitionRequest, AlterPartitionResponse } from '../protocol/apis/alter-partition.ts';
import { type ErrorCode as Code, ErrorCode } from '../protocol/error-codes.ts';

type PartitionAsked = AlterPartitionRequest['topics'][number]['partitions'][number];

const TOPIC_RESOURCE = 2;

export class TestController {
  image: MetadataImage = emptyImage('test');
  /** Every commit there was. */
  readonly commits: { readonly delta: MetadataDelta; readonly image: MetadataImage }[] = [];
  onCommit: () => void = () => undefined;
  /** Whether a replica outside the in-sync set may lead where nobody else is left. */
  unclean = false;
  #brokerEpoch = 100;

  append(...records: MetadataRecord[]): void {
    if (records.length === 0) return;
    const applied = applyRecords(this.image, records, this.image.offset + records.length, 1);
    this.image = applied.image;
    this.commits.push(applied);
    this.onCommit();
  }

  createTopic(name: string, topicId: string, assignments: readonly (readonly BrokerId[])[], configs = {}): void {
    const partitions = assignments.map((replicas, partitionId) =>
      newRecord('partition', {
        partitionId,
        topicId,
        replicas: [...replicas],
        isr: [...replicas],
        leader: replicas[0]!,
        leaderEpoch: 0,
        partitionEpoch: 0,
        removingReplicas: [],
        addingReplicas: [],
        directories: [],
      }),
    );
    const settings = Object.entries(configs).map(([option, value]) => {
      const resource = { resourceType: TOPIC_RESOURCE, resourceName: name };
      return newRecord('config', { ...resource, name: option, value: String(value) });
    });
    this.append(newRecord('topic', { name, topicId }), ...settings, ...partitions);
  }

  deleteTopic(topicId: string): void {
    this.append(newRecord('removeTopic', { topicId }));
  }

  /** A broker starts: whatever it was before, it is not in sync any more. */
  register(brokerId: BrokerId, rack: string | null = null): number {
    if (this.image.brokers.has(brokerId)) this.fence(brokerId);
    const brokerEpoch = ++this.#brokerEpoch;
    this.append(
      newRecord('registerBroker', {
        brokerId,
        incarnationId: 'AAAAAAAAAAAAAAAAAAAAAA',
        brokerEpoch,
        endPoints: [{ name: 'PLAINTEXT', host: 'sim', port: 9000 + brokerId, securityProtocol: 0 }],
        features: [],
        rack,
        fenced: true,
      }),
    );
    return brokerEpoch;
  }

  unfence(brokerId: BrokerId): void {
    const epoch = this.image.brokers.get(brokerId)!.epoch;
    this.append(newRecord('unfenceBroker', { id: brokerId, epoch }));
    this.append(
      ...this.#eachPartition((partition) => (partition.leader < 0 ? this.#elect(partition, partition.isr) : {})),
    );
  }

  fence(brokerId: BrokerId): void {
    const known = this.image.brokers.get(brokerId);
    if (known === undefined) return;
    if (!known.fenced) this.append(newRecord('fenceBroker', { id: brokerId, epoch: known.epoch }));
    this.append(...this.#eachPartition((partition) => this.#without(partition, brokerId)));
  }

  #without(partition: PartitionImage, brokerId: BrokerId): PartitionChange {
    if (!partition.isr.includes(brokerId)) return {};
    const isr = partition.isr.length === 1 ? partition.isr : partition.isr.filter((id) => id !== brokerId);
    const change = isr.length === partition.isr.length ? {} : { isr: [...isr] };
    return partition.leader === brokerId ? { ...change, ...this.#elect(partition, isr) } : change;
  }

  #elect(partition: PartitionImage, isr: readonly BrokerId[]): PartitionChange {
    const active = (id: BrokerId): boolean => isActiveBroker(this.image, id);
    const leader = partition.replicas.find((id) => isr.includes(id) && active(id));
    if (leader !== undefined) return { leader };
    const unclean = this.unclean ? partition.replicas.find(active) : undefined;
    if (unclean !== undefined) return { leader: unclean, isr: [unclean] };
    return partition.leader < 0 ? {} : { leader: -1 };
  }

  /** Makes a replica lead, as an election of the preferred leader does. */
  elect(topicId: string, partitionId: number, leader: BrokerId): void {
    this.change(topicId, partitionId, { leader });
  }

  /** Whatever the test wants of a partition. */
  change(topicId: string, partitionId: number, change: PartitionChange): void {
    this.append(newRecord('partitionChange', { partitionId, topicId, ...change }));
  }

  #eachPartition(change: (partition: PartitionImage) => PartitionChange): MetadataRecord[] {
    const records: MetadataRecord[] = [];
    for (const { id: topicId, partitions } of this.image.topics.byName.values()) {
      partitions.forEach((partition, partitionId) => {
        const changed = change(partition);
        if (Object.keys(changed).length === 0) return;
        records.push(newRecord('partitionChange', { partitionId, topicId, ...changed }));
      });
    }
    return records;
  }

  alter(request: AlterPartitionRequest): AlterPartitionResponse {
    const { brokerId, brokerEpoch } = request;
    if (this.image.brokers.get(brokerId)?.epoch !== brokerEpoch) {
      return { throttleTimeMs: 0, errorCode: ErrorCode.STALE_BROKER_EPOCH, topics: [] };
    }
    const topics = request.topics.map(({ topicId, partitions }) => ({
      topicId,
      partitions: partitions.map((asked) => this.#alter(brokerId, topicId, asked)),
    }));
    return { throttleTimeMs: 0, errorCode: ErrorCode.NONE, topics };
  }

  #alter(brokerId: BrokerId, topicId: string, asked: PartitionAsked) {
    const { partitionIndex } = asked;
    const known = this.image.topics.byId.get(topicId)?.partitions[partitionIndex];
    const errorCode = known === undefined ? ErrorCode.UNKNOWN_TOPIC_ID : this.#refusal(brokerId, known, asked);
    const nothing = { partitionIndex, errorCode, leaderId: -1, leaderEpoch: -1, isr: [], partitionEpoch: -1 };
    if (errorCode !== ErrorCode.NONE) return nothing;
    const isr = asked.newIsrWithEpochs.map((member) => member.brokerId);
    // A leader that cannot write leaves the lead to one of the others.
    const change = isr.includes(brokerId) ? { isr } : { isr, ...this.#elect(known!, isr) };
    this.append(newRecord('partitionChange', { partitionId: partitionIndex, topicId, ...change }));
    if (!isr.includes(brokerId)) return { ...nothing, errorCode: ErrorCode.NEW_LEADER_ELECTED };
    const now = this.image.topics.byId.get(topicId)!.partitions[partitionIndex]!;
    const { leader: leaderId, leaderEpoch, partitionEpoch } = now;
    return { partitionIndex, errorCode, leaderId, leaderEpoch, isr: [...now.isr], partitionEpoch };
  }

  #refusal(brokerId: BrokerId, known: PartitionImage, asked: PartitionAsked): Code {
    if (known.leaderEpoch > asked.leaderEpoch) return ErrorCode.FENCED_LEADER_EPOCH;
    if (known.leader !== brokerId) return ErrorCode.INVALID_REQUEST;
    if (known.partitionEpoch !== asked.partitionEpoch) return ErrorCode.INVALID_UPDATE_VERSION;
    for (const { brokerId: member, brokerEpoch } of asked.newIsrWithEpochs) {
      const epoch = this.image.brokers.get(member)?.epoch;
      if (!isActiveBroker(this.image, member)) return ErrorCode.INELIGIBLE_REPLICA;
      if (brokerEpoch !== -1 && brokerEpoch !== epoch) return ErrorCode.INELIGIBLE_REPLICA;
    }
    return ErrorCode.NONE;
  }
}

export interface PartitionChange {
  readonly leader?: BrokerId;
  readonly isr?: BrokerId[];
  readonly replicas?: BrokerId[];
  readonly addingReplicas?: BrokerId[];
  readonly removingReplicas?: BrokerId[];
}
