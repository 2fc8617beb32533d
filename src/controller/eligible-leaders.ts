/**
 * What eligible leader replicas (KIP-966) ask of configs: all brokers must agree on how small an in-sync set may be, and
 * when that changes, who was eligible by the old measure is no longer.
 */
import type { BrokerConfig } from '../config/broker-config.ts';
import { brokerConfigsOf, configsOf, emptyImage, type MetadataImage, RESOURCE_TYPE } from '../metadata/image.ts';
import { type MetadataRecord, newRecord } from '../metadata/records.ts';
import { ErrorCode } from '../protocol/error-codes.ts';
import { ELR_FEATURE, keepsEligibleLeaders } from './partition-rules.ts';
import { type Refusal, refuse } from './refusal.ts';

const MIN_IN_SYNC = 'min.insync.replicas';

/** For new clusters: the feature is on, with the measure that this configuration has. */
export function eligibleLeaderRecords(config: BrokerConfig): MetadataRecord[] {
  const image = emptyImage('');
  return [newRecord('featureLevel', { name: ELR_FEATURE, featureLevel: 1 }), ...minInSyncRecords(image, config)];
}

/** What the feature begins with: one value for the whole cluster, and none of a broker's own. */
export function minInSyncRecords(image: MetadataImage, config: BrokerConfig): MetadataRecord[] {
  const ofBrokers = (resourceName: string, value: string | null): MetadataRecord =>
    newRecord('config', { resourceType: RESOURCE_TYPE.BROKER, resourceName, name: MIN_IN_SYNC, value });
  const records: MetadataRecord[] = [];
  if (!configsOf(image, RESOURCE_TYPE.BROKER, '').has(MIN_IN_SYNC)) {
    records.push(ofBrokers('', String(config.get(MIN_IN_SYNC))));
  }
  for (const id of image.brokers.keys()) {
    if (brokerConfigsOf(image, id).perBroker.has(MIN_IN_SYNC)) records.push(ofBrokers(String(id), null));
  }
  return records;
}

/** Why a change of configs would leave brokers without a common measure. */
export function lostMinInSync(
  { resourceType, resourceName }: { readonly resourceType: number; readonly resourceName: string },
  changes: readonly { readonly name: string; readonly value: string | null }[],
): Refusal | undefined {
  const change = changes.find(({ name }) => name === MIN_IN_SYNC);
  if (resourceType !== RESOURCE_TYPE.BROKER || change === undefined) return undefined;
  const needed = 'as long as the cluster keeps eligible leader replicas';
  if (resourceName !== '')
    return refuse(ErrorCode.INVALID_CONFIG, `A broker has no ${MIN_IN_SYNC} of its own ${needed}.`);
  if (change.value !== null) return undefined;
  return refuse(ErrorCode.INVALID_CONFIG, `The cluster's ${MIN_IN_SYNC} cannot be removed ${needed}.`);
}

export function clearEligibleRecords(image: MetadataImage, changes: readonly MetadataRecord[]): MetadataRecord[] {
  if (!keepsEligibleLeaders(image)) return [];
  return changes.flatMap((change) => {
    if (change.kind !== 'config' || change.value.name !== MIN_IN_SYNC) return [];
    const { resourceType, resourceName } = change.value;
    return [newRecord('clearElr', { topicName: resourceType === RESOURCE_TYPE.TOPIC ? resourceName : '' })];
  });
}
