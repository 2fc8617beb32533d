/** Names of the files in a partition's directory and of the directories themselves, as Kafka writes them. */
import type { Offset, TopicPartition } from '../base/units.ts';

export const LOG_SUFFIX = '.log';
export const OFFSET_INDEX_SUFFIX = '.index';
export const TIME_INDEX_SUFFIX = '.timeindex';
export const TRANSACTION_INDEX_SUFFIX = '.txnindex';
export const SNAPSHOT_SUFFIX = '.snapshot';
/** Waits for the delay of file.delete.delay.ms; removed at start where that was cut short. */
export const DELETED_SUFFIX = '.deleted';
export const CLEANED_SUFFIX = '.cleaned';
export const SWAP_SUFFIX = '.swap';

export const LEADER_EPOCH_FILE = 'leader-epoch-checkpoint';
export const PARTITION_METADATA_FILE = 'partition.metadata';

const DELETED_DIRECTORY_SUFFIX = '-delete';
const STRAY_DIRECTORY_SUFFIX = '-stray';
const FUTURE_DIRECTORY_SUFFIX = '-future';
const SUFFIX_OF = {
  deleted: DELETED_DIRECTORY_SUFFIX,
  stray: STRAY_DIRECTORY_SUFFIX,
  future: FUTURE_DIRECTORY_SUFFIX,
} as const;
const OFFSET_DIGITS = 20;
/** What file systems allow for one name. */
const LONGEST_NAME = 255;

/** Every file that belongs to one segment. */
export const SEGMENT_SUFFIXES = [LOG_SUFFIX, OFFSET_INDEX_SUFFIX, TIME_INDEX_SUFFIX, TRANSACTION_INDEX_SUFFIX] as const;

/** `<20 digits><suffix>`. */
export function offsetFileName(offset: Offset, suffix: string): string {
  return String(offset).padStart(OFFSET_DIGITS, '0') + suffix;
}

/** The offset in a name such as `00000000000000000042.log`, or undefined where the name is not `<digits><suffix>`. */
export function offsetOfFileName(name: string, suffix: string): Offset | undefined {
  if (!name.endsWith(suffix)) return undefined;
  const digits = name.slice(0, name.length - suffix.length);
  if (!/^\d+$/.test(digits)) return undefined;
  const offset = Number(digits);
  return Number.isSafeInteger(offset) ? offset : undefined;
}

export type DirectoryKind = 'live' | 'deleted' | 'stray' | 'future';

/** What the name of a directory inside a log directory says, or undefined where it is no partition's. */
export function parsePartitionDirectory(
  name: string,
): { kind: DirectoryKind; partition: TopicPartition; id: string | undefined } | undefined {
  const aside = /^(.+-\d+)\.([^.]+?)(-delete|-stray|-future)$/.exec(name);
  const kind = aside === null ? 'live' : kindOf(aside[3]!);
  const parts = /^(.+)-(\d+)$/.exec(aside === null ? name : aside[1]!);
  if (parts === null) return undefined;
  return { kind, partition: { topic: parts[1]!, partition: Number(parts[2]) }, id: aside?.[2] };
}

/** The longest end of such a name: `.`, an id of 32 digits, `-future`. */
const LONGEST_END = 1 + 32 + DELETED_DIRECTORY_SUFFIX.length;

/** Whether `asideDirectoryName` cuts the topic. */
export function isNameCut({ topic, partition }: TopicPartition): boolean {
  return topic.length + `-${partition}`.length + LONGEST_END > LONGEST_NAME;
}

function kindOf(suffix: string): DirectoryKind {
  if (suffix === DELETED_DIRECTORY_SUFFIX) return 'deleted';
  return suffix === FUTURE_DIRECTORY_SUFFIX ? 'future' : 'stray';
}

/**
 * The name a partition's directory takes before it is removed or set aside: `<topic>-<partition>.<id>-delete`. A long
 * topic is cut so that the whole stays within 255 characters.
 */
export function asideDirectoryName(
  { topic, partition }: TopicPartition,
  { kind, id }: { readonly kind: Exclude<DirectoryKind, 'live'>; readonly id: string },
): string {
  const end = `-${partition}.${id}${SUFFIX_OF[kind]}`;
  return topic.slice(0, LONGEST_NAME - end.length) + end;
}
