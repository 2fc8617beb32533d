/** Opens a broker's listeners as its configuration names them, under limits that they share. */
import { totalmem } from 'node:os';
import type { Clock } from '../base/clock.ts';
import { systemErrorCode } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import type { BrokerConfig } from '../config/broker-config.ts';
import type { Endpoint } from '../config/listeners.ts';
import type { RequestHandler } from '../network/connection.ts';
import { type ConnectionCapLimits, ConnectionCaps } from '../network/connection-caps.ts';
import { type Listener, listen } from '../network/listener.ts';
import { MemoryBudget } from '../network/memory-budget.ts';
import type { Transport } from '../network/transport.ts';

/** What the bytes of requests in flight may take of this machine's memory where no option says. */
const BUDGET_SHARE_OF_MEMORY = 0.125;
const BUDGET_CEILING_BYTES = 512 * 2 ** 20;

export interface OpenListeners {
  /** The port that each listener got, by its name. */
  readonly ports: ReadonlyMap<string, number>;
  readonly caps: ConnectionCaps;
  connections(): number;
  /** Drops all connections with what is in flight on them; new ones are welcome. */
  dropConnections(): void;
  /** Ends all of them, letting requests in flight finish. */
  close(options: { readonly graceMs: number }): Promise<void>;
}

/** Opens all endpoints or none. Rejects with SluiceError LISTENER_PORT_IN_USE or LISTENER_FAILED. */
export async function openListeners(
  options: { readonly config: BrokerConfig; readonly endpoints: readonly Endpoint[]; readonly handler: RequestHandler },
  dependencies: { readonly clock: Clock; readonly logger: Logger; readonly transport: Transport },
): Promise<OpenListeners> {
  const { config } = options;
  const caps = new ConnectionCaps(connectionCapLimits(config));
  const shared = { ...dependencies, caps, budget: new MemoryBudget(budgetBytes(config)) };
  const opened: Listener[] = [];
  const ports = new Map<string, number>();
  const open = async (endpoint: Endpoint, host: string, port: number): Promise<Listener> => {
    const listener = await listen(
      {
        name: endpoint.listener,
        host,
        port,
        backlog: config.getForListener(endpoint.listener, 'socket.listen.backlog.size'),
        authenticated: endpoint.protocol === 'PLAINTEXT',
        sendBufferBytes: sendBufferBytes(config, endpoint.listener),
        limits: connectionLimits(config),
        handler: options.handler,
      },
      shared,
    );
    opened.push(listener);
    return listener;
  };
  try {
    for (const endpoint of options.endpoints) {
      const { host, also } = addressesOf(endpoint.host);
      const { port } = await open(endpoint, host, endpoint.port).catch((error: unknown) => {
        if (host !== '::' || !isMissingFamily(error)) throw error;
        return open(endpoint, '0.0.0.0', endpoint.port);
      });
      ports.set(endpoint.listener, port);
      if (also === undefined) continue;
      await open(endpoint, also, port).catch((error: unknown) => {
        // Another program holds the port on that address alone, or there is none: the main address serves.
        if (!isMissingFamily(error) && systemCode(error) !== 'EADDRINUSE') throw error;
      });
    }
  } catch (error) {
    await Promise.all(opened.map((listener) => listener.close({ graceMs: 0 })));
    throw error;
  }
  return {
    ports,
    caps,
    connections: () => opened.reduce((total, listener) => total + listener.connections(), 0),
    dropConnections: () => {
      for (const listener of opened) listener.dropConnections();
    },
    close: async ({ graceMs }) => {
      await Promise.all(opened.map((listener) => listener.close({ graceMs })));
    },
  };
}

export function connectionCapLimits(config: BrokerConfig): ConnectionCapLimits {
  const overrides = config.get('max.connections.per.ip.overrides').split(',').filter(Boolean);
  return {
    maxConnections: config.get('max.connections'),
    maxPerAddress: config.get('max.connections.per.ip'),
    overrides: new Map(
      overrides.map((entry) => {
        const colon = entry.lastIndexOf(':');
        return [entry.slice(0, colon).trim(), Number(entry.slice(colon + 1))];
      }),
    ),
  };
}

function connectionLimits(config: BrokerConfig) {
  return {
    maxFrameBytes: config.get('socket.request.max.bytes'),
    maxUnauthenticatedFrameBytes: config.get('sluice.unauthenticated.request.max.bytes'),
    idleMs: config.get('connections.max.idle.ms'),
    authenticationMs: config.get('sluice.authentication.timeout.ms'),
  };
}

/** -1 leaves it to the kernel. */
function sendBufferBytes(config: BrokerConfig, listener: string): number | undefined {
  const configured = config.getForListener(listener, 'socket.send.buffer.bytes');
  return configured === -1 ? undefined : configured;
}

function budgetBytes(config: BrokerConfig): number {
  const configured = config.get('queued.max.request.bytes');
  if (configured !== -1) return configured;
  return Math.min(BUDGET_CEILING_BYTES, Math.floor(totalmem() * BUDGET_SHARE_OF_MEMORY));
}

/** `localhost` means both loopback addresses, since clients may try either first. An empty host is every interface. */
function addressesOf(host: string): { readonly host: string; readonly also?: string } {
  if (host === 'localhost') return { host: '127.0.0.1', also: '::1' };
  return { host: host === '' ? '::' : host };
}

/** A machine without IPv6. */
function isMissingFamily(error: unknown): boolean {
  return ['EADDRNOTAVAIL', 'EAFNOSUPPORT'].includes(systemCode(error) ?? '');
}

function systemCode(error: unknown): string | undefined {
  return systemErrorCode(error instanceof Error ? error.cause : undefined);
}
