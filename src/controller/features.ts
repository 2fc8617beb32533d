/**
 * Levels of features that the whole cluster works at, decided on an image. A level that some broker does not know is
 * refused; features that nobody here serves can only be given up.
 */
import type { BrokerConfig } from '../config/broker-config.ts';
import type { BrokerImage, MetadataImage } from '../metadata/image.ts';
import { METADATA_VERSION_FEATURE, type MetadataRecord, newRecord } from '../metadata/records.ts';
import type { UpdateFeaturesRequest, UpdateFeaturesResponse } from '../protocol/apis/update-features.ts';
import { ErrorCode } from '../protocol/error-codes.ts';
import { minInSyncRecords } from './eligible-leaders.ts';
import { ELR_FEATURE } from './partition-rules.ts';
import type { Decision } from './pending-image.ts';
import type { Refusal } from './refusal.ts';
import { OWN_FEATURES } from './registration.ts';

/** What a request says of a level below, at or above the one that is finalized. */
const UPGRADE = 1;
const UNSAFE_DOWNGRADE = 3;
const LAST_VERSION_WITH_RESULTS = 1;

type Update = UpdateFeaturesRequest['featureUpdates'][number];

/** All of them or none. Version 0 allows a downgrade by a flag of its own, which Kafka's controllers do not read. */
export function updateFeatures(
  image: MetadataImage,
  { featureUpdates, validateOnly }: UpdateFeaturesRequest,
  apiVersion: number,
  config: BrokerConfig,
): Decision<UpdateFeaturesResponse> {
  const records: MetadataRecord[] = [];
  const updates = new Map(featureUpdates.map((update) => [update.feature, update]));
  for (const update of updates.values()) {
    const problem = problemOf(image, update);
    if (problem !== undefined) {
      const { feature, maxVersionLevel } = update;
      const errorMessage = `No feature was updated: ${feature} cannot be set to level ${maxVersionLevel}. ${problem}`;
      return {
        records: [],
        result: updateFeaturesRefused({ errorCode: ErrorCode.INVALID_UPDATE_VERSION, errorMessage }),
      };
    }
    if (update.feature === ELR_FEATURE && update.maxVersionLevel > 0) records.push(...minInSyncRecords(image, config));
    records.push(newRecord('featureLevel', { name: update.feature, featureLevel: update.maxVersionLevel }));
  }
  const results = apiVersion > LAST_VERSION_WITH_RESULTS ? [] : [...updates.keys()].map(accepted);
  return {
    records: validateOnly ? [] : records,
    result: { errorCode: ErrorCode.NONE, errorMessage: null, results },
  };
}

export function updateFeaturesRefused(refusal: Refusal): UpdateFeaturesResponse {
  return { ...refusal, results: [] };
}

function accepted(feature: string): UpdateFeaturesResponse['results'][number] {
  // Kafka's tools read the name of the error.
  return { feature, errorCode: ErrorCode.NONE, errorMessage: 'NONE' };
}

function problemOf(image: MetadataImage, { feature, maxVersionLevel: level, upgradeType }: Update): string | undefined {
  if (upgradeType < UPGRADE || upgradeType > UNSAFE_DOWNGRADE) return `There is no upgrade type ${upgradeType}.`;
  if (level < 0) return 'A level cannot be below 0.';
  const finalized = image.features.get(feature);
  const unsupported = unsupportedBy(image, feature, level);
  if (unsupported !== undefined) return unsupported;
  if (finalized === undefined && !OWN_FEATURES.some(({ name }) => name === feature))
    return 'Nobody knows this feature.';
  const current = finalized ?? 0;
  if (level > current && upgradeType !== UPGRADE)
    return `It is at level ${current}, which is below: that is no downgrade.`;
  if (level >= current) return undefined;
  if (upgradeType === UPGRADE) return `It is at level ${current}: a downgrade must be asked for as one.`;
  // Records are written as that level has them, and those that lie there already cannot be taken back.
  if (feature === METADATA_VERSION_FEATURE) return 'What the metadata log holds already might be lost.';
  return undefined;
}

function unsupportedBy(image: MetadataImage, feature: string, level: number): string | undefined {
  const nodes: [string, BrokerImage['features']][] = [['The controller', OWN_FEATURES]];
  for (const { id, features } of image.brokers.values()) nodes.push([`Broker ${id}`, features]);
  for (const [node, features] of nodes) {
    const known = features.find(({ name }) => name === feature);
    const [from, to] = [known?.minSupportedVersion ?? 0, known?.maxSupportedVersion ?? 0];
    if (level < from || level > to) {
      return known === undefined
        ? `${node} does not support this feature.`
        : `${node} supports levels ${from} to ${to} only.`;
    }
  }
  return undefined;
}
