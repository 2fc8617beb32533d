/** kafkajs's errors, by its names, and which of them a failure of this client is. */
import { messageOf, SluiceError } from '../../base/errors.ts';
import { ErrorCode, type ErrorName } from '../../protocol/error-codes.ts';

export interface KafkaJSErrorOptions {
  readonly retriable?: boolean;
  readonly cause?: unknown;
}

export class KafkaJSError extends Error {
  override readonly name: string = 'KafkaJSError';
  readonly retriable: boolean;

  constructor(error: Error | string, { retriable = true, cause }: KafkaJSErrorOptions = {}) {
    super(typeof error === 'string' ? error : error.message, {
      cause: cause ?? (error instanceof Error ? error : undefined),
    });
    this.retriable = retriable;
  }
}

export class KafkaJSNonRetriableError extends KafkaJSError {
  override readonly name: string = 'KafkaJSNonRetriableError';

  constructor(error: Error | string, { cause }: { readonly cause?: unknown } = {}) {
    super(error, { retriable: false, cause });
  }
}

/** A broker's refusal: `type` is Kafka's name for it, `code` its number. */
export class KafkaJSProtocolError extends KafkaJSError {
  override readonly name: string = 'KafkaJSProtocolError';
  readonly type: string;
  readonly code: number;

  constructor(error: SluiceError) {
    super(error, { retriable: error.retriable });
    this.type = error.code;
    this.code = ErrorCode[error.code as ErrorName] ?? ErrorCode.UNKNOWN_SERVER_ERROR;
  }
}

export class KafkaJSOffsetOutOfRange extends KafkaJSProtocolError {
  override readonly name: string = 'KafkaJSOffsetOutOfRange';
}

export class KafkaJSConnectionError extends KafkaJSError {
  override readonly name: string = 'KafkaJSConnectionError';
}

export class KafkaJSRequestTimeoutError extends KafkaJSError {
  override readonly name: string = 'KafkaJSRequestTimeoutError';
}

export class KafkaJSTimeout extends KafkaJSError {
  override readonly name: string = 'KafkaJSTimeout';
}

/** Trying again has not helped; `cause` is the last failure. */
export class KafkaJSNumberOfRetriesExceeded extends KafkaJSNonRetriableError {
  override readonly name: string = 'KafkaJSNumberOfRetriesExceeded';
  readonly retryCount: number;
  readonly retryTime: number;

  constructor(error: Error, { retryCount, retryTime }: { readonly retryCount: number; readonly retryTime: number }) {
    super(error, { cause: error });
    this.retryCount = retryCount;
    this.retryTime = retryTime;
  }
}

export class KafkaJSNotImplemented extends KafkaJSNonRetriableError {
  override readonly name: string = 'KafkaJSNotImplemented';
}

export class KafkaJSAggregateError extends Error {
  override readonly name = 'KafkaJSAggregateError';
  readonly errors: readonly Error[];

  constructor(message: string, errors: readonly Error[]) {
    super(message);
    this.errors = errors;
  }
}

export class KafkaJSCreateTopicError extends KafkaJSProtocolError {
  override readonly name: string = 'KafkaJSCreateTopicError';
  readonly topic: string;

  constructor(error: SluiceError, topic: string) {
    super(error);
    this.topic = topic;
  }
}

export interface DeletedGroup {
  readonly groupId: string;
  readonly errorCode?: number;
  readonly error?: KafkaJSProtocolError;
}

export class KafkaJSDeleteGroupsError extends KafkaJSError {
  override readonly name: string = 'KafkaJSDeleteGroupsError';
  readonly groups: readonly DeletedGroup[];

  constructor(message: string, groups: readonly DeletedGroup[]) {
    super(message);
    this.groups = groups;
  }
}

const OF_CONNECTIONS = new Set(['CLUSTER_UNREACHABLE', 'BROKER_UNREACHABLE', 'BROKER_DISCONNECTED', 'CHANNEL_CLOSED']);
const OF_TIME = new Set(['REQUEST_TIMED_OUT', 'DELIVERY_TIMED_OUT']);

/** As kafkajs would call it. */
export function toKafkaJSError(error: unknown): KafkaJSError {
  if (error instanceof KafkaJSError) return error;
  if (!(error instanceof SluiceError)) return new KafkaJSNonRetriableError(messageOf(error), { cause: error });
  if (OF_CONNECTIONS.has(error.code)) return new KafkaJSConnectionError(error);
  if (OF_TIME.has(error.code)) return new KafkaJSRequestTimeoutError(error);
  if (error.code === 'OFFSET_OUT_OF_RANGE') return new KafkaJSOffsetOutOfRange(error);
  if (Object.hasOwn(ErrorCode, error.code)) return new KafkaJSProtocolError(error);
  return error.retriable ? new KafkaJSError(error) : new KafkaJSNonRetriableError(error);
}

/** The result of `work`; rejects with kafkajs's errors. */
export async function asKafkaJS<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    throw toKafkaJSError(error);
  }
}
