/**
 * The image that the znodes hold, and what an earlier controller left half done: topics marked as deleted, partitions
 * without a state, configs of nothing. The image is as if all that were finished; the repairs make it so. Only for a
 * controller in office: nobody else may write meanwhile.
 */
import type { BrokerId, LeaderEpoch } from '../../../../base/units.ts';
import type { Uuid } from '../../../../base/uuid.ts';
import {
  applyRecords,
  type BrokerImage,
  emptyImage,
  LEADER_RECOVERY,
  type MetadataImage,
  NO_LEADER,
  type PartitionImage,
} from '../../../image.ts';
import { brokerRecord, partitionRecord } from '../../../image-records.ts';
import { decodeRecord, type MetadataRecord, newRecord } from '../../../records.ts';
import { RESOURCE_TYPE } from '../../../resources.ts';
import { failedWith } from '../client/errors.ts';
import type { Operation, Stat, ZooKeeper } from '../client/zookeeper.ts';
import { damaged } from './json-fields.ts';
import { firstOffset } from './plan-writes.ts';
import {
  type Assignment,
  CARRIED,
  CONFIG_FOLDERS,
  configPath,
  configResource,
  DELETED_TOPICS,
  deletedTopicPath,
  FEATURES,
  KNOWN_BROKERS,
  NO_DATA,
  PRODUCER_IDS,
  partitionPath,
  partitionsPath,
  readConfig,
  readFeatures,
  readKnownBroker,
  readNextProducerId,
  readState,
  readTopic,
  stateData,
  statePath,
  TOPICS,
  topicData,
  topicPath,
} from './znodes.ts';

export interface LoadOptions {
  readonly clusterId: string;
  /** Of the controller that loads. */
  readonly epoch: LeaderEpoch;
  /** For topics of a time without ids. */
  readonly newId: () => Uuid;
}

export interface LoadedImage {
  readonly image: MetadataImage;
  /** In order; each list stays together. */
  readonly repairs: readonly (readonly Operation[])[];
}

/** Reads that wait for an answer at a time. */
const MOST_READS = 500;

/** Rejects with a ZooKeeperError, or SluiceError CORRUPT_METADATA. */
export async function loadImage(zooKeeper: ZooKeeper, options: LoadOptions): Promise<LoadedImage> {
  const load = new Load(zooKeeper, options);
  return load.run();
}

class Load {
  readonly #zooKeeper: ZooKeeper;
  readonly #options: LoadOptions;
  readonly #repairs: Operation[][] = [];
  #reading = 0;
  readonly #waiting: (() => void)[] = [];

  constructor(zooKeeper: ZooKeeper, options: LoadOptions) {
    this.#zooKeeper = zooKeeper;
    this.#options = options;
  }

  async run(): Promise<LoadedImage> {
    const { clusterId, epoch } = this.#options;
    const [features, brokers, producerIds, carried, marked, names] = await Promise.all([
      this.#data(FEATURES),
      this.#brokers(),
      this.#data(PRODUCER_IDS),
      this.#carried(),
      this.#children(DELETED_TOPICS),
      this.#children(TOPICS),
    ]);
    const gone = new Set(marked);
    const kept = names.filter((name) => !gone.has(name)).sort();
    const topics = await Promise.all(kept.map((name) => this.#topic(name, brokers)));
    const configs = await this.#configs(new Set(kept), gone);
    await Promise.all(marked.map((name) => this.#finishDeletion(name, names.includes(name))));
    refuseSharedIds(topics);
    const records: MetadataRecord[] = [];
    for (const [name, featureLevel] of features === undefined ? [] : readFeatures(features.data)) {
      records.push(newRecord('featureLevel', { name, featureLevel }));
    }
    for (const broker of brokers.values()) records.push(brokerRecord(broker));
    for (const { topicRecords } of topics) records.push(...topicRecords);
    records.push(...configs);
    const nextProducerId = producerIds === undefined ? 0 : readNextProducerId(producerIds.data);
    if (nextProducerId > 0) records.push(newRecord('producerIds', { brokerId: -1, nextProducerId }));
    records.push(...carried);
    const { image } = applyRecords(emptyImage(clusterId), records, firstOffset(epoch), epoch);
    return { image, repairs: this.#repairs };
  }

  async #brokers(): Promise<Map<BrokerId, BrokerImage>> {
    const names = await this.#children(KNOWN_BROKERS);
    const brokers = await Promise.all(
      names.map(async (name) => {
        const path = `${KNOWN_BROKERS}/${name}`;
        const read = await this.#data(path);
        return read === undefined ? undefined : readKnownBroker(path, read.data);
      }),
    );
    const known = brokers.filter((broker) => broker !== undefined).sort((left, right) => left.id - right.id);
    return new Map(known.map((broker) => [broker.id, broker]));
  }

  async #carried(): Promise<MetadataRecord[]> {
    const names = [...(await this.#children(CARRIED))].sort();
    const read = await Promise.all(names.map((name) => this.#data(`${CARRIED}/${name}`)));
    return read.flatMap((znode) => (znode === undefined ? [] : [decodeRecord(znode.data)]));
  }

  async #topic(name: string, brokers: ReadonlyMap<BrokerId, BrokerImage>): Promise<LoadedTopic> {
    const read = await this.#data(topicPath(name));
    if (read === undefined) throw damaged(topicPath(name), 'it was deleted while it was read');
    const { topicId, partitions } = readTopic(name, read.data);
    const id = topicId ?? this.#options.newId();
    if (topicId === undefined) {
      this.#repairs.push([{ kind: 'setData', path: topicPath(name), data: topicData(id, partitions) }]);
    }
    const states = await Promise.all(
      partitions.map(async (assignment, partition) => {
        const path = statePath(name, partition);
        const state = await this.#data(path);
        return state && readState(path, state.data, { assignment, version: state.stat.version });
      }),
    );
    if (states.includes(undefined)) await this.#completePartitions(name, partitions, states, brokers);
    const topicRecords = [
      newRecord('topic', { name, topicId: id }),
      ...states.map((state, partition) => partitionRecord(id, partition, state!)),
    ];
    return { id, name, topicRecords };
  }

  /** Fills in the states that the topic's creation, or that of further partitions, did not come to. */
  async #completePartitions(
    name: string,
    assignments: readonly Assignment[],
    states: (PartitionImage | undefined)[],
    brokers: ReadonlyMap<BrokerId, BrokerImage>,
  ): Promise<void> {
    const parent = await this.#exists(partitionsPath(name));
    if (!parent) this.#repairs.push([{ kind: 'create', path: partitionsPath(name), data: NO_DATA }]);
    const completed = assignments.map(async (assignment, partition) => {
      if (states[partition] !== undefined) return;
      const state = newState(assignment, brokers);
      states[partition] = state;
      const repair: Operation[] = [];
      const path = partitionPath(name, partition);
      if (!parent || !(await this.#exists(path))) repair.push({ kind: 'create', path, data: NO_DATA });
      const data = stateData(state, this.#options.epoch);
      repair.push({ kind: 'create', path: statePath(name, partition), data });
      this.#repairs.push(repair);
    });
    await Promise.all(completed);
  }

  async #configs(topics: ReadonlySet<string>, gone: ReadonlySet<string>): Promise<MetadataRecord[]> {
    const folders = await Promise.all(
      [...CONFIG_FOLDERS].map(async ([resourceType, folder]) => {
        const names = [...(await this.#children(`/config/${folder}`))].sort();
        const read = names.map(async (name): Promise<MetadataRecord[]> => {
          const path = `/config/${folder}/${name}`;
          const resourceName = configResource(name);
          // The deletion of the topic takes its configs along.
          if (resourceType === RESOURCE_TYPE.TOPIC && gone.has(resourceName)) return [];
          const known = configPath(resourceType, resourceName) === path;
          const isOrphan = resourceType === RESOURCE_TYPE.TOPIC && !topics.has(resourceName);
          const configs = known && !isOrphan ? readConfig(path, (await this.#data(path))?.data ?? NO_DATA) : NO_CONFIGS;
          if (configs.size === 0) this.#repairs.push([{ kind: 'delete', path }]);
          return [...configs].map(([key, value]) =>
            newRecord('config', { resourceType, resourceName, name: key, value }),
          );
        });
        return (await Promise.all(read)).flat();
      }),
    );
    return folders.flat();
  }

  /** Deletes what is left of a topic that is marked as deleted, then the mark. */
  async #finishDeletion(name: string, topicThere: boolean): Promise<void> {
    const root: Operation[] = [];
    if (topicThere) {
      const parent = partitionsPath(name);
      if (await this.#exists(parent)) {
        const partitions = await this.#children(parent);
        const leaves = partitions.map(async (partition) => {
          const path = `${parent}/${partition}`;
          const state: Operation[] = (await this.#exists(`${path}/state`))
            ? [{ kind: 'delete', path: `${path}/state` }]
            : [];
          this.#repairs.push([...state, { kind: 'delete', path }]);
        });
        await Promise.all(leaves);
        root.push({ kind: 'delete', path: parent });
      }
      root.push({ kind: 'delete', path: topicPath(name) });
    }
    const config = configPath(RESOURCE_TYPE.TOPIC, name)!;
    if (await this.#exists(config)) root.push({ kind: 'delete', path: config });
    this.#repairs.push([...root, { kind: 'delete', path: deletedTopicPath(name) }]);
  }

  /** Undefined where there is no such znode. */
  #data(path: string): Promise<{ readonly data: Buffer; readonly stat: Stat } | undefined> {
    return this.#read(async () => {
      try {
        return await this.#zooKeeper.getData(path);
      } catch (error) {
        if (failedWith(error, 'NO_NODE')) return undefined;
        throw error;
      }
    });
  }

  #exists(path: string): Promise<boolean> {
    return this.#read(async () => (await this.#zooKeeper.exists(path)) !== undefined);
  }

  #children(path: string): Promise<readonly string[]> {
    return this.#read(async () => (await this.#zooKeeper.getChildren(path)).children);
  }

  async #read<T>(read: () => Promise<T>): Promise<T> {
    while (this.#reading >= MOST_READS) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    this.#reading++;
    try {
      return await read();
    } finally {
      this.#reading--;
      this.#waiting.shift()?.();
    }
  }
}

const NO_CONFIGS: ReadonlyMap<string, string> = new Map();

interface LoadedTopic {
  readonly id: Uuid;
  readonly name: string;
  readonly topicRecords: readonly MetadataRecord[];
}

/** Nobody has ever heard of such a partition, so any of its replicas may lead it. */
function newState(assignment: Assignment, brokers: ReadonlyMap<BrokerId, BrokerImage>): PartitionImage {
  const live = assignment.replicas.filter((id) => {
    const broker = brokers.get(id);
    return broker !== undefined && !broker.fenced && !broker.inControlledShutdown;
  });
  return {
    ...assignment,
    isr: live.length > 0 ? live : assignment.replicas,
    leader: live[0] ?? NO_LEADER,
    leaderRecoveryState: LEADER_RECOVERY.RECOVERED,
    leaderEpoch: 0,
    partitionEpoch: 0,
    directories: [],
    eligibleLeaderReplicas: [],
    lastKnownElr: [],
  };
}

function refuseSharedIds(topics: readonly LoadedTopic[]): void {
  const names = new Map<Uuid, string>();
  for (const { id, name } of topics) {
    const other = names.get(id);
    if (other !== undefined) throw damaged(topicPath(name), `it has the id of topic ${other}`);
    names.set(id, name);
  }
}
