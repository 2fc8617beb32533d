/**
 * Listeners: where the broker listens, under which name and protocol, and what clients are told. Parses and checks
 * texts; opens nothing and resolves no name.
 */
import type { BrokerConfig } from './broker-config.ts';
import { splitList } from './option.ts';

export type SecurityProtocol = 'PLAINTEXT' | 'SSL' | 'SASL_PLAINTEXT' | 'SASL_SSL';

/** The numbers that stand for protocols in registration records and DescribeCluster. */
export const SECURITY_PROTOCOL_IDS: Readonly<Record<SecurityProtocol, number>> = {
  PLAINTEXT: 0,
  SSL: 1,
  SASL_PLAINTEXT: 2,
  SASL_SSL: 3,
};

export interface Endpoint {
  /** Upper case. */
  readonly listener: string;
  readonly protocol: SecurityProtocol;
  /** Empty for every interface. IPv6 addresses come without brackets. */
  readonly host: string;
  /** 0 asks for any free port. */
  readonly port: number;
}

/** An error is one line that begins with the option it is about. */
export type ListenersResult =
  | { readonly ok: true; readonly endpoints: readonly Endpoint[] }
  | { readonly ok: false; readonly error: string };

const LISTENER = /^([^:/]+):\/\/\[?([0-9a-zA-Z\-%._:]*)\]?:(\d{1,5})$/;

/** `listeners`: names and ports must differ (a port may serve one IPv4 and one IPv6 address). */
export function parseListeners(config: BrokerConfig): ListenersResult {
  const result = parseEndpoints(config, 'listeners', config.get('listeners'));
  if (!result.ok) return result;
  const clash = portClash(result.endpoints);
  return clash === undefined ? result : { ok: false, error: `listeners=${config.text('listeners')}: ${clash}` };
}

/** The listeners that clients and other brokers use: all but those of controllers. */
export function brokerListeners(config: BrokerConfig): ListenersResult {
  const result = parseListeners(config);
  if (!result.ok) return result;
  const endpoints = result.endpoints.filter(({ listener }) => !controllerNames(config).has(listener));
  if (endpoints.length > 0) return { ok: true, endpoints };
  return { ok: false, error: 'listeners: needs one that is not in controller.listener.names' };
}

/**
 * What clients are told to connect to. Without `advertised.listeners` it is each listener's host, where `machineName`
 * stands for every interface. `boundPorts` gives the real port of a listener that asked for any.
 */
export function advertisedListeners(
  config: BrokerConfig,
  machineName: string,
  boundPorts: ReadonlyMap<string, number> = new Map(),
): ListenersResult {
  const advertised = config.get('advertised.listeners');
  const listeners = brokerListeners(config);
  if (!listeners.ok) return listeners;
  const given = advertised === null ? listeners : parseEndpoints(config, 'advertised.listeners', advertised);
  if (!given.ok) return given;
  const endpoints = given.endpoints
    .filter(({ listener }) => !controllerNames(config).has(listener))
    .map((endpoint) => ({
      ...endpoint,
      host: isWildcard(endpoint.host) ? machineName : endpoint.host,
      port: endpoint.port === 0 ? (boundPorts.get(endpoint.listener) ?? 0) : endpoint.port,
    }));
  return { ok: true, endpoints };
}

/** What is wrong with the two options together, as lines; empty where nothing is. */
export function listenerViolations(config: BrokerConfig): string[] {
  const listeners = brokerListeners(config);
  if (!listeners.ok) return [listeners.error];
  const advertised = config.get('advertised.listeners');
  if (advertised === null) return interBrokerViolations(config, listeners.endpoints);
  const parsed = parseEndpoints(config, 'advertised.listeners', advertised);
  if (!parsed.ok) return [parsed.error];
  const names = new Set(listeners.endpoints.map(({ listener }) => listener));
  const shown = `advertised.listeners=${config.text('advertised.listeners')}`;
  const told = parsed.endpoints.filter(({ listener }) => !controllerNames(config).has(listener));
  const stray = told.find(({ listener }) => !names.has(listener));
  if (stray !== undefined) {
    return [`${shown}: ${stray.listener} is not in listeners; allowed: ${[...names].join(', ')}`];
  }
  if (told.some(({ host }) => host === '0.0.0.0' || host === '::')) {
    return [`${shown}: nobody can connect to that address; name the host or address that clients reach`];
  }
  if (told.length === 0) return [`${shown}: needs one that is not in controller.listener.names`];
  return interBrokerViolations(config, told);
}

function interBrokerViolations(config: BrokerConfig, told: readonly Endpoint[]): string[] {
  const name = config.get('inter.broker.listener.name')?.toUpperCase();
  if (name === undefined || told.some(({ listener }) => listener === name)) return [];
  const names = told.map(({ listener }) => listener).join(', ');
  return [`inter.broker.listener.name=${name}: is no listener that is advertised; allowed: ${names}`];
}

/** Name of the listener that brokers use among themselves: the one that is named, or the first of their protocol. */
export function interBrokerListener(config: BrokerConfig): string {
  const name = config.get('inter.broker.listener.name')?.toUpperCase();
  if (name !== undefined) return name;
  const protocol = config.get('security.inter.broker.protocol');
  const listeners = brokerListeners(config);
  const ofProtocol = listeners.ok ? listeners.endpoints.find((endpoint) => endpoint.protocol === protocol) : undefined;
  return ofProtocol?.listener ?? protocol;
}

export function isWildcard(host: string): boolean {
  return host === '' || host === '0.0.0.0' || host === '::';
}

/** Protocol of each listener name; names of controllers without one are PLAINTEXT, as in Kafka. */
export function securityProtocols(config: BrokerConfig): ReadonlyMap<string, SecurityProtocol> | string {
  const text = config.get('listener.security.protocol.map');
  const map = new Map<string, SecurityProtocol>();
  for (const entry of splitList(text)) {
    const [name, protocol, ...more] = entry.split(':').map((part) => part.trim());
    if (name === undefined || protocol === undefined || more.length > 0 || !isProtocol(protocol)) {
      const allowed = Object.keys(SECURITY_PROTOCOL_IDS).join(', ');
      return `listener.security.protocol.map=${text}: allowed: NAME:PROTOCOL pairs with one of: ${allowed}`;
    }
    map.set(name.toUpperCase(), protocol);
  }
  for (const name of controllerNames(config)) {
    if (!map.has(name)) map.set(name, 'PLAINTEXT');
  }
  return map;
}

function isProtocol(text: string): text is SecurityProtocol {
  return Object.hasOwn(SECURITY_PROTOCOL_IDS, text);
}

function controllerNames(config: BrokerConfig): ReadonlySet<string> {
  return new Set(config.get('controller.listener.names').map((name) => name.toUpperCase()));
}

function parseEndpoints(config: BrokerConfig, option: string, entries: readonly string[]): ListenersResult {
  const protocols = securityProtocols(config);
  if (typeof protocols === 'string') return { ok: false, error: protocols };
  const endpoints: Endpoint[] = [];
  for (const entry of entries) {
    const match = LISTENER.exec(entry);
    const port = Number(match?.[3]);
    if (match === null || port > 65535) {
      return { ok: false, error: `${option}=${entry}: allowed: NAME://host:port` };
    }
    const listener = match[1]!.toUpperCase();
    const protocol = protocols.get(listener);
    if (protocol === undefined) {
      const error = `${option}=${entry}: no protocol for ${listener}; name it in listener.security.protocol.map`;
      return { ok: false, error };
    }
    endpoints.push({ listener, protocol, host: match[2]!, port });
  }
  const names = endpoints.map(({ listener }) => listener);
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined) return { ok: false, error: `${option}=${entries.join(',')}: ${twice} stands twice` };
  return { ok: true, endpoints };
}

function portClash(endpoints: readonly Endpoint[]): string | undefined {
  for (const [index, endpoint] of endpoints.entries()) {
    if (endpoint.port === 0) continue;
    const clash = endpoints.slice(index + 1).find((other) => other.port === endpoint.port);
    if (clash === undefined) continue;
    const families = new Set([addressFamily(endpoint.host), addressFamily(clash.host)]);
    if (families.size === 2 && !families.has(0)) continue;
    return `${endpoint.listener} and ${clash.listener} have one port, ${endpoint.port}`;
  }
  return undefined;
}

/** 4 or 6 for an address, 0 for a name or every interface. */
function addressFamily(host: string): number {
  if (/^\d+\.\d+\.\d+\.\d+$/.test(host)) return 4;
  return host.includes(':') ? 6 : 0;
}
