/** What the metadata of a new cluster begin with, whatever its quorum. */
import {
  GROUP_VERSION_FEATURE,
  GROUP_VERSION_LEVEL,
  METADATA_VERSION_FEATURE,
  METADATA_VERSION_LEVEL,
  type MetadataRecord,
  newRecord,
} from './records.ts';

/** The features that every part of this program counts on. */
export function featureRecords(): MetadataRecord[] {
  return [
    newRecord('featureLevel', { name: METADATA_VERSION_FEATURE, featureLevel: METADATA_VERSION_LEVEL }),
    newRecord('featureLevel', { name: GROUP_VERSION_FEATURE, featureLevel: GROUP_VERSION_LEVEL }),
  ];
}
