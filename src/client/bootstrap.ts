import { SluiceError } from '../base/errors.ts';

/** Where a broker listens. */
export interface Endpoint {
  readonly host: string;
  readonly port: number;
}

const DEFAULT_PORT = 9092;
const HIGHEST_PORT = 65535;

/** As it is written in a list of bootstrap servers. */
export function formatEndpoint({ host, port }: Endpoint): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

/**
 * Reads `host[:port]`, or several with commas between, or a list of such; an IPv6 address stands in brackets. Throws a
 * SluiceError INVALID_BOOTSTRAP_SERVERS.
 */
export function parseBootstrapServers(servers: string | readonly string[]): Endpoint[] {
  const list: readonly unknown[] = Array.isArray(servers) ? servers : [servers];
  if (!list.every((text) => typeof text === 'string')) throw invalid('there are no bootstrap servers');
  const texts = list.flatMap((text) => text.split(','));
  const endpoints = texts.map((text) => text.trim()).filter((text) => text !== '');
  if (endpoints.length === 0) throw invalid('there are no bootstrap servers');
  return endpoints.map(parseEndpoint);
}

function parseEndpoint(text: string): Endpoint {
  const match = /^(?:[A-Za-z_]+:\/\/)?(?:\[([0-9A-Fa-f:.%]+)\]|([^\s:[\]/]+))(?::(\d{1,5}))?$/.exec(text);
  const host = match?.[1] ?? match?.[2];
  const port = match?.[3] === undefined ? DEFAULT_PORT : Number(match[3]);
  if (host === undefined || port < 1 || port > HIGHEST_PORT) throw invalid(`"${text}" is no address of a broker`);
  return { host, port };
}

function invalid(message: string): SluiceError {
  return new SluiceError('INVALID_BOOTSTRAP_SERVERS', message, {
    remedy: 'Give host:port, several with commas between, for example localhost:9092.',
  });
}
