/** Why ZooKeeper, or the way to it, did not do something. */
import { SluiceError } from '../../../../base/errors.ts';

/** Reasons that the servers tell, by number (org.apache.zookeeper.KeeperException.Code). */
const SERVER_REASONS = {
  '-1': 'SYSTEM_ERROR',
  '-2': 'RUNTIME_INCONSISTENCY',
  '-3': 'DATA_INCONSISTENCY',
  '-4': 'CONNECTION_LOSS',
  '-5': 'MARSHALLING_ERROR',
  '-6': 'UNIMPLEMENTED',
  '-7': 'OPERATION_TIMEOUT',
  '-8': 'BAD_ARGUMENTS',
  '-13': 'NEW_CONFIG_NO_QUORUM',
  '-14': 'RECONFIG_IN_PROGRESS',
  '-100': 'API_ERROR',
  '-101': 'NO_NODE',
  '-102': 'NO_AUTH',
  '-103': 'BAD_VERSION',
  '-108': 'NO_CHILDREN_FOR_EPHEMERALS',
  '-110': 'NODE_EXISTS',
  '-111': 'NOT_EMPTY',
  '-112': 'SESSION_EXPIRED',
  '-113': 'INVALID_CALLBACK',
  '-114': 'INVALID_ACL',
  '-115': 'AUTH_FAILED',
  '-118': 'SESSION_MOVED',
  '-119': 'NOT_READ_ONLY',
  '-120': 'EPHEMERAL_ON_LOCAL_SESSION',
  '-121': 'NO_WATCHER',
  '-122': 'REQUEST_TIMEOUT',
  '-123': 'RECONFIG_DISABLED',
  '-124': 'SESSION_CLOSED_REQUIRE_SASL_AUTH',
  '-125': 'QUOTA_EXCEEDED',
  '-127': 'THROTTLED_OPERATION',
} as const;

export type ZooKeeperReason =
  | (typeof SERVER_REASONS)[keyof typeof SERVER_REASONS]
  /** Never sent: there was no connection, or it was lost before the request's turn came. Nothing happened. */
  | 'NOT_CONNECTED'
  /** Never sent: a server would take it for damage and drop the connection. */
  | 'TOO_LARGE'
  /** Never sent: this end of the session has been closed. */
  | 'SESSION_CLOSED'
  | 'UNKNOWN';

const RETRIABLE: ReadonlySet<ZooKeeperReason> = new Set([
  'CONNECTION_LOSS',
  'NOT_CONNECTED',
  'OPERATION_TIMEOUT',
  'REQUEST_TIMEOUT',
  'SESSION_MOVED',
  'SESSION_EXPIRED',
  'THROTTLED_OPERATION',
]);
/** Sent, and nobody told what came of it. */
const UNKNOWN_OUTCOME: ReadonlySet<ZooKeeperReason> = new Set([
  'CONNECTION_LOSS',
  'OPERATION_TIMEOUT',
  'REQUEST_TIMEOUT',
  'SYSTEM_ERROR',
  'UNKNOWN',
]);

export class ZooKeeperError extends SluiceError {
  readonly reason: ZooKeeperReason;
  /** Which operation of a multi was refused. */
  readonly failedOperation: number | undefined;

  constructor(
    reason: ZooKeeperReason,
    what: string,
    details: { readonly failedOperation?: number; readonly cause?: unknown } = {},
  ) {
    super(`ZOOKEEPER_${reason}`, `${what}: ${reason}`, { retriable: RETRIABLE.has(reason), cause: details.cause });
    this.reason = reason;
    this.failedOperation = details.failedOperation;
  }

  /** Whether the request may have been carried out all the same. */
  get outcomeUnknown(): boolean {
    return UNKNOWN_OUTCOME.has(this.reason);
  }
}

/** The reason for a server's number. */
export function reasonOf(code: number): ZooKeeperReason {
  return SERVER_REASONS[String(code) as keyof typeof SERVER_REASONS] ?? 'UNKNOWN';
}

/** The number that a server tells for a reason. */
export function codeOfReason(reason: ZooKeeperReason): number {
  const found = Object.entries(SERVER_REASONS).find(([, name]) => name === reason);
  return found === undefined ? -1 : Number(found[0]);
}

/** Whether `error` is ZooKeeper's, for one of these reasons. */
export function failedWith(error: unknown, ...reasons: ZooKeeperReason[]): error is ZooKeeperError {
  return error instanceof ZooKeeperError && reasons.includes(error.reason);
}
