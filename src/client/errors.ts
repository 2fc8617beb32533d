/** The client's operational errors: stable codes, and what to do about them. */
import { SluiceError } from '../base/errors.ts';
import type { Offset, TopicPartition } from '../base/units.ts';
import { type ErrorCode, type ErrorName, errorMessage, errorName, isRetriable } from '../protocol/error-codes.ts';

/** What to do about refusals that a user can do something about. */
const REMEDIES: Partial<Record<ErrorName, string>> = {
  UNKNOWN_TOPIC_OR_PARTITION: 'Check the name, or create the topic first.',
  TOPIC_ALREADY_EXISTS: 'Choose another name, or use the topic that is there.',
  INVALID_TOPIC_EXCEPTION: 'Use up to 249 letters, digits, dots, dashes and underscores.',
  MESSAGE_TOO_LARGE: 'Send smaller records, lower the batch size, or raise max.message.bytes of the topic.',
  RECORD_LIST_TOO_LARGE: 'Lower the batch size, or raise segment.bytes of the topic.',
  NOT_ENOUGH_REPLICAS: 'Wait for brokers to come back, or lower min.insync.replicas.',
  NOT_ENOUGH_REPLICAS_AFTER_APPEND: 'Wait for brokers to come back, or lower min.insync.replicas.',
  INVALID_REPLICATION_FACTOR: 'Ask for at most as many replicas as there are brokers.',
  INVALID_PARTITIONS: 'Ask for at least one partition, and for more than there are when adding.',
  INVALID_TIMESTAMP: 'Check the clock of the machine that produced the record.',
  INVALID_RECORD: 'Give every record a key where the topic is compacted.',
  OFFSET_OUT_OF_RANGE: 'Start from the earliest or the latest offset; older records may have been deleted.',
  GROUP_ID_NOT_FOUND: 'Check the name of the group; one without members and offsets is gone.',
  NON_EMPTY_GROUP: 'Stop the consumers of the group first.',
  GROUP_SUBSCRIBED_TO_TOPIC: 'Stop the consumers that read the topic first.',
  INVALID_CONFIG: 'Check the name of the config, and what it may be.',
  ELECTION_NOT_NEEDED: 'Nothing is to be done: the right replica leads.',
  PREFERRED_LEADER_NOT_AVAILABLE: 'Wait until the first replica is up and in sync.',
  ELIGIBLE_LEADERS_NOT_AVAILABLE: 'Start the brokers that have the partition, or elect uncleanly and lose records.',
  TOPIC_AUTHORIZATION_FAILED: 'Ask an administrator for access to the topic.',
  CLUSTER_AUTHORIZATION_FAILED: 'Ask an administrator for access to the cluster.',
  UNSUPPORTED_VERSION: 'Upgrade the broker.',
};

/**
 * A broker's refusal as an error: the code is Kafka's name for it. `said` is the broker's own message, `about` what was
 * asked ("topic orders").
 */
export function refusedBy(code: ErrorCode | number, about: string, said?: string | null): SluiceError {
  const name = errorName(code);
  return new SluiceError(name, `${about}: ${said || errorMessage(code)}`, {
    retriable: isRetriable(code),
    remedy: REMEDIES[name],
  });
}

/** As `refusedBy`, where the same attempt will not do better, whatever Kafka says of the code in general. */
export function refusedForGood(code: ErrorCode | number, about: string, said?: string | null): SluiceError {
  const { code: name, message, remedy } = refusedBy(code, about, said);
  return new SluiceError(name, message, { remedy });
}

/**
 * One partition cannot be read on from where it is; the others can. Reading tries again from the same offset unless the
 * reader seeks.
 */
export class PartitionError extends SluiceError {
  readonly topic: string;
  readonly partition: number;
  /** Where reading stands. */
  readonly offset: Offset;
  /** Where it could go on behind what is at fault; -1 where that is not known. */
  readonly nextOffset: Offset;

  constructor(
    error: SluiceError,
    place: TopicPartition,
    offsets: { readonly offset: Offset; readonly nextOffset?: Offset },
  ) {
    super(error.code, error.message, error);
    this.topic = place.topic;
    this.partition = place.partition;
    this.offset = offsets.offset;
    this.nextOffset = offsets.nextOffset ?? -1;
  }
}

export function clientClosed(): SluiceError {
  return new SluiceError('CLIENT_CLOSED', 'the client is closed', { remedy: 'Make a new client.' });
}

/** The caller's own abort, with its reason as the cause. */
export function aborted(signal: AbortSignal): SluiceError {
  return new SluiceError('ABORTED', 'the operation was aborted', { cause: signal.reason });
}

/** Whether trying the same again may help: a lost connection, or a refusal that Kafka calls retriable. */
export function mayRetry(error: unknown): boolean {
  return error instanceof SluiceError && error.retriable;
}
