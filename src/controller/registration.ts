/** Brokers as the cluster knows them: registered, fenced, up, shutting down, gone. Decided on an image. */
import type { BrokerId } from '../base/units.ts';
import { isReservedUuid } from '../base/uuid.ts';
import type { BrokerConfig } from '../config/broker-config.ts';
import type { BrokerRegistration } from '../metadata/broker-registration.ts';
import type { BrokerImage, MetadataImage } from '../metadata/image.ts';
import {
  GROUP_VERSION_FEATURE,
  GROUP_VERSION_LEVEL,
  METADATA_VERSION_FEATURE,
  METADATA_VERSION_LEVEL,
  type MetadataRecord,
  newRecord,
} from '../metadata/records.ts';
import { ErrorCode, errorMessage } from '../protocol/error-codes.ts';
import { electionRecords, restartRecords } from './elections.ts';
import type { Decision } from './pending-image.ts';
import { type Refusal, refuse } from './refusal.ts';

export interface Registered {
  readonly brokerEpoch: number;
}

interface BrokerReference {
  readonly brokerId: BrokerId;
  readonly brokerEpoch: number;
}

/** Levels that this software can work at. */
export const OWN_FEATURES = [
  { name: GROUP_VERSION_FEATURE, minSupportedVersion: 0, maxSupportedVersion: GROUP_VERSION_LEVEL },
  { name: METADATA_VERSION_FEATURE, minSupportedVersion: 7, maxSupportedVersion: METADATA_VERSION_LEVEL },
];
const UNFENCE = -1;
const FENCE = 1;

/**
 * A new incarnation takes over the id: the one before is gone, with its place in in-sync sets and its leaderships.
 * The same incarnation only tells its endpoints anew. The epoch is where the record will lie, so it rises.
 */
export function registerBroker(
  image: MetadataImage,
  registration: BrokerRegistration,
  config: BrokerConfig,
): Decision<Registered | Refusal> {
  const wrong = checkRegistration(image, registration);
  if (wrong !== undefined) return { records: [], result: wrong };
  const { brokerId, incarnationId, unfenced } = registration;
  const existing = image.brokers.get(brokerId);
  const same = existing?.incarnationId === incarnationId;
  const brokerEpoch = same ? existing.epoch : Math.max(image.offset + 1, (existing?.epoch ?? -1) + 1);
  const records = [registerRecord(registration, { brokerEpoch, existing: same ? existing : undefined })];
  if (!same && existing !== undefined) {
    records.push(
      ...(unfenced ? restartRecords(image, brokerId, config) : electionRecords(image, { removed: brokerId }, config)),
    );
  } else if (unfenced) {
    records.push(...electionRecords(image, { added: brokerId }, config));
  }
  return { records, result: { brokerEpoch } };
}

function registerRecord(
  registration: BrokerRegistration,
  { brokerEpoch, existing }: { readonly brokerEpoch: number; readonly existing: BrokerImage | undefined },
): MetadataRecord {
  const { brokerId, incarnationId, endpoints, rack, logDirs, features, unfenced } = registration;
  return newRecord('registerBroker', {
    brokerId,
    brokerEpoch,
    incarnationId,
    endPoints: endpoints,
    features: features ?? OWN_FEATURES,
    rack,
    fenced: unfenced ? false : (existing?.fenced ?? true),
    inControlledShutdown: existing?.inControlledShutdown ?? false,
    logDirs,
  });
}

function checkRegistration(image: MetadataImage, registration: BrokerRegistration): Refusal | undefined {
  const { brokerId, clusterId, logDirs } = registration;
  if (clusterId !== image.clusterId) {
    const why = `The broker belongs to cluster ${clusterId}, this is cluster ${image.clusterId}.`;
    return refuse(ErrorCode.INCONSISTENT_CLUSTER_ID, why);
  }
  if (logDirs.length === 0) return refuse(ErrorCode.INVALID_REGISTRATION, 'The broker tells no log directory.');
  if (new Set(logDirs).size !== logDirs.length || logDirs.some(isReservedUuid)) {
    return refuse(ErrorCode.INVALID_REGISTRATION, 'The ids of log directories must differ and not be reserved ones.');
  }
  for (const other of image.brokers.values()) {
    const taken = other.id === brokerId ? undefined : logDirs.find((directory) => other.logDirs.includes(directory));
    if (taken !== undefined) {
      return refuse(ErrorCode.INVALID_REGISTRATION, `Broker ${other.id} is registered with directory ${taken}.`);
    }
  }
  return undefined;
}

/** The broker may serve and lead from now on. */
export function unfenceBroker(
  image: MetadataImage,
  { brokerId, brokerEpoch }: BrokerReference,
  config: BrokerConfig,
): Decision<Refusal | undefined> {
  const stale = staleBroker(image, brokerId, brokerEpoch);
  if (stale !== undefined) return { records: [], result: stale };
  if (!image.brokers.get(brokerId)!.fenced) return { records: [], result: undefined };
  const change = newRecord('brokerRegistrationChange', { brokerId, brokerEpoch, fenced: UNFENCE });
  return { records: [change, ...electionRecords(image, { added: brokerId }, config)], result: undefined };
}

/** The broker serves no more: others lead in its place, where there are any. */
export function fenceBroker(
  image: MetadataImage,
  { brokerId, brokerEpoch }: BrokerReference,
  config: BrokerConfig,
): Decision<Refusal | undefined> {
  const stale = staleBroker(image, brokerId, brokerEpoch);
  if (stale !== undefined) return { records: [], result: stale };
  if (image.brokers.get(brokerId)!.fenced) return { records: [], result: undefined };
  const change = newRecord('brokerRegistrationChange', { brokerId, brokerEpoch, fenced: FENCE });
  return { records: [...electionRecords(image, { removed: brokerId }, config), change], result: undefined };
}

/** The broker is about to stop: it gives up its leaderships while it still serves. */
export function beginControlledShutdown(
  image: MetadataImage,
  { brokerId, brokerEpoch }: BrokerReference,
  config: BrokerConfig,
): Decision<Refusal | undefined> {
  const stale = staleBroker(image, brokerId, brokerEpoch);
  if (stale !== undefined) return { records: [], result: stale };
  if (image.brokers.get(brokerId)!.inControlledShutdown) return { records: [], result: undefined };
  const change = newRecord('brokerRegistrationChange', { brokerId, brokerEpoch, inControlledShutdown: 1 });
  return { records: [change, ...electionRecords(image, { removed: brokerId }, config)], result: undefined };
}

/** Why a broker's word does not count: it is not registered, or an earlier incarnation speaks. */
export function staleBroker(image: MetadataImage, brokerId: BrokerId, brokerEpoch: number): Refusal | undefined {
  const broker = image.brokers.get(brokerId);
  if (broker === undefined) {
    return refuse(ErrorCode.BROKER_ID_NOT_REGISTERED, errorMessage(ErrorCode.BROKER_ID_NOT_REGISTERED));
  }
  if (broker.epoch === brokerEpoch) return undefined;
  return refuse(ErrorCode.STALE_BROKER_EPOCH, errorMessage(ErrorCode.STALE_BROKER_EPOCH));
}
