/**
 * Flavoured numbers and ids. A plain number may stand where a flavour is wanted, so values decoded from the wire
 * need no cast, but one flavour never passes for another: an `Offset` is not a `Timestamp`.
 */
declare const flavour: unique symbol;
type Flavoured<Base, Name extends string> = Base & { readonly [flavour]?: Name };

/** Position of a record in a partition. Always a safe integer. */
export type Offset = Flavoured<number, 'Offset'>;
/** Milliseconds since the Unix epoch; -1 where a record has none. */
export type Timestamp = Flavoured<number, 'Timestamp'>;
/** Generation of a partition's leadership. */
export type LeaderEpoch = Flavoured<number, 'LeaderEpoch'>;
export type BrokerId = Flavoured<number, 'BrokerId'>;
export type ProducerId = Flavoured<number, 'ProducerId'>;

export interface TopicPartition {
  readonly topic: string;
  readonly partition: number;
}

/** The directory name and log prefix of a partition: `<topic>-<partition>`. */
export function partitionName(topic: string, partition: number): string {
  return `${topic}-${partition}`;
}
