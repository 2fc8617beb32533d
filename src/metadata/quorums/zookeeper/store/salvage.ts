/**
 * What becomes of znodes that cannot be understood. They cost no more than what they say: it is taken from the metadata
 * that this node has followed where that holds it, and otherwise it is made up so that nothing is lost by it: a partition
 * without a leader, a topic that is not there, configs that delete nothing. Each is a finding for whoever runs the
 * cluster. Pure but for gathering them.
 */
import { SluiceError } from '../../../../base/errors.ts';
import type { Uuid } from '../../../../base/uuid.ts';
import { LEADER_RECOVERY, type MetadataImage, NO_LEADER, type PartitionImage } from '../../../image.ts';
import { encodeRecord, type MetadataRecord } from '../../../records.ts';
import { RESOURCE_TYPE } from '../../../resources.ts';
import { damaged } from './json-fields.ts';
import type { Assignment } from './znodes.ts';

/** What a node knows of the metadata before it loads them. */
export interface KnownMetadata {
  readonly image: MetadataImage;
  /** Whether it knows of every write that was ever committed. */
  readonly complete: boolean;
}

/** A znode that is not what it should be. */
export interface Finding {
  readonly znode: string;
  readonly reason: string;
  /** What was done about it. */
  readonly consequence: string;
  /** What somebody should do, where it was not mended. */
  readonly remedy?: string;
  /** What it held, shortened. */
  readonly held?: string;
}

const MOST_SHOWN = 300;
/** Over the epochs that were known once: nobody can have led in one that is higher. */
const EPOCH_MARGIN = 100;
/** Epochs that one write of a state may have added. */
const EPOCHS_A_WRITE = 10;

export class Salvage {
  readonly findings: Finding[] = [];
  /** Topics that are left out, and why. */
  readonly lostTopics = new Map<string, string>();
  readonly #known: KnownMetadata | undefined;

  constructor(known: KnownMetadata | undefined) {
    this.#known = known;
  }

  /** The followed image; undefined where none was. */
  get image(): MetadataImage | undefined {
    return this.#known?.image;
  }

  report(error: SluiceError, data: Buffer, told: Omit<Finding, 'reason' | 'held'>): void {
    this.findings.push({ ...told, reason: error.message, held: data.toString().slice(0, MOST_SHOWN) });
  }

  loseTopic(name: string, error: SluiceError, data: Buffer, znode: string): void {
    this.lostTopics.set(name, error.message);
    const consequence = `topic ${name} is left out, its records stay where they are`;
    const remedy = `Set it right with zkCli, or delete the topic: sluice topics delete ${name}`;
    this.report(error, data, { znode, consequence, remedy });
  }

  /** Undefined where only somebody who looks at the replicas can say what it should be. */
  partition(topicId: Uuid, number: number, assignment: Assignment): PartitionImage | undefined {
    const known = this.#partition(topicId, number);
    if (known === undefined || this.#known?.complete !== true) return undefined;
    return sameIds(known.replicas, assignment.replicas) ? { ...known, ...assignment } : undefined;
  }

  /** Whether the partition had a state once, whatever the znodes say. */
  hasHadState(topicId: Uuid, number: number): boolean {
    return this.#partition(topicId, number) !== undefined;
  }

  /** Nobody leads until somebody asks for an unclean election, and then in an epoch that nobody has led in. */
  offline(topicId: Uuid, number: number, assignment: Assignment, writes: number): PartitionImage {
    const known = this.#partition(topicId, number);
    const guessed = EPOCHS_A_WRITE * (writes + EPOCH_MARGIN);
    return {
      ...assignment,
      isr: [],
      leader: NO_LEADER,
      leaderRecoveryState: LEADER_RECOVERY.RECOVERED,
      leaderEpoch: Math.max(guessed, (known?.leaderEpoch ?? 0) + EPOCH_MARGIN),
      partitionEpoch: Math.max(guessed, (known?.partitionEpoch ?? 0) + EPOCH_MARGIN),
      directories: known !== undefined && sameIds(known.replicas, assignment.replicas) ? known.directories : [],
      eligibleLeaderReplicas: [],
      lastKnownElr: [],
    };
  }

  /**
   * Epochs that brokers have seen never come back: a state with lower ones was written by somebody else. Undefined where
   * the state may stay as it is.
   */
  raised(topicId: Uuid, number: number, state: PartitionImage): PartitionImage | undefined {
    const known = this.#partition(topicId, number);
    if (known === undefined) return undefined;
    if (state.leaderEpoch >= known.leaderEpoch && state.partitionEpoch >= known.partitionEpoch) return undefined;
    return {
      ...state,
      leaderEpoch: Math.max(state.leaderEpoch, known.leaderEpoch) + 1,
      partitionEpoch: Math.max(state.partitionEpoch, known.partitionEpoch) + 1,
    };
  }

  #partition(topicId: Uuid, number: number): PartitionImage | undefined {
    return this.image?.topics.byId.get(topicId)?.partitions[number];
  }
}

/** Runs what reads a znode; where that cannot be understood, what is to be done instead. */
export function understand<T>(read: () => T, otherwise: (error: SluiceError) => T): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof SluiceError) || !['CORRUPT_METADATA', 'UNSUPPORTED_METADATA'].includes(error.code))
      throw error;
    return otherwise(error);
  }
}

/** Throws SluiceError CORRUPT_METADATA where what a znode says has no place in a record. */
export function checkRecord(path: string, record: MetadataRecord): MetadataRecord {
  try {
    encodeRecord(record);
    return record;
  } catch (cause) {
    throw damaged(path, 'it holds a value that is too large, or no id', cause);
  }
}

/** Stands for configs that nobody can read: until they are set anew nothing is deleted because of them. */
export function cautiousConfigs(resourceType: number): ReadonlyMap<string, string> {
  if (resourceType === RESOURCE_TYPE.TOPIC) return KEEP_RECORDS;
  return resourceType === RESOURCE_TYPE.BROKER ? KEEP_LOGS : NO_CONFIGS;
}

const KEEP_RECORDS: ReadonlyMap<string, string> = new Map([
  ['retention.ms', '-1'],
  ['retention.bytes', '-1'],
]);
const KEEP_LOGS: ReadonlyMap<string, string> = new Map([
  ['log.retention.ms', '-1'],
  ['log.retention.bytes', '-1'],
]);
const NO_CONFIGS: ReadonlyMap<string, string> = new Map();

function sameIds(left: readonly number[], right: readonly number[]): boolean {
  return left.length === right.length && left.every((id, index) => id === right[index]);
}
