/** Why nobody could be talked to at an address, in words that fit behind it. */
import { SluiceError, systemErrorCode } from '../base/errors.ts';
import { type Endpoint, formatEndpoint } from './bootstrap.ts';

/** An address that was tried, and what came of it. */
export interface FailedAttempt {
  readonly endpoint: Endpoint;
  readonly error: unknown;
}

const SYSTEM_REASONS: Readonly<Record<string, string>> = {
  ENOTFOUND: 'the name does not resolve',
  EAI_AGAIN: 'the name does not resolve: no name server answers',
  ECONNREFUSED: 'connection refused',
  EHOSTUNREACH: 'no way there',
  ENETUNREACH: 'no way there',
  ETIMEDOUT: 'no answer',
  ECONNRESET: 'hangs up',
  EPIPE: 'hangs up',
};

const REASONS: Readonly<Record<string, string>> = {
  BROKER_UNREACHABLE: 'no answer',
  BROKER_DISCONNECTED: 'hangs up',
  CHANNEL_CLOSED: 'hangs up',
  REQUEST_TIMED_OUT: 'takes connections and says nothing',
  NOT_A_BROKER: 'something else than a broker',
};

export function noBrokerReachable(attempts: readonly FailedAttempt[]): SluiceError {
  const tried = attempts.map(({ endpoint, error }) => `${formatEndpoint(endpoint)}${inBrackets(reasonOf(error))}`);
  return new SluiceError('CLUSTER_UNREACHABLE', `no broker answers at ${[...new Set(tried)].join(', ')}`, {
    retriable: true,
    remedy: 'Check the bootstrap servers, and that one of them runs.',
    cause: attempts.at(-1)?.error,
  });
}

/** A broker is asked where the cluster says that it is, which need not be where it was found at first. */
export function notReachedAsAdvertised(broker: number, error: unknown): unknown {
  if (!(error instanceof SluiceError) || error.code !== 'BROKER_UNREACHABLE') return error;
  const { code, message, retriable, cause } = error;
  const remedy = `That is where broker ${broker} tells clients to connect to (its advertised.listeners): see whether it runs, and can be reached there from here.`;
  return new SluiceError(code, message, { retriable, cause, remedy });
}

function inBrackets(reason: string | undefined): string {
  return reason === undefined ? '' : ` (${reason})`;
}

function reasonOf(error: unknown): string | undefined {
  const code = systemCodeOf(error);
  if (code !== undefined && Object.hasOwn(SYSTEM_REASONS, code)) return SYSTEM_REASONS[code];
  return error instanceof SluiceError ? REASONS[error.code] : undefined;
}

/** The system's own error code, however deep it is wrapped. */
function systemCodeOf(error: unknown): string | undefined {
  for (let each = error; each instanceof Error; each = each.cause) {
    const code = each instanceof SluiceError ? undefined : systemErrorCode(each);
    if (code !== undefined) return code;
    if (each instanceof AggregateError && each.errors.length > 0) return systemCodeOf(each.errors[0]);
  }
  return undefined;
}

/** The first four bytes of who greets otherwise: as the size of a frame they are over every limit. */
const GREETINGS = [
  ['HTTP', 'a web server'],
  ['SSH-', 'an SSH server'],
  ['\u0015\u0003', 'something that speaks TLS'],
  ['220', 'a mail or file server'],
] as const;

/** What answered the first question of all in no way that a broker would. `cause` is a MALFORMED_RESPONSE. */
export function notABroker(endpoint: Endpoint, cause: SluiceError): SluiceError {
  const size = /frame (?:of|length) (-?\d+)/.exec(cause.message)?.[1];
  const first = Buffer.alloc(4);
  if (size !== undefined) first.writeInt32BE(Number(size));
  const known = GREETINGS.find(([greeting]) => first.toString('latin1').startsWith(greeting))?.[1];
  const what = known === undefined ? 'what answers' : `${known} answers`;
  const message = `${what} at ${formatEndpoint(endpoint)}${known === undefined ? ' is' : ':'} no Kafka broker`;
  return new SluiceError('NOT_A_BROKER', message, { remedy: 'Check host and port.', cause });
}
