/**
 * The image that the znodes hold, and what an earlier controller left half done: topics marked as deleted, partitions
 * without a state, configs of nothing. The image is as if all that were finished; the repairs make it so. What cannot be
 * understood costs no more than what it says (salvage.ts). Only for a controller in office: nobody else may write meanwhile.
 */
import { SluiceError } from '../../../../base/errors.ts';
import type { BrokerId, LeaderEpoch } from '../../../../base/units.ts';
import type { Uuid } from '../../../../base/uuid.ts';
import {
  applyRecords,
  type BrokerImage,
  configsOf,
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
import type { Operation, Stat, Watcher, ZooKeeper } from '../client/zookeeper.ts';
import { damaged } from './json-fields.ts';
import { firstOffset } from './plan-writes.ts';
import { removalOf, topicRemoval } from './remove-znodes.ts';
import { cautiousConfigs, checkRecord, type Finding, type KnownMetadata, Salvage, understand } from './salvage.ts';
import { ZnodeVersions } from './znode-versions.ts';
import {
  type Assignment,
  CARRIED,
  CONFIG_FOLDERS,
  carriedPath,
  checkTopicName,
  configData,
  configPath,
  configResource,
  DELETED_TOPICS,
  deletedTopicPath,
  FEATURES,
  featuresData,
  KNOWN_BROKERS,
  knownBrokerData,
  NO_DATA,
  PRODUCER_IDS,
  partitionPath,
  partitionsPath,
  producerIdsData,
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
  readonly nowMs: number;
  /** Stands in for what cannot be understood. */
  readonly known?: KnownMetadata;
  /** Called when a znode changes that could not be understood and was left as it is. */
  readonly onMended?: Watcher;
}

export interface LoadedImage {
  readonly image: MetadataImage;
  /** In order; each list stays together. */
  readonly repairs: readonly (readonly Operation[])[];
  readonly versions: ZnodeVersions;
  readonly findings: readonly Finding[];
  /** Topics that are left out, and why; their znodes are there. */
  readonly lostTopics: ReadonlyMap<string, string>;
}

/** A read znode. */
interface Read {
  readonly data: Buffer;
  readonly stat: Stat;
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
  readonly #salvage: Salvage;
  readonly #repairs: Operation[][] = [];
  readonly #versions = new ZnodeVersions();
  #reading = 0;
  readonly #waiting: (() => void)[] = [];

  constructor(zooKeeper: ZooKeeper, options: LoadOptions) {
    this.#zooKeeper = zooKeeper;
    this.#options = options;
    this.#salvage = new Salvage(options.known);
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
    for (const name of marked) await this.#finishDeletion(name);
    const records: MetadataRecord[] = [];
    for (const [name, featureLevel] of this.#features(features)) {
      records.push(newRecord('featureLevel', { name, featureLevel }));
    }
    for (const broker of brokers.values()) records.push(brokerRecord(broker));
    for (const { topicRecords } of this.#withOwnIds(topics)) records.push(...topicRecords);
    records.push(...configs);
    const nextProducerId = this.#nextProducerId(producerIds);
    if (nextProducerId > 0) records.push(newRecord('producerIds', { brokerId: -1, nextProducerId }));
    records.push(...carried);
    const { image } = applyRecords(emptyImage(clusterId), records, firstOffset(epoch), epoch);
    const { findings, lostTopics } = this.#salvage;
    return { image, repairs: this.#repairs, versions: this.#versions, findings, lostTopics };
  }

  #features(read: Read | undefined): ReadonlyMap<string, number> {
    if (read === undefined) return new Map();
    const levels = (): ReadonlyMap<string, number> => {
      const features = readFeatures(read.data);
      for (const [name, featureLevel] of features)
        checkRecord(FEATURES, newRecord('featureLevel', { name, featureLevel }));
      return features;
    };
    return understand(levels, (error) => {
      const known = this.#salvage.image?.features;
      const consequence = known === undefined ? 'features begin as in a new cluster' : RESTORED;
      this.#salvage.report(error, read.data, { znode: FEATURES, consequence });
      if (known !== undefined) this.#set(FEATURES, featuresData(known));
      return known ?? new Map();
    });
  }

  /** Blocks hold a thousand ids and none lasts less than a millisecond: nobody can have had those of the present time. */
  #nextProducerId(read: Read | undefined): number {
    if (read === undefined) return 0;
    const next = (): number => {
      const nextProducerId = readNextProducerId(read.data);
      const given = this.#salvage.image?.producerIds.next ?? 0;
      if (nextProducerId < given) throw damaged(PRODUCER_IDS, `ids below ${given} were given already`);
      checkRecord(PRODUCER_IDS, newRecord('producerIds', { brokerId: -1, nextProducerId }));
      return nextProducerId;
    };
    return understand(next, (error) => {
      const start = Math.max(this.#salvage.image?.producerIds.next ?? 0, this.#options.nowMs * PRODUCER_IDS_A_MS);
      const consequence = `producer ids go on from ${start}, which nobody has had`;
      this.#salvage.report(error, read.data, { znode: PRODUCER_IDS, consequence });
      this.#set(PRODUCER_IDS, producerIdsData({ brokerId: -1, start, next: start }));
      return start;
    });
  }

  #set(path: string, data: Buffer): void {
    this.#repairs.push([{ kind: 'setData', path, data }]);
  }

  async #brokers(): Promise<Map<BrokerId, BrokerImage>> {
    const names = await this.#children(KNOWN_BROKERS);
    const brokers = await Promise.all(names.map((name) => this.#broker(name)));
    const known = brokers.filter((broker) => broker !== undefined).sort((left, right) => left.id - right.id);
    return new Map(known.map((broker) => [broker.id, broker]));
  }

  async #broker(name: string): Promise<BrokerImage | undefined> {
    const path = `${KNOWN_BROKERS}/${name}`;
    const read = await this.#data(path);
    if (read === undefined) return undefined;
    const broker = (): BrokerImage => {
      const told = readKnownBroker(path, read.data);
      if (String(told.id) !== name) throw damaged(path, `it tells of broker ${told.id}`);
      checkRecord(path, brokerRecord(told));
      return told;
    };
    const other = understand<BrokerImage | SluiceError | undefined>(broker, (error) => error);
    if (!(other instanceof SluiceError)) return other;
    const known = this.#salvage.image?.brokers.get(Number(name));
    const consequence = known === undefined ? 'the broker is unknown until it registers again' : RESTORED;
    this.#salvage.report(other, read.data, { znode: path, consequence });
    if (known !== undefined) this.#set(path, knownBrokerData(known));
    else this.#repairs.push([...(await removalOf(this.#zooKeeper, path))]);
    return known;
  }

  /** Their places are counted, so that what is left closes ranks. */
  async #carried(): Promise<MetadataRecord[]> {
    const names = [...(await this.#children(CARRIED))].sort();
    const read = await Promise.all(names.map((name) => this.#data(`${CARRIED}/${name}`)));
    const kept = read.flatMap((znode, index) => {
      if (znode === undefined) return [];
      return understand(
        () => [{ record: decodeRecord(znode.data), data: znode.data }],
        (error) => {
          const told = { znode: `${CARRIED}/${names[index]}`, consequence: 'what it says is left out' };
          this.#salvage.report(error, znode.data, told);
          return [];
        },
      );
    });
    if (names.some((name, index) => carriedPath(index) !== `${CARRIED}/${name}`) || kept.length < names.length) {
      for (const name of names) this.#repairs.push(await removalOf(this.#zooKeeper, `${CARRIED}/${name}`));
      this.#repairs.push(kept.map(({ data }, index) => ({ kind: 'create', path: carriedPath(index), data })));
    }
    return kept.map(({ record }) => record);
  }

  /** Undefined where nobody can say who holds its partitions. */
  async #topic(name: string, brokers: ReadonlyMap<BrokerId, BrokerImage>): Promise<LoadedTopic | undefined> {
    const path = topicPath(name);
    const read = await this.#data(path);
    // Somebody takes it away right now.
    if (read === undefined) return undefined;
    const stored = understand<StoredTopic | undefined>(
      () => {
        checkTopicName(name);
        const topic = readTopic(name, read.data);
        if (topic.partitions.length === 0) throw damaged(path, 'it names no partitions');
        return topic;
      },
      (error) => this.#knownTopic(name, error, read),
    );
    if (stored === undefined) {
      await this.#awaitMending(path);
      return undefined;
    }
    const { topicId, partitions } = stored;
    const id = topicId ?? this.#options.newId();
    if (topicId === undefined) this.#set(path, topicData(id, partitions));
    const states = await Promise.all(
      partitions.map((assignment, partition) => this.#state({ name, id, partition }, assignment)),
    );
    if (states.includes(undefined)) await this.#completePartitions({ id, name }, partitions, states, brokers);
    const topicRecords = [
      newRecord('topic', { name, topicId: id }),
      ...states.map((state, partition) => partitionRecord(id, partition, state!)),
    ];
    return { id, name, topicRecords, read };
  }

  #knownTopic(name: string, error: SluiceError, read: Read): StoredTopic | undefined {
    const path = topicPath(name);
    const known = this.#salvage.image?.topics.byName.get(name);
    if (known === undefined) {
      this.#salvage.loseTopic(name, error, read.data, path);
      return undefined;
    }
    this.#salvage.report(error, read.data, { znode: path, consequence: RESTORED });
    this.#set(path, topicData(known.id, known.partitions));
    return { topicId: known.id, partitions: known.partitions };
  }

  /** Undefined where the partition has none. */
  async #state({ name, id, partition }: Place, assignment: Assignment): Promise<PartitionImage | undefined> {
    const path = statePath(name, partition);
    const read = await this.#data(path);
    if (read === undefined) return undefined;
    const { version } = read.stat;
    const stored = understand<PartitionImage | SluiceError>(
      () => {
        const state = readState(path, read.data, { assignment, version });
        checkRecord(path, partitionRecord(id, partition, state));
        return state;
      },
      (error) => error,
    );
    if (stored instanceof SluiceError) {
      const { state, restored } = this.#salvageState({ name, id, partition }, assignment, stored, read);
      if (restored) this.#set(path, stateData(state, this.#options.epoch));
      else await this.#awaitMending(path);
      return state;
    }
    const raised = this.#salvage.raised(id, partition, stored);
    if (raised !== undefined) this.#set(path, stateData(raised, this.#options.epoch));
    return raised ?? stored;
  }

  #salvageState({ name, id, partition }: Place, assignment: Assignment, error: SluiceError, read: Read | undefined) {
    const znode = statePath(name, partition);
    const held = read?.data ?? NO_DATA;
    const known = this.#salvage.partition(id, partition, assignment);
    if (known !== undefined) {
      this.#salvage.report(error, held, { znode, consequence: RESTORED });
      return { state: known, restored: true };
    }
    const consequence = `partition ${name}-${partition} has no leader`;
    const elect = `sluice cluster elect-leaders --unclean --topic ${name}:${partition}`;
    const mend = 'Set it right with zkCli, which is noticed at once; or let any replica lead, which may lose records';
    this.#salvage.report(error, held, { znode, consequence, remedy: `${mend}: ${elect}` });
    return { state: this.#salvage.offline(id, partition, assignment, read?.stat.version ?? 0), restored: false };
  }

  /** Fills in the states that the topic's creation, or that of further partitions, did not come to. */
  async #completePartitions(
    { id, name }: Omit<Place, 'partition'>,
    assignments: readonly Assignment[],
    states: (PartitionImage | undefined)[],
    brokers: ReadonlyMap<BrokerId, BrokerImage>,
  ): Promise<void> {
    const parent = await this.#exists(partitionsPath(name));
    if (!parent) this.#repairs.push([{ kind: 'create', path: partitionsPath(name), data: NO_DATA }]);
    const completed = assignments.map(async (assignment, partition) => {
      if (states[partition] !== undefined) return;
      const path = statePath(name, partition);
      // What brokers know of a partition was stored once: somebody has deleted it.
      const state = this.#salvage.hasHadState(id, partition)
        ? this.#salvageState({ id, name, partition }, assignment, damaged(path, 'it was deleted'), undefined).state
        : newState(assignment, brokers);
      states[partition] = state;
      const repair: Operation[] = [];
      const above = partitionPath(name, partition);
      if (!parent || !(await this.#exists(above))) repair.push({ kind: 'create', path: above, data: NO_DATA });
      repair.push({ kind: 'create', path, data: stateData(state, this.#options.epoch) });
      this.#repairs.push(repair);
    });
    await Promise.all(completed);
  }

  async #configs(topics: ReadonlySet<string>, gone: ReadonlySet<string>): Promise<MetadataRecord[]> {
    const folders = [...CONFIG_FOLDERS].map(async ([resourceType, folder]) => {
      const names = [...(await this.#children(`/config/${folder}`))].sort();
      return (
        await Promise.all(names.map((name) => this.#config(resourceType, { folder, name, topics, gone })))
      ).flat();
    });
    return (await Promise.all(folders)).flat();
  }

  async #config(resourceType: number, { folder, name, topics, gone }: ConfigPlace): Promise<MetadataRecord[]> {
    const path = `/config/${folder}/${name}`;
    const resourceName = configResource(name);
    const isTopic = resourceType === RESOURCE_TYPE.TOPIC;
    // The deletion of the topic takes its configs along.
    if (isTopic && resourceName !== undefined && gone.has(resourceName)) return [];
    const known = resourceName !== undefined && configPath(resourceType, resourceName) === path;
    const isOrphan = isTopic && (resourceName === undefined || !topics.has(resourceName));
    const read = known && !isOrphan ? await this.#data(path) : undefined;
    const configs = read === undefined ? NO_CONFIGS : this.#readConfig(path, resourceType, resourceName ?? '', read);
    if (configs.size === 0) this.#repairs.push(await removalOf(this.#zooKeeper, path));
    return [...configs].map(([key, value]) =>
      newRecord('config', { resourceType, resourceName: resourceName ?? '', name: key, value }),
    );
  }

  #readConfig(path: string, resourceType: number, resourceName: string, read: Read): ReadonlyMap<string, string> {
    return understand(
      () => readConfig(path, read.data),
      (error) => {
        const { image } = this.#salvage;
        const configs =
          image === undefined ? cautiousConfigs(resourceType) : configsOf(image, resourceType, resourceName);
        const cautious = 'nothing is deleted for its age or size meanwhile';
        const consequence = image === undefined ? `the configs are not known; ${cautious}` : RESTORED;
        this.#salvage.report(error, read.data, {
          znode: path,
          consequence,
          ...(image === undefined ? { remedy: SET_ANEW } : {}),
        });
        if (configs.size > 0) this.#set(path, configData(configs));
        return configs;
      },
    );
  }

  /** Deletes what is left of a topic that is marked as deleted, then the mark. */
  async #finishDeletion(name: string): Promise<void> {
    const operations = await topicRemoval(this.#zooKeeper, name);
    const mark = await removalOf(this.#zooKeeper, deletedTopicPath(name));
    for (const operation of [...operations, ...mark]) this.#repairs.push([operation]);
  }

  /** An id belongs to the topic that is known by it, or else to the one that was there first. */
  #withOwnIds(topics: readonly (LoadedTopic | undefined)[]): LoadedTopic[] {
    const known = this.#salvage.image?.topics.byId;
    const rank = ({ id, name, read }: LoadedTopic): number => (known?.get(id)?.name === name ? 0 : read.stat.czxid);
    const found = topics.filter((topic) => topic !== undefined).sort((left, right) => rank(left) - rank(right));
    const owners = new Map<Uuid, LoadedTopic>();
    for (const topic of found) {
      const { id, name, read } = topic;
      const owner = owners.get(id);
      if (owner === undefined) owners.set(id, topic);
      else {
        const path = topicPath(name);
        this.#salvage.loseTopic(name, damaged(path, `it has the id of topic ${owner.name}`), read.data, path);
      }
    }
    return [...owners.values()].sort((left, right) => (left.name < right.name ? -1 : 1));
  }

  /** Calls `onMended` once when somebody changes the znode. */
  async #awaitMending(path: string): Promise<void> {
    const { onMended } = this.#options;
    if (onMended !== undefined) await this.#read(() => this.#zooKeeper.exists(path, onMended));
  }

  /** Undefined where there is no such znode. */
  #data(path: string): Promise<Read | undefined> {
    return this.#read(async () => {
      try {
        const read = await this.#zooKeeper.getData(path);
        this.#versions.note(path, read.stat.version);
        return read;
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
const PRODUCER_IDS_A_MS = 1000;
const RESTORED = 'written anew from the metadata that this broker followed';
const SET_ANEW = 'Set the configs anew (sluice topics alter, or any admin client).';

type StoredTopic = ReturnType<typeof readTopic>;

interface Place {
  readonly name: string;
  readonly id: Uuid;
  readonly partition: number;
}

interface ConfigPlace {
  readonly folder: string;
  /** Of the znode. */
  readonly name: string;
  readonly topics: ReadonlySet<string>;
  /** Topics that are marked as deleted. */
  readonly gone: ReadonlySet<string>;
}

interface LoadedTopic {
  readonly id: Uuid;
  readonly name: string;
  readonly topicRecords: readonly MetadataRecord[];
  readonly read: Read;
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
