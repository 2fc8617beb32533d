/** What some records changed: all that a follower of the metadata must look at. */
import type { BrokerId } from '../base/units.ts';
import type { PartitionImage, TopicImage } from './image.ts';

/** A topic whose partitions changed or grew. */
export interface TopicChange {
  readonly previous: TopicImage;
  readonly topic: TopicImage;
  /** Numbers of new and changed partitions, rising. */
  readonly partitions: readonly number[];
}

export interface ConfigChange {
  readonly resourceType: number;
  readonly resourceName: string;
}

export interface MetadataDelta {
  /** Topics that were not there before. One that was deleted and created anew stands in both lists, by other ids. */
  readonly createdTopics: readonly TopicImage[];
  readonly deletedTopics: readonly TopicImage[];
  readonly changedTopics: readonly TopicChange[];
  /** Brokers that registered, changed or went. */
  readonly changedBrokers: readonly BrokerId[];
  /** Resources whose configs changed; those of deleted topics left out. */
  readonly changedConfigs: readonly ConfigChange[];
  readonly producerIdsChanged: boolean;
  readonly featuresChanged: boolean;
}

/** The partitions of a change with their former state, undefined where new. */
export function* changedPartitions(
  change: TopicChange,
): Generator<{ partition: number; now: PartitionImage; before: PartitionImage | undefined }> {
  for (const partition of change.partitions) {
    yield { partition, now: change.topic.partitions[partition]!, before: change.previous.partitions[partition] };
  }
}
