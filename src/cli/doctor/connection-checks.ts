/** Tries every address as a client does: those that were given, then those that brokers tell. */
import { messageOf, SluiceError, systemErrorCode } from '../../base/errors.ts';
import type { BrokerId } from '../../base/units.ts';
import type { BrokerVersions } from '../../client/api-versions.ts';
import { type Endpoint, formatEndpoint } from '../../client/bootstrap.ts';
import { BrokerConnection } from '../../client/broker-connection.ts';
import { systemDependencies } from '../../client/dependencies.ts';
import type { ConnectionOptions } from '../../client/options.ts';
import { metadata } from '../../protocol/apis/metadata.ts';
import type { Findings } from './findings.ts';

const SLOW_MS = 500;

/** What a broker tells of its cluster. */
export interface ToldCluster {
  readonly clusterId: string | null;
  readonly brokers: readonly (Endpoint & { readonly id: BrokerId; readonly rack: string | null })[];
  readonly versions: BrokerVersions;
}

export type Answer =
  | { readonly ok: true; readonly told: ToldCluster; readonly latencyMs: number }
  | { readonly ok: false; readonly error: unknown };

/** Connects, agrees on versions, and asks who is there. */
export async function ask(endpoint: Endpoint, options: ConnectionOptions): Promise<Answer> {
  const { clock } = systemDependencies;
  let connection: BrokerConnection | undefined;
  try {
    connection = await BrokerConnection.open(endpoint, options, systemDependencies);
    const startedMs = clock.monotonicMs();
    const answer = await connection.request(metadata, { topics: [], allowAutoTopicCreation: false });
    const brokers = answer.brokers.map(({ nodeId: id, host, port, rack }) => ({ id, host, port, rack }));
    const told = { clusterId: answer.clusterId, brokers, versions: connection.versions };
    return { ok: true, told, latencyMs: clock.monotonicMs() - startedMs };
  } catch (error) {
    return { ok: false, error };
  } finally {
    void connection?.close();
  }
}

/** The addresses that were given. Undefined where none of them answers. */
export async function checkBootstrap(
  endpoints: readonly Endpoint[],
  options: ConnectionOptions,
  findings: Findings,
): Promise<ToldCluster | undefined> {
  const answers = await Promise.all(endpoints.map((endpoint) => ask(endpoint, options)));
  const first = answers.find((answer) => answer.ok);
  for (const [index, endpoint] of endpoints.entries()) {
    const address = formatEndpoint(endpoint);
    const answer = answers[index]!;
    if (answer.ok) {
      findings.ok('bootstrap', `${address} answers in ${answer.latencyMs.toFixed(1)} ms`);
      if (answer.told.clusterId !== first!.told.clusterId) {
        const ids = `${answer.told.clusterId}, not ${first!.told.clusterId} as ${formatEndpoint(endpoints[answers.indexOf(first!)]!)}`;
        findings.error('bootstrap', `${address} is of another cluster: ${ids}`, 'Name brokers of one cluster only.');
      }
      continue;
    }
    const message = `${address} ${whyNot(answer.error)}`;
    const remedy = remedyOf(answer.error, endpoint);
    if (first === undefined) findings.error('bootstrap', message, remedy);
    else findings.warning('bootstrap', message, `${remedy} Others of the given addresses answer.`);
  }
  return first?.told;
}

/** The addresses that clients are told: what users get wrong most. */
export async function checkAdvertised(
  told: ToldCluster,
  given: readonly Endpoint[],
  options: ConnectionOptions,
  findings: Findings,
): Promise<ReadonlyMap<BrokerId, ToldCluster>> {
  const reached = new Map<BrokerId, ToldCluster>();
  const addresses = new Map<string, BrokerId>();
  await Promise.all(
    told.brokers.map(async (broker) => {
      const address = formatEndpoint(broker);
      const other = addresses.get(address);
      addresses.set(address, broker.id);
      if (other !== undefined) {
        const message = `brokers ${other} and ${broker.id} both tell clients to connect to ${address}`;
        findings.error('advertised-listener', message, 'Give each its own advertised.listeners.', broker.id);
      }
      const answer = await ask(broker, options);
      if (answer.ok) reached.set(broker.id, answer.told);
      judge({ ...broker, address }, answer, { told, given }, findings);
    }),
  );
  return reached;
}

function judge(
  { id, host, address }: { readonly id: BrokerId; readonly host: string; readonly address: string },
  answer: Answer,
  { told, given }: { readonly told: ToldCluster; readonly given: readonly Endpoint[] },
  findings: Findings,
): void {
  const check = 'advertised-listener';
  const settings = `of broker ${id} (advertised.listeners, or listeners where that is not set)`;
  const isLocal = isLoopback(host) && !given.some((each) => isLoopback(each.host));
  if (!answer.ok) {
    const why = `broker ${id} tells clients to connect to ${address}, which ${whyNot(answer.error)}`;
    const remedy = isSilent(answer.error)
      ? `Where that is its address, its process or its machine hangs: see its log, and start it again. Otherwise: the address ${settings}.`
      : isLocal
        ? `Every client takes ${host} for itself: set the address ${settings} to one that clients reach.`
        : `Set the address ${settings} to one that this machine reaches, or let it through (DNS, firewall).`;
    findings.error(check, why, remedy, id);
  } else if (answer.told.clusterId !== told.clusterId) {
    const why = `broker ${id} tells clients to connect to ${address}, where another cluster answers (${answer.told.clusterId})`;
    findings.error(check, why, `Set the address ${settings} to its own.`, id);
  } else if (isLocal) {
    const why = `broker ${id} tells clients to connect to ${address}: clients on other machines will look at home`;
    findings.warning(check, why, `Set the address ${settings} to one that all clients reach.`, id);
  } else if (answer.latencyMs > SLOW_MS) {
    const why = `broker ${id} at ${address} takes ${Math.round(answer.latencyMs)} ms for a small answer`;
    findings.warning('latency', why, 'See whether its machine, its disk or the way there is busy.', id);
  } else findings.ok(check, `broker ${id} answers at ${address} in ${answer.latencyMs.toFixed(1)} ms`, id);
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host.startsWith('127.') || host === '::1' || host === '0.0.0.0' || host === '::';
}

const REASONS: Readonly<Record<string, string>> = {
  ENOTFOUND: 'is a name that does not resolve',
  EAI_AGAIN: 'is a name that does not resolve (the name server does not answer)',
  ECONNREFUSED: 'refuses connections: nobody listens there',
  EHOSTUNREACH: 'cannot be reached',
  ENETUNREACH: 'cannot be reached',
  ETIMEDOUT: 'does not answer',
  ECONNRESET: 'hangs up',
};

/** Somebody is there, or packets get lost on the way: neither a refusal nor a name that does not resolve. */
function isSilent(error: unknown): boolean {
  if (!(error instanceof SluiceError)) return false;
  return error.code === 'REQUEST_TIMED_OUT' || (error.code === 'BROKER_UNREACHABLE' && codeOf(error) === undefined);
}

/** Completes "HOST:PORT ..." */
function whyNot(error: unknown): string {
  const code = codeOf(error);
  if (code !== undefined && Object.hasOwn(REASONS, code)) return REASONS[code]!;
  const name = error instanceof SluiceError ? error.code : '';
  if (name === 'CHANNEL_CLOSED' || name === 'BROKER_DISCONNECTED')
    return 'accepts connections and hangs up: it speaks another protocol, or TLS';
  if (name === 'REQUEST_TIMED_OUT') return 'accepts connections and says nothing';
  if (name === 'NOT_A_BROKER') return `is not the address of a broker: ${messageOf(error)}`;
  return `does not answer: ${messageOf(error)}`;
}

function remedyOf(error: unknown, { host, port }: Endpoint): string {
  switch (codeOf(error)) {
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return `Check the spelling of ${host}, and that this machine can resolve it.`;
    case 'ECONNREFUSED':
      return isLoopback(host)
        ? `Start a broker (sluice start --port ${port}), or name another with --brokers.`
        : `Check that a broker runs on ${host}, and that its listeners are not for localhost alone.`;
    case undefined:
      return 'Check that it is the port of a broker, without TLS and without authentication.';
    default:
      return `Check that ${host} is up, and firewalls on the way to port ${port}.`;
  }
}

/** The system's own error code, however deep it is wrapped. */
function codeOf(error: unknown): string | undefined {
  for (let each = error; each instanceof Error; each = each.cause) {
    const code = systemErrorCode(each);
    if (code !== undefined && !(each instanceof SluiceError)) return code;
    if (each instanceof AggregateError && each.errors.length > 0) return codeOf(each.errors[0]);
  }
  return undefined;
}
