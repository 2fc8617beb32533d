/**
 * Accepts connections on one address and keeps them within the caps. Owns the set of its connections and the clock
 * that enforces their time limits. Never looks into a frame.
 */
import type { TlsOptions } from 'node:tls';
import type { Clock, Timer } from '../base/clock.ts';
import { messageOf, SluiceError, systemErrorCode } from '../base/errors.ts';
import { type Libc, libc as systemLibc } from '../base/libc.ts';
import type { LogFields, Logger } from '../base/logger.ts';
import { type ConnectionDependencies, type RequestHandler, ServedConnection } from './connection.ts';
import { ConnectionCaps, NO_CONNECTION_CAPS } from './connection-caps.ts';
import { type ConnectionLimits, DEFAULT_CONNECTION_LIMITS } from './connection-limits.ts';
import { FrameMemory } from './frame-memory.ts';
import { MemoryBudget } from './memory-budget.ts';
import { createSendStatistics, type SendStatistics } from './send-file.ts';
import { nodeTransport, type Transport, type TransportServer, type TransportSocket } from './transport.ts';

export interface ListenOptions {
  /** e.g. `PLAINTEXT`; default the same. */
  readonly name?: string;
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
  /** Connections that the kernel holds before they are accepted (`socket.listen.backlog.size`); default 50, as in Kafka. */
  readonly backlog?: number;
  readonly tls?: TlsOptions;
  /**
   * What the kernel holds of a connection's unsent bytes; by default it decides, up to some MiB. Little is cheaper: the peer
   * takes bytes while they are still in the processor's cache.
   */
  readonly sendBufferBytes?: number | undefined;
  /** Whether peers need not prove who they are; default true. */
  readonly authenticated?: boolean;
  readonly limits?: Partial<ConnectionLimits>;
  readonly handler: RequestHandler;
}

export interface ListenDependencies {
  readonly clock: Clock;
  readonly logger: Logger;
  /** Shared by all listeners of a process; default without a limit. */
  readonly budget?: MemoryBudget;
  /** Shared by all listeners of a process; default without a limit. */
  readonly caps?: ConnectionCaps;
  readonly statistics?: SendStatistics;
  /** Default the system's; null forces the copying path. */
  readonly libc?: Libc | null;
  readonly transport?: Transport;
}

export interface Listener {
  readonly name: string;
  readonly port: number;
  readonly statistics: SendStatistics;
  /** Open connections. */
  connections(): number;
  /** Drops all connections with what is in flight on them; new ones are welcome. */
  dropConnections(): void;
  /**
   * Stops accepting, serves what is in flight, sends the replies and closes; what is left after `graceMs` is dropped.
   * Resolves when no connection is left.
   */
  close(options: { graceMs: number }): Promise<void>;
}

const DEFAULT_BACKLOG = 50;
const LONGEST_SWEEP_MS = 1000;
const SHORTEST_SWEEP_MS = 10;
/** At most one line of a kind in this time; the next one says how many were left out. */
const REFUSAL_LOG_MS = 10_000;

let lastConnectionId = 0;

/** Rejects with SluiceError LISTENER_PORT_IN_USE or LISTENER_FAILED. */
export async function listen(options: ListenOptions, dependencies: ListenDependencies): Promise<Listener> {
  const listener = new SocketAcceptor(options, dependencies);
  await listener.start();
  return listener;
}

class SocketAcceptor implements Listener {
  readonly name: string;
  readonly statistics: SendStatistics;
  readonly #options: ListenOptions;
  readonly #transport: Transport;
  readonly #caps: ConnectionCaps;
  readonly #deps: ConnectionDependencies;
  readonly #open = new Set<ServedConnection>();
  readonly #refusals: RateLimitedLog;
  readonly #acceptErrors: RateLimitedLog;
  #server: TransportServer | undefined;
  #sweeper: Timer | undefined;
  #closing: Promise<void> | undefined;
  #whenEmpty: (() => void) | undefined;

  constructor(options: ListenOptions, deps: ListenDependencies) {
    this.#options = options;
    this.name = options.name ?? 'PLAINTEXT';
    this.statistics = deps.statistics ?? createSendStatistics();
    this.#transport = deps.transport ?? nodeTransport;
    this.#caps = deps.caps ?? new ConnectionCaps(NO_CONNECTION_CAPS);
    this.#deps = {
      clock: deps.clock,
      logger: deps.logger,
      budget: deps.budget ?? new MemoryBudget(-1),
      memory: new FrameMemory(),
      libc: deps.libc === null ? undefined : (deps.libc ?? systemLibc),
      statistics: this.statistics,
      limits: { ...DEFAULT_CONNECTION_LIMITS, ...options.limits },
      handler: options.handler,
    };
    this.#refusals = new RateLimitedLog(deps.clock, deps.logger, 'refused a connection');
    this.#acceptErrors = new RateLimitedLog(deps.clock, deps.logger, 'could not accept a connection');
  }

  get port(): number {
    return this.#server?.port ?? this.#options.port;
  }

  connections(): number {
    return this.#open.size;
  }

  dropConnections(): void {
    for (const connection of [...this.#open]) connection.destroy();
  }

  async start(): Promise<void> {
    const { host, port, tls } = this.#options;
    const backlog = this.#options.backlog ?? DEFAULT_BACKLOG;
    try {
      this.#server = await this.#transport.listen(
        { host, port, backlog, tls },
        {
          admit: (remoteAddress) => this.#admit(remoteAddress),
          onGone: (remoteAddress) => this.#caps.release(remoteAddress),
          onSocket: (socket) => {
            const facts = {
              id: ++lastConnectionId,
              listenerName: this.name,
              authenticated: this.#options.authenticated ?? true,
            };
            this.#setSendBuffer(socket);
            const connection = new ServedConnection(socket, facts, this.#deps);
            this.#open.add(connection);
            connection.onClose(() => this.#forget(connection));
            if (this.#closing !== undefined) connection.destroy();
            return connection.socketListener;
          },
          onAcceptError: (error) => this.#acceptErrors.line({ listener: this.name, reason: messageOf(error) }),
        },
      );
    } catch (error) {
      throw listenError(error, host, port);
    }
    this.#sweeper = this.#deps.clock.every(this.#sweepPeriodMs(), () => this.#sweep());
  }

  close(options: { graceMs: number }): Promise<void> {
    this.#closing ??= this.#close(options.graceMs);
    return this.#closing;
  }

  async #close(graceMs: number): Promise<void> {
    this.#server?.close();
    if (this.#open.size > 0) {
      const empty = new Promise<void>((resolve) => {
        this.#whenEmpty = resolve;
      });
      for (const connection of this.#open) connection.close();
      const grace = this.#deps.clock.after(graceMs, () => {
        for (const connection of this.#open) connection.destroy();
      });
      await empty;
      grace.cancel();
    }
    this.#sweeper?.cancel();
  }

  #setSendBuffer(socket: TransportSocket): void {
    const { sendBufferBytes } = this.#options;
    const descriptor = sendBufferBytes === undefined ? -1 : socket.descriptor();
    // The kernel's own choice is good enough where it refuses another.
    if (descriptor >= 0) this.#deps.libc?.setSendBuffer(descriptor, sendBufferBytes!);
  }

  #forget(connection: ServedConnection): void {
    this.#open.delete(connection);
    if (this.#open.size === 0) this.#whenEmpty?.();
  }

  #admit(remoteAddress: string): boolean {
    const reason = this.#caps.admit(remoteAddress);
    if (reason === undefined) return true;
    this.#refusals.line({ listener: this.name, peer: remoteAddress, reason });
    return false;
  }

  #sweep(): void {
    const nowMs = this.#deps.clock.monotonicMs();
    for (const connection of this.#open) connection.sweep(nowMs);
  }

  /** Often enough that a limit is exceeded by a quarter at most. */
  #sweepPeriodMs(): number {
    const { idleMs, authenticationMs, partialFrameMs, lingerMs, endingMs } = this.#deps.limits;
    const shortestMs = Math.min(idleMs, authenticationMs, partialFrameMs, lingerMs, endingMs);
    return Math.max(SHORTEST_SWEEP_MS, Math.min(LONGEST_SWEEP_MS, shortestMs / 4));
  }
}

class RateLimitedLog {
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #message: string;
  #lastMs = Number.NEGATIVE_INFINITY;
  #leftOut = 0;

  constructor(clock: Clock, logger: Logger, message: string) {
    this.#clock = clock;
    this.#logger = logger;
    this.#message = message;
  }

  line(fields: LogFields): void {
    const nowMs = this.#clock.monotonicMs();
    if (nowMs - this.#lastMs < REFUSAL_LOG_MS) {
      this.#leftOut++;
      return;
    }
    this.#logger.warn(this.#message, this.#leftOut > 0 ? { ...fields, linesLeftOut: this.#leftOut } : fields);
    this.#lastMs = nowMs;
    this.#leftOut = 0;
  }
}

function listenError(error: unknown, host: string, port: number): SluiceError {
  if (systemErrorCode(error) === 'EADDRINUSE') {
    return new SluiceError('LISTENER_PORT_IN_USE', `port ${port} on ${host} is in use by another program`, {
      remedy: 'Stop that program, or listen on another port (listeners, or --port).',
      cause: error,
    });
  }
  return new SluiceError('LISTENER_FAILED', `cannot listen on ${host}:${port}: ${messageOf(error)}`, {
    remedy: 'Check the host and port of this listener (listeners).',
    cause: error,
  });
}
