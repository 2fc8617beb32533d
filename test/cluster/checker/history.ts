/**
 * The format of a history: one JSON object a line, written by the programs of the workload and by the harness, in any
 * order between processes and in each process's own order within it. `at` is microseconds of the machine's monotonic
 * clock, which all processes share. `values` are unique numbers, each written once.
 *
 * A send is complete by a later line that names its value: ok (acknowledged), fail (certainly never written) or info
 * (outcome unknown). A send without such a line counts as info.
 */

/** A number within one topic, or any name. */
export type Partition = number | string;
/** The offset is null where the client was not told one. */
export type Send = readonly [partition: Partition, offset: number | null, value: number];
export type Poll = readonly [partition: Partition, offset: number, value: number];
/** The digest is over the batch's bytes as stored. */
export type StoredBatch = readonly [baseOffset: number, lastOffset: number, digest: string];

export interface OperationLine {
  readonly type: 'invoke' | 'ok' | 'fail' | 'info';
  readonly at: number;
  readonly process: string;
  readonly sends?: readonly Send[];
  /** What one read returned, in its order. */
  readonly polls?: readonly Poll[];
  /** Names the transaction that the sends belong to, or that ends. */
  readonly transaction?: string;
  /** Of a transaction's end. Neither ok nor fail after an invoked commit: the outcome is unknown. */
  readonly end?: 'commit' | 'abort';
}

/** From here on the process reads these partitions, from wherever it was told to: what it read before binds no more. */
export interface AssignLine {
  readonly type: 'assign';
  readonly at: number;
  readonly process: string;
  readonly partitions: readonly Partition[];
  readonly group?: string;
  readonly generation?: number;
}

/**
 * The process, or those named together (the members of a group), has read these partitions from their start to their
 * end, after everything that was acknowledged.
 */
export interface FreshLine {
  readonly type: 'fresh';
  readonly at: number;
  readonly process: string;
  readonly processes?: readonly string[];
  readonly partitions: readonly Partition[];
}

/** Somebody saw who leads a partition in an epoch. */
export interface LeaderLine {
  readonly type: 'leader';
  readonly at: number;
  readonly partition: Partition;
  readonly epoch: number;
  readonly leader: number;
}

/** A replica's batches after rest, in order. */
export interface ReplicaLine {
  readonly type: 'replica';
  readonly at: number;
  readonly partition: Partition;
  readonly broker: number;
  readonly startOffset: number;
  /** The partition's, the same in all its lines. */
  readonly highWatermark: number;
  readonly batches: readonly StoredBatch[];
}

/** What the harness did, for whoever reads the file; and what it measured. */
export interface NoteLine {
  readonly type: 'note';
  readonly at: number;
  readonly note: string;
  readonly [detail: string]: unknown;
}

export type HistoryLine = OperationLine | AssignLine | FreshLine | LeaderLine | ReplicaLine | NoteLine;

const TYPES: ReadonlySet<string> = new Set([
  'invoke',
  'ok',
  'fail',
  'info',
  'assign',
  'fresh',
  'leader',
  'replica',
  'note',
]);

/** Throws on what is no line of a history. */
export function parseHistoryLine(text: string): HistoryLine {
  const line = JSON.parse(text) as HistoryLine;
  if (typeof line !== 'object' || line === null || !TYPES.has(line.type) || typeof line.at !== 'number') {
    throw new Error(`no line of a history: ${text.slice(0, 200)}`);
  }
  return line;
}
