/**
 * Where things stand in ZooKeeper and how they are written: the paths and JSON of Kafka 3 in ZooKeeper mode
 * (kafka.zk.ZkData), so that its tools can read them. What Kafka had no place for are further fields, which it passes
 * over, or stands below /sluice.
 */
import { SluiceError } from '../../../../base/errors.ts';
import type { BrokerId, LeaderEpoch } from '../../../../base/units.ts';
import type { Uuid } from '../../../../base/uuid.ts';
import { SECURITY_PROTOCOL_IDS } from '../../../../config/listeners.ts';
import type { BrokerRegistration } from '../../../broker-registration.ts';
import {
  type BrokerEndpoint,
  type BrokerImage,
  LEADER_RECOVERY,
  NO_LEADER,
  type PartitionImage,
} from '../../../image.ts';
import { RESOURCE_TYPE } from '../../../resources.ts';
import { damaged, JsonFields } from './json-fields.ts';

export const CONTROLLER = '/controller';
export const CONTROLLER_EPOCH = '/controller_epoch';
export const CLUSTER_ID = '/cluster/id';
export const BROKER_IDS = '/brokers/ids';
export const TOPICS = '/brokers/topics';
export const DELETED_TOPICS = '/admin/delete_topics';
export const PRODUCER_IDS = '/latest_producer_id_block';
export const FEATURES = '/feature';
/** Brokers as the controller knows them, alive or not. */
export const KNOWN_BROKERS = '/sluice/brokers';
/** Records that this program keeps for others. */
export const CARRIED = '/sluice/carried';
/** Its version counts the writes of controllers: each is made on condition of the one before. */
export const COMMIT = '/sluice/commit';

/** Made at the first start, parents before children. */
export const PERSISTENT_PATHS: readonly string[] = [
  '/consumers',
  '/cluster',
  '/brokers',
  BROKER_IDS,
  TOPICS,
  '/brokers/seqid',
  '/config',
  '/config/changes',
  '/config/topics',
  '/config/clients',
  '/config/users',
  '/config/brokers',
  '/config/ips',
  '/config/groups',
  '/config/client-metrics',
  '/admin',
  DELETED_TOPICS,
  '/isr_change_notification',
  PRODUCER_IDS,
  '/log_dir_event_notification',
  '/sluice',
  KNOWN_BROKERS,
  CARRIED,
  COMMIT,
];

function json(value: unknown): Buffer {
  return Buffer.from(JSON.stringify(value));
}

/** A znode that only has children. */
export const NO_DATA = Buffer.alloc(0);

// Controller

export interface ControllerZnode {
  readonly brokerId: BrokerId;
  /** Tells a broker's own past lives from another broker with its id. */
  readonly identity: string | undefined;
}

export function controllerData({ brokerId, identity }: ControllerZnode, nowMs: number): Buffer {
  return json({
    version: 1,
    brokerid: brokerId,
    timestamp: String(nowMs),
    ...(identity === undefined ? {} : { identity }),
  });
}

export function readController(data: Buffer): ControllerZnode {
  const fields = JsonFields.parse(CONTROLLER, data);
  return { brokerId: fields.number('brokerid'), identity: fields.textOr('identity', undefined) };
}

export function controllerEpochData(epoch: LeaderEpoch): Buffer {
  return Buffer.from(String(epoch));
}

export function readControllerEpoch(data: Buffer): LeaderEpoch {
  const epoch = Number(data.toString());
  if (!Number.isSafeInteger(epoch) || data.length === 0) throw damaged(CONTROLLER_EPOCH, 'it is no number');
  return epoch;
}

// Cluster

export function clusterIdData(clusterId: string): Buffer {
  return json({ version: '1', id: clusterId });
}

export function readClusterId(data: Buffer): string {
  return JsonFields.parse(CLUSTER_ID, data).text('id');
}

const FEATURES_VERSION = 2;
const FEATURES_ENABLED = 1;

export function featuresData(features: ReadonlyMap<string, number>): Buffer {
  return json({ version: FEATURES_VERSION, status: FEATURES_ENABLED, features: Object.fromEntries(features) });
}

export function readFeatures(data: Buffer): Map<string, number> {
  const fields = JsonFields.parse(FEATURES, data).needed('features');
  const levels = fields.object('features');
  const ranges = fields.number('version') < FEATURES_VERSION;
  return new Map(
    levels
      .names()
      .map((name) => [name, ranges ? levels.object(name).number('max_version_level') : levels.number(name)]),
  );
}

/** `brokerId` got the block that ends before `next`. */
export function producerIdsData(block: {
  readonly brokerId: BrokerId;
  readonly start: number;
  readonly next: number;
}): Buffer {
  const { brokerId, start, next } = block;
  return json({ version: 1, broker: brokerId, block_start: String(start), block_end: String(next - 1) });
}

/** The first producer id that nobody has. */
export function readNextProducerId(data: Buffer): number {
  return data.length === 0 ? 0 : JsonFields.parse(PRODUCER_IDS, data).number('block_end') + 1;
}

export function commitData(epoch: LeaderEpoch, offset: number): Buffer {
  return json({ version: 1, controller_epoch: epoch, offset });
}

/** Offset of the last committed write; undefined before the first, and where that cannot be known. */
export function readCommittedOffset(data: Buffer): number | undefined {
  try {
    const offset = JsonFields.parse(COMMIT, data).number('offset');
    return offset < 0 ? undefined : offset;
  } catch (error) {
    if (error instanceof SluiceError) return undefined;
    throw error;
  }
}

// Topics

export function topicPath(topic: string): string {
  return `${TOPICS}/${topic}`;
}

export function partitionsPath(topic: string): string {
  return `${TOPICS}/${topic}/partitions`;
}

export function partitionPath(topic: string, partition: number): string {
  return `${TOPICS}/${topic}/partitions/${partition}`;
}

export function statePath(topic: string, partition: number): string {
  return `${TOPICS}/${topic}/partitions/${partition}/state`;
}

export function deletedTopicPath(topic: string): string {
  return `${DELETED_TOPICS}/${topic}`;
}

/** Who holds a partition; the state tells who leads it. */
export type Assignment = Pick<PartitionImage, 'replicas' | 'addingReplicas' | 'removingReplicas'>;

export function topicData(topicId: Uuid, partitions: readonly Assignment[]): Buffer {
  const listed = (
    pick: (partition: Assignment) => readonly BrokerId[],
    all: boolean,
  ): Record<string, readonly BrokerId[]> =>
    Object.fromEntries(
      partitions
        .map((partition, number) => [number, pick(partition)] as const)
        .filter(([, ids]) => all || ids.length > 0),
    );
  return json({
    version: 3,
    topic_id: topicId,
    partitions: listed(({ replicas }) => replicas, true),
    adding_replicas: listed(({ addingReplicas }) => addingReplicas, false),
    removing_replicas: listed(({ removingReplicas }) => removingReplicas, false),
  });
}

/** Throws SluiceError CORRUPT_METADATA for a znode that no controller has made: brokers name directories after topics. */
export function checkTopicName(topic: string): void {
  if (!/^(?!\.{1,2}$)[a-zA-Z0-9._-]{1,249}$/.test(topic))
    throw damaged(topicPath(topic), 'its name is no name of a topic');
}

/** `topicId` is undefined where a Kafka before 2.8 made the topic. */
export function readTopic(
  topic: string,
  data: Buffer,
): { readonly topicId: Uuid | undefined; readonly partitions: readonly Assignment[] } {
  const path = topicPath(topic);
  const fields = JsonFields.parse(path, data);
  const replicas = fields.object('partitions');
  const adding = fields.object('adding_replicas');
  const removing = fields.object('removing_replicas');
  const partitions: Assignment[] = [];
  for (let number = 0; number < replicas.names().length; number++) {
    const name = String(number);
    if (!replicas.has(name)) throw damaged(path, `its partition ${number} is missing`);
    const ids = replicas.numbers(name);
    if (ids.length === 0) throw damaged(path, `its partition ${number} has no replicas`);
    if (new Set(ids).size < ids.length) throw damaged(path, `its partition ${number} has a replica twice`);
    partitions.push({
      replicas: ids,
      addingReplicas: adding.numbers(name),
      removingReplicas: removing.numbers(name),
    });
  }
  return { topicId: fields.textOr('topic_id', undefined), partitions };
}

/** What Kafka reads, and what it has no field for where there is something to tell. */
export function stateData(partition: PartitionImage, controllerEpoch: LeaderEpoch): Buffer {
  const { leader, leaderEpoch, isr, leaderRecoveryState, partitionEpoch } = partition;
  const { directories, eligibleLeaderReplicas, lastKnownElr } = partition;
  return json({
    controller_epoch: controllerEpoch,
    leader,
    version: 1,
    leader_epoch: leaderEpoch,
    isr,
    ...(leaderRecoveryState === LEADER_RECOVERY.RECOVERED ? {} : { leader_recovery_state: leaderRecoveryState }),
    partition_epoch: partitionEpoch,
    ...(directories.length === 0 ? {} : { directories }),
    ...(eligibleLeaderReplicas.length === 0 ? {} : { eligible_leader_replicas: eligibleLeaderReplicas }),
    ...(lastKnownElr.length === 0 ? {} : { last_known_elr: lastKnownElr }),
  });
}

/** `version` is the znode's: Kafka's partition epoch, which stands in a field of its own here. */
export function readState(
  path: string,
  data: Buffer,
  { assignment, version }: { readonly assignment: Assignment; readonly version: number },
): PartitionImage {
  const fields = JsonFields.parse(path, data);
  const isr = fields.numbers('isr');
  const leader = fields.number('leader');
  const stranger = [...isr, ...(leader === NO_LEADER ? [] : [leader])].find((id) => !assignment.replicas.includes(id));
  if (stranger !== undefined)
    throw damaged(path, `broker ${stranger} is none of the replicas ${assignment.replicas.join()}`);
  const leaderEpoch = fields.number('leader_epoch');
  const partitionEpoch = fields.numberOr('partition_epoch', version);
  if (leaderEpoch < 0 || partitionEpoch < 0) throw damaged(path, 'it has an epoch below 0');
  return {
    ...assignment,
    isr,
    leader,
    leaderRecoveryState: fields.numberOr('leader_recovery_state', LEADER_RECOVERY.RECOVERED),
    leaderEpoch,
    partitionEpoch,
    directories: fields.texts('directories'),
    eligibleLeaderReplicas: fields.numbers('eligible_leader_replicas'),
    lastKnownElr: fields.numbers('last_known_elr'),
  };
}

// Configs

/** Folder below /config of each kind of resource that the image holds. */
export const CONFIG_FOLDERS: ReadonlyMap<number, string> = new Map([
  [RESOURCE_TYPE.TOPIC, 'topics'],
  [RESOURCE_TYPE.BROKER, 'brokers'],
  [RESOURCE_TYPE.GROUP, 'groups'],
  [RESOURCE_TYPE.CLIENT_METRICS, 'client-metrics'],
]);
/** Stands for all brokers, whose resource has an empty name. */
const DEFAULT_ENTITY = '<default>';

/** Undefined for a resource that has no place. */
export function configPath(resourceType: number, resourceName: string): string | undefined {
  const folder = CONFIG_FOLDERS.get(resourceType);
  if (folder === undefined) return undefined;
  return `/config/${folder}/${resourceName === '' ? DEFAULT_ENTITY : sanitize(resourceName)}`;
}

/** The resource of a znode in a config folder; undefined where its name makes no sense. */
export function configResource(name: string): string | undefined {
  if (name === DEFAULT_ENTITY) return '';
  try {
    return decodeURIComponent(name);
  } catch {
    return undefined;
  }
}

/** As org.apache.kafka.common.utils.Sanitizer: what would be no name of a znode is percent-encoded. */
function sanitize(name: string): string {
  const odd = name === '.' || name === '..' ? /\./g : /[!'()*~]/g;
  return encodeURIComponent(name).replace(odd, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`);
}

export function configData(configs: ReadonlyMap<string, string>): Buffer {
  return json({ version: 1, config: Object.fromEntries(configs) });
}

export function readConfig(path: string, data: Buffer): Map<string, string> {
  if (data.length === 0) return new Map();
  const config = JsonFields.parse(path, data).needed('config').object('config');
  return new Map(config.names().map((name) => [name, config.text(name)]));
}

// Brokers

export function brokerIdPath(id: BrokerId): string {
  return `${BROKER_IDS}/${id}`;
}

export function knownBrokerPath(id: BrokerId): string {
  return `${KNOWN_BROKERS}/${id}`;
}

const PROTOCOL_NAMES = new Map(Object.entries(SECURITY_PROTOCOL_IDS).map(([name, id]) => [id, name]));

/** The registration of a living broker (version 5), with its incarnation, directories and cluster besides. */
export function registrationData(registration: BrokerRegistration, nowMs: number): Buffer {
  const { endpoints, rack, features = [], incarnationId, logDirs, clusterId, previousBrokerEpoch } = registration;
  const plain = endpoints.find(({ securityProtocol }) => securityProtocol === SECURITY_PROTOCOL_IDS.PLAINTEXT);
  return json({
    features: Object.fromEntries(
      features.map(({ name, minSupportedVersion, maxSupportedVersion }) => [
        name,
        { min_version: minSupportedVersion, max_version: maxSupportedVersion },
      ]),
    ),
    listener_security_protocol_map: Object.fromEntries(
      endpoints.map(({ name, securityProtocol }) => [name, PROTOCOL_NAMES.get(securityProtocol) ?? 'PLAINTEXT']),
    ),
    endpoints: endpoints.map(({ name, host, port }) => `${name}://${host.includes(':') ? `[${host}]` : host}:${port}`),
    jmx_port: -1,
    ...(rack === null ? {} : { rack }),
    host: plain?.host ?? null,
    timestamp: String(nowMs),
    port: plain?.port ?? -1,
    version: 5,
    incarnation_id: incarnationId,
    log_dirs: logDirs,
    cluster_id: clusterId,
    ...(previousBrokerEpoch === undefined ? {} : { previous_broker_epoch: previousBrokerEpoch }),
  });
}

export function readRegistration(brokerId: BrokerId, data: Buffer): BrokerRegistration {
  const path = brokerIdPath(brokerId);
  const fields = JsonFields.parse(path, data);
  const protocols = fields.object('listener_security_protocol_map');
  const features = fields.object('features');
  return {
    brokerId,
    clusterId: fields.textOr('cluster_id', ''),
    incarnationId: fields.textOr('incarnation_id', ''),
    endpoints: fields.texts('endpoints').map((text) => readEndpoint(path, text, protocols)),
    rack: fields.textOr('rack', null),
    logDirs: fields.texts('log_dirs'),
    features: features.names().map((name) => ({
      name,
      minSupportedVersion: features.object(name).number('min_version'),
      maxSupportedVersion: features.object(name).number('max_version'),
    })),
    ...(fields.has('previous_broker_epoch') ? { previousBrokerEpoch: fields.number('previous_broker_epoch') } : {}),
    unfenced: true,
  };
}

function readEndpoint(path: string, text: string, protocols: JsonFields): BrokerEndpoint {
  const match = /^([^:]+):\/\/(?:\[([^\]]+)\]|([^:]*)):(\d+)$/.exec(text);
  if (match === null) throw damaged(path, `${text} is no endpoint`);
  const name = match[1]!;
  const protocol = protocols.textOr(name, name) as keyof typeof SECURITY_PROTOCOL_IDS;
  return {
    name,
    host: match[2] ?? match[3]!,
    port: Number(match[4]),
    securityProtocol: SECURITY_PROTOCOL_IDS[protocol] ?? SECURITY_PROTOCOL_IDS.PLAINTEXT,
  };
}

export function knownBrokerData(broker: BrokerImage): Buffer {
  return json({ version: 1, ...broker });
}

export function readKnownBroker(path: string, data: Buffer): BrokerImage {
  const fields = JsonFields.parse(path, data);
  return {
    id: fields.number('id'),
    epoch: fields.number('epoch'),
    incarnationId: fields.text('incarnationId'),
    endpoints: fields.objects('endpoints').map((endpoint) => ({
      name: endpoint.text('name'),
      host: endpoint.text('host'),
      port: endpoint.number('port'),
      securityProtocol: endpoint.number('securityProtocol'),
    })),
    features: fields.objects('features').map((feature) => ({
      name: feature.text('name'),
      minSupportedVersion: feature.number('minSupportedVersion'),
      maxSupportedVersion: feature.number('maxSupportedVersion'),
    })),
    rack: fields.textOr('rack', null),
    fenced: fields.bool('fenced'),
    inControlledShutdown: fields.bool('inControlledShutdown'),
    logDirs: fields.texts('logDirs'),
    cordonedLogDirs: fields.texts('cordonedLogDirs'),
  };
}

// Carried records

export function carriedPath(index: number): string {
  return `${CARRIED}/${String(index).padStart(10, '0')}`;
}
