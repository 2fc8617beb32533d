/** Brokers as the cluster knows them: registered, fenced, up, shutting down, gone. Decided on an image. */
import type { BrokerId } from '../base/units.ts';
import { isReservedUuid } from '../base/uuid.ts';
import type { BrokerConfig } from '../config/broker-config.ts';
import type { BrokerReference, BrokerRegistration } from '../metadata/broker-registration.ts';
import { applyRecords, type BrokerImage, type MetadataImage } from '../metadata/image.ts';
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
import { ELR_FEATURE, keepsEligibleLeaders } from './partition-rules.ts';
import type { Decision } from './pending-image.ts';
import { type Refusal, refuse } from './refusal.ts';

export interface Registered {
  readonly brokerEpoch: number;
}

/** Levels that this software can work at. */
export const OWN_FEATURES = [
  { name: ELR_FEATURE, minSupportedVersion: 0, maxSupportedVersion: 1 },
  { name: GROUP_VERSION_FEATURE, minSupportedVersion: 0, maxSupportedVersion: GROUP_VERSION_LEVEL },
  { name: METADATA_VERSION_FEATURE, minSupportedVersion: 7, maxSupportedVersion: METADATA_VERSION_LEVEL },
];
const UNFENCE = -1;
const FENCE = 1;

export interface RegistrationOptions {
  /** The epoch that a coordination service gave; left out, it is where the record will lie. Either way it rises. */
  readonly brokerEpoch?: number;
  /** Whether the registered incarnation was heard of lately. */
  readonly hasSession?: boolean;
}

/**
 * A new incarnation takes over the id: the one before is gone, with its place in in-sync sets and its leaderships.
 * The same incarnation only tells its endpoints anew.
 */
export function registerBroker(
  image: MetadataImage,
  registration: BrokerRegistration,
  config: BrokerConfig,
  options: RegistrationOptions = {},
): Decision<Registered | Refusal> {
  const wrong = checkRegistration(image, registration) ?? checkIncarnation(image, registration, options);
  if (wrong !== undefined) return { records: [], result: wrong };
  const { brokerId, incarnationId, unfenced } = registration;
  const existing = image.brokers.get(brokerId);
  const given = options.brokerEpoch;
  if (existing?.incarnationId === incarnationId && (given ?? existing.epoch) === existing.epoch) {
    const record = registerRecord(registration, { brokerEpoch: existing.epoch, existing });
    const elections = unfenced ? electionRecords(image, { added: brokerId }, config) : [];
    return { records: [record, ...elections], result: { brokerEpoch: existing.epoch } };
  }
  const brokerEpoch = given ?? Math.max(image.offset + 1, (existing?.epoch ?? -1) + 1);
  const record = registerRecord(registration, { brokerEpoch, existing: undefined });
  if (unfenced && !losesEligibility(image, registration)) {
    return { records: [record, ...restartRecords(image, brokerId, config)], result: { brokerEpoch } };
  }
  // The registration comes last: where it is missing, the broker registers again and all of it is done again.
  const records = [...departureRecords(image, registration, config), record];
  if (unfenced) {
    const { image: next } = applyRecords(image, records, image.offset + records.length, image.epoch);
    records.push(...electionRecords(next, { added: brokerId }, config));
  }
  return { records, result: { brokerEpoch } };
}

/**
 * Whether others may have what the broker has lost by an unclean stop (KIP-966). One whose session ended while it lived has
 * lost nothing, however many registrations of it the controller has missed.
 */
function losesEligibility(image: MetadataImage, registration: BrokerRegistration): boolean {
  const { brokerId, incarnationId, previousBrokerEpoch } = registration;
  const known = image.brokers.get(brokerId);
  if (!keepsEligibleLeaders(image) || image.brokers.size <= 1) return false;
  return known?.incarnationId !== incarnationId && known?.epoch !== previousBrokerEpoch;
}

/** What was of the incarnation before. */
function departureRecords(
  image: MetadataImage,
  registration: BrokerRegistration,
  config: BrokerConfig,
): MetadataRecord[] {
  const { brokerId } = registration;
  const move = losesEligibility(image, registration) ? { unclean: brokerId } : { removed: brokerId };
  return electionRecords(image, move, config);
}

/**
 * Two brokers must not share an id. One that holds the directories of the registered incarnation is its successor: two
 * processes cannot lock them.
 */
function checkIncarnation(
  image: MetadataImage,
  { brokerId, incarnationId, logDirs }: BrokerRegistration,
  { brokerEpoch, hasSession = false }: RegistrationOptions,
): Refusal | undefined {
  const existing = image.brokers.get(brokerId);
  if (existing === undefined) return undefined;
  if (brokerEpoch !== undefined) {
    if (brokerEpoch >= existing.epoch) return undefined;
    return refuse(ErrorCode.STALE_BROKER_EPOCH, errorMessage(ErrorCode.STALE_BROKER_EPOCH));
  }
  const isSuccessor = existing.logDirs.some((directory) => logDirs.includes(directory));
  if (!hasSession || isSuccessor || existing.incarnationId === incarnationId) return undefined;
  const why = `Another broker is registered with id ${brokerId}. If it was restarted, this ends with its session.`;
  return refuse(ErrorCode.DUPLICATE_BROKER_REGISTRATION, why);
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
    features: features === undefined || features.length === 0 ? OWN_FEATURES : features,
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
  const unsupported = checkFeatures(image, registration);
  if (unsupported !== undefined) return unsupported;
  for (const other of image.brokers.values()) {
    const taken = other.id === brokerId ? undefined : logDirs.find((directory) => other.logDirs.includes(directory));
    if (taken !== undefined) {
      return refuse(ErrorCode.INVALID_REGISTRATION, `Broker ${other.id} is registered with directory ${taken}.`);
    }
  }
  return undefined;
}

/** A broker must understand what the cluster has agreed on; of what it does not name nothing is known. */
function checkFeatures(image: MetadataImage, { features }: BrokerRegistration): Refusal | undefined {
  for (const { name, minSupportedVersion, maxSupportedVersion } of features ?? []) {
    const level = image.features.get(name) ?? 0;
    // Level 0 is the absence of a feature, which every program knows.
    if (level === 0 || (level >= minSupportedVersion && level <= maxSupportedVersion)) continue;
    const why = `The cluster is at level ${level} of ${name}; the broker supports ${minSupportedVersion} to ${maxSupportedVersion}.`;
    return refuse(ErrorCode.UNSUPPORTED_VERSION, why);
  }
  return undefined;
}

/** The broker is removed from the cluster's list; replicas that are assigned to it stay assigned. */
export function unregisterBroker(
  image: MetadataImage,
  brokerId: BrokerId,
  config: BrokerConfig,
): Decision<Refusal | undefined> {
  const broker = image.brokers.get(brokerId);
  if (broker === undefined) {
    const why = `Broker ID ${brokerId} is not currently registered`;
    return { records: [], result: refuse(ErrorCode.BROKER_ID_NOT_REGISTERED, why) };
  }
  const removal = newRecord('unregisterBroker', { brokerId, brokerEpoch: broker.epoch });
  return { records: [...electionRecords(image, { unclean: brokerId }, config), removal], result: undefined };
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
