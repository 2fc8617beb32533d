/**
 * An image in the making: takes records one after the other and ends as an image and the delta to the one it began
 * with. Lives only as long as one batch is applied.
 */
import { assert, unreachable } from '../base/assert.ts';
import type { BrokerId, LeaderEpoch, Offset, ProducerId } from '../base/units.ts';
import { type Uuid, ZERO_UUID } from '../base/uuid.ts';
import type {
  BrokerRegistrationChangeRecord,
  ConfigRecord,
  PartitionChangeRecord,
  PartitionRecord,
  RegisterBrokerRecord,
} from '../protocol/state/metadata-records.ts';
import type { MetadataDelta, TopicChange } from './delta.ts';
import type { BrokerImage, LayeredImage, PartitionImage, TopicImage } from './image.ts';
import { metricName } from './metric-name.ts';
import { type CarriedRecord, isCarriedState, type MetadataRecord } from './records.ts';
import { configKey, RESOURCE_TYPE, resourceOfConfigKey } from './resources.ts';

/** PartitionChangeRecord.leader where the leader stays. */
const SAME_LEADER = -2;
/** PartitionChangeRecord.leaderRecoveryState where the state stays. */
const SAME_RECOVERY_STATE = -1;

/** A topic that the draft has touched. `partitions` belongs to the draft until it ends. */
interface TopicDraft {
  readonly id: Uuid;
  readonly name: string;
  readonly previous: TopicImage | undefined;
  readonly partitions: PartitionImage[];
  readonly changed: Set<number>;
}

export class ImageDraft {
  readonly #from: LayeredImage;
  readonly #topics = new Map<Uuid, TopicDraft>();
  readonly #names = new Map<string, Uuid | undefined>();
  readonly #deleted: TopicImage[] = [];
  readonly #configs = new Map<string, Map<string, string>>();
  readonly #removedConfigs = new Set<string>();
  #brokers: Map<BrokerId, BrokerImage> | undefined;
  readonly #changedBrokers = new Set<BrokerId>();
  #replicaCounts: Map<BrokerId, number> | undefined;
  #features: Map<string, number> | undefined;
  #nextProducerId: ProducerId | undefined;
  readonly #carried: CarriedRecord[] = [];

  constructor(from: LayeredImage) {
    this.#from = from;
  }

  apply(record: MetadataRecord): void {
    switch (record.kind) {
      case 'topic':
        this.#createTopic(record.value.name, record.value.topicId);
        break;
      case 'partition':
        this.#putPartition(record.value);
        break;
      case 'partitionChange':
        this.#changePartition(record.value);
        break;
      case 'removeTopic':
        this.#removeTopic(record.value.topicId);
        break;
      case 'config':
        this.#setConfig(record.value);
        break;
      case 'registerBroker':
        this.#putBroker(brokerOf(record.value));
        break;
      case 'unregisterBroker':
        this.#removeBroker(record.value.brokerId);
        break;
      case 'brokerRegistrationChange':
        this.#changeBroker(record.value);
        break;
      case 'fenceBroker':
        this.#putBroker({ ...this.#broker(record.value.id), fenced: true });
        break;
      case 'unfenceBroker':
        this.#putBroker({ ...this.#broker(record.value.id), fenced: false });
        break;
      case 'featureLevel':
        this.#setFeature(record.value.name, record.value.featureLevel);
        break;
      case 'producerIds':
        this.#nextProducerId = record.value.nextProducerId;
        break;
      case 'clearElr':
        this.#clearEligibleLeaders(record.value.topicName);
        break;
      case 'carried':
        if (isCarriedState(record)) this.#carried.push(record);
        break;
      case 'noOp':
        break;
      case 'beginTransaction':
      case 'endTransaction':
      case 'abortTransaction':
        assert(false, 'the bounds of transactions never reach an image');
        break;
      default:
        unreachable(record, 'every kind of record is applied');
    }
  }

  #createTopic(name: string, id: Uuid): void {
    assert(this.#idOf(name) === undefined, `there is no other topic ${name}`);
    assert(this.#topicOf(id) === undefined, `topic id ${id} is new`);
    this.#topics.set(id, { id, name, previous: undefined, partitions: [], changed: new Set() });
    this.#names.set(name, id);
  }

  #putPartition(record: PartitionRecord): void {
    const topic = this.#draftOf(record.topicId);
    const { partitionId } = record;
    assert(partitionId <= topic.partitions.length, `partitions of ${topic.name} are numbered without a gap`);
    this.#count(topic.partitions[partitionId]?.replicas ?? [], record.replicas);
    topic.partitions[partitionId] = partitionOf(record);
    topic.changed.add(partitionId);
  }

  #changePartition(record: PartitionChangeRecord): void {
    const topic = this.#draftOf(record.topicId);
    const partition = topic.partitions[record.partitionId];
    assert(partition !== undefined, `${topic.name}-${record.partitionId} is there`);
    if (record.replicas !== null) this.#count(partition.replicas, record.replicas);
    topic.partitions[record.partitionId] = mergePartition(partition, record);
    topic.changed.add(record.partitionId);
  }

  #removeTopic(id: Uuid): void {
    const topic = this.#draftOf(id);
    for (const { replicas } of topic.partitions) this.#count(replicas, []);
    if (topic.previous !== undefined) this.#deleted.push(topic.previous);
    this.#topics.set(id, { ...topic, partitions: [], changed: GONE });
    this.#names.set(topic.name, undefined);
    const key = configKey(RESOURCE_TYPE.TOPIC, topic.name);
    this.#configs.delete(key);
    this.#removedConfigs.add(key);
  }

  /** Of one topic, or of all where the name is empty. */
  #clearEligibleLeaders(topicName: string): void {
    const only = topicName === '' ? undefined : this.#idOf(topicName);
    const ids = only === undefined ? [...this.#from.topics.byId.keys(), ...this.#topics.keys()] : [only];
    for (const id of new Set(ids)) {
      if (this.#topicOf(id) === undefined) continue;
      const topic = this.#draftOf(id);
      for (const [number, partition] of topic.partitions.entries()) {
        if (partition.eligibleLeaderReplicas.length === 0 && partition.lastKnownElr.length === 0) continue;
        topic.partitions[number] = { ...partition, eligibleLeaderReplicas: [], lastKnownElr: [] };
        topic.changed.add(number);
      }
    }
  }

  #setConfig({ resourceType, resourceName, name, value }: Readonly<ConfigRecord>): void {
    const key = configKey(resourceType, resourceName);
    let configs = this.#configs.get(key);
    if (configs === undefined) {
      configs = new Map(this.#removedConfigs.has(key) ? [] : this.#from.configs.get(key));
      this.#configs.set(key, configs);
    }
    if (value === null) configs.delete(name);
    else configs.set(name, value);
  }

  #putBroker(broker: BrokerImage): void {
    this.#brokers ??= new Map(this.#from.brokers);
    this.#brokers.set(broker.id, broker);
    this.#changedBrokers.add(broker.id);
  }

  #removeBroker(id: BrokerId): void {
    this.#broker(id);
    this.#brokers ??= new Map(this.#from.brokers);
    this.#brokers.delete(id);
    this.#changedBrokers.add(id);
  }

  #changeBroker(record: Readonly<BrokerRegistrationChangeRecord>): void {
    const broker = this.#broker(record.brokerId);
    // 1 fences, -1 unfences, 0 leaves as it is; a controlled shutdown only ever begins.
    const fenced = record.fenced === 0 ? broker.fenced : record.fenced > 0;
    this.#putBroker({
      ...broker,
      fenced,
      inControlledShutdown: broker.inControlledShutdown || record.inControlledShutdown > 0,
      logDirs: record.logDirs.length > 0 ? record.logDirs : broker.logDirs,
      cordonedLogDirs: record.cordonedLogDirs ?? broker.cordonedLogDirs,
    });
  }

  #setFeature(name: string, level: number): void {
    this.#features ??= new Map(this.#from.features);
    if (level === 0) this.#features.delete(name);
    else this.#features.set(name, level);
  }

  #broker(id: BrokerId): BrokerImage {
    const broker = (this.#brokers ?? this.#from.brokers).get(id);
    assert(broker !== undefined, `broker ${id} is registered`);
    return broker;
  }

  #idOf(name: string): Uuid | undefined {
    return this.#names.has(name) ? this.#names.get(name) : this.#from.topics.byName.get(name)?.id;
  }

  #topicOf(id: Uuid): TopicDraft | TopicImage | undefined {
    const draft = this.#topics.get(id);
    if (draft !== undefined) return draft.changed === GONE ? undefined : draft;
    return this.#from.topics.byId.get(id);
  }

  #draftOf(id: Uuid): TopicDraft {
    const draft = this.#topics.get(id);
    assert(draft?.changed !== GONE, `topic ${id} has not been deleted`);
    if (draft !== undefined) return draft;
    const previous = this.#from.topics.byId.get(id);
    assert(previous !== undefined, `topic ${id} is there`);
    const made = {
      id,
      name: previous.name,
      previous,
      partitions: [...previous.partitions],
      changed: new Set<number>(),
    };
    this.#topics.set(id, made);
    return made;
  }

  #count(before: readonly BrokerId[], after: readonly BrokerId[]): void {
    this.#replicaCounts ??= new Map(this.#from.replicaCounts);
    for (const id of before) this.#replicaCounts.set(id, (this.#replicaCounts.get(id) ?? 0) - 1);
    for (const id of after) this.#replicaCounts.set(id, (this.#replicaCounts.get(id) ?? 0) + 1);
  }

  finish(offset: Offset, epoch: LeaderEpoch): { image: LayeredImage; delta: MetadataDelta } {
    const from = this.#from;
    const created: TopicImage[] = [];
    const changed: TopicChange[] = [];
    const byId = new Map<Uuid, TopicImage | undefined>();
    for (const { id, name, previous, partitions, changed: numbers } of this.#topics.values()) {
      if (numbers === GONE) {
        byId.set(id, undefined);
        continue;
      }
      const topic: TopicImage = { id, name, partitions };
      byId.set(id, topic);
      if (previous === undefined) created.push(topic);
      else changed.push({ previous, topic, partitions: [...numbers].sort((left, right) => left - right) });
    }
    const image: LayeredImage = {
      offset,
      epoch,
      clusterId: from.clusterId,
      topics: this.#finishTopics(byId),
      brokers: this.#brokers ?? from.brokers,
      configs: from.configs.with(this.#finishConfigs()),
      producerIds: this.#nextProducerId === undefined ? from.producerIds : { next: this.#nextProducerId },
      features: this.#features ?? from.features,
      carried: this.#carried.length === 0 ? from.carried : [...from.carried, ...this.#carried],
      replicaCounts: this.#replicaCounts ?? from.replicaCounts,
    };
    const delta: MetadataDelta = {
      createdTopics: created,
      deletedTopics: this.#deleted,
      changedTopics: changed,
      changedBrokers: [...this.#changedBrokers],
      changedConfigs: [...this.#configs.keys()].map(resourceOfConfigKey),
      producerIdsChanged: this.#nextProducerId !== undefined,
      featuresChanged: this.#features !== undefined,
    };
    return { image, delta };
  }

  #finishTopics(byId: ReadonlyMap<Uuid, TopicImage | undefined>): LayeredImage['topics'] {
    const byName = new Map<string, TopicImage | undefined>();
    const byMetricName = new Map<string, string | undefined>();
    for (const [name, id] of this.#names) {
      byName.set(name, id === undefined ? undefined : byId.get(id));
      const shared = metricName(name);
      if (shared !== undefined && (id !== undefined || !byMetricName.has(shared))) {
        byMetricName.set(shared, id === undefined ? undefined : name);
      }
    }
    for (const topic of byId.values()) {
      if (topic !== undefined) byName.set(topic.name, topic);
    }
    const { topics } = this.#from;
    return {
      byName: topics.byName.with(byName),
      byId: topics.byId.with(byId),
      byMetricName: topics.byMetricName.with(byMetricName),
    };
  }

  #finishConfigs(): Map<string, ReadonlyMap<string, string> | undefined> {
    const changes = new Map<string, ReadonlyMap<string, string> | undefined>();
    for (const key of this.#removedConfigs) changes.set(key, undefined);
    for (const [key, configs] of this.#configs) changes.set(key, configs.size === 0 ? undefined : configs);
    return changes;
  }
}

/** Marks the draft of a topic that was deleted. */
const GONE = new Set<number>();

function partitionOf(record: Readonly<PartitionRecord>): PartitionImage {
  return {
    replicas: record.replicas,
    isr: record.isr,
    removingReplicas: record.removingReplicas,
    addingReplicas: record.addingReplicas,
    leader: record.leader,
    leaderRecoveryState: record.leaderRecoveryState,
    leaderEpoch: record.leaderEpoch,
    partitionEpoch: record.partitionEpoch,
    directories: knownDirectories(record.directories),
    eligibleLeaderReplicas: record.eligibleLeaderReplicas ?? [],
    lastKnownElr: record.lastKnownElr ?? [],
  };
}

/** The zero id stands for a directory that was never told. */
function knownDirectories(directories: readonly Uuid[]): readonly Uuid[] {
  return directories.every((directory) => directory === ZERO_UUID) ? [] : directories;
}

/** A leader named anew, even the same, is a new election: the leader epoch rises. The partition epoch always does. */
export function mergePartition(partition: PartitionImage, record: Readonly<PartitionChangeRecord>): PartitionImage {
  const elected = record.leader !== SAME_LEADER;
  return {
    replicas: record.replicas ?? partition.replicas,
    isr: record.isr ?? partition.isr,
    removingReplicas: record.removingReplicas ?? partition.removingReplicas,
    addingReplicas: record.addingReplicas ?? partition.addingReplicas,
    leader: elected ? record.leader : partition.leader,
    leaderRecoveryState:
      record.leaderRecoveryState === SAME_RECOVERY_STATE ? partition.leaderRecoveryState : record.leaderRecoveryState,
    leaderEpoch: elected ? partition.leaderEpoch + 1 : partition.leaderEpoch,
    partitionEpoch: partition.partitionEpoch + 1,
    directories: record.directories === null ? partition.directories : knownDirectories(record.directories),
    eligibleLeaderReplicas: record.eligibleLeaderReplicas ?? partition.eligibleLeaderReplicas,
    lastKnownElr: record.lastKnownElr ?? partition.lastKnownElr,
  };
}

function brokerOf(record: Readonly<RegisterBrokerRecord>): BrokerImage {
  return {
    id: record.brokerId,
    epoch: record.brokerEpoch,
    incarnationId: record.incarnationId,
    endpoints: record.endPoints,
    features: record.features,
    rack: record.rack,
    fenced: record.fenced,
    inControlledShutdown: record.inControlledShutdown,
    logDirs: record.logDirs,
    cordonedLogDirs: record.cordonedLogDirs ?? [],
  };
}
