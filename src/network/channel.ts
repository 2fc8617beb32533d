/**
 * An outgoing connection to a broker: requests are pipelined, responses come back in the same order and are matched
 * by correlation id. Owns the socket and the requests in flight. Never retries, never reconnects, knows no cluster:
 * after any failure the channel is closed and its owner opens another.
 */
import type { ConnectionOptions } from 'node:tls';
import type { Clock, Timer } from '../base/clock.ts';
import { messageOf, SluiceError, systemErrorCode } from '../base/errors.ts';
import { decodeResponseFrame, encodeRequestFrame, responseCorrelationId } from '../protocol/frames.ts';
import type { Api, DecodedFields, EncodableFields, Fields } from '../protocol/schema.ts';
import { FRAME_PREFIX_BYTES, FrameReader } from './frame-reader.ts';
import { MemoryBudget } from './memory-budget.ts';
import { nodeTransport, type SocketListener, type Transport, type TransportSocket } from './transport.ts';

export interface ChannelOptions {
  readonly host: string;
  readonly port: number;
  readonly clientId: string | null;
  /** For requests that do not say otherwise. A request that gets no response in time closes the channel. */
  readonly requestTimeoutMs: number;
  /** Default 10 s (`socket.connection.setup.timeout.ms`). */
  readonly connectTimeoutMs?: number;
  /** Default 256 MiB. */
  readonly maxResponseBytes?: number;
  readonly tls?: ConnectionOptions;
}

export interface ChannelDependencies {
  readonly clock: Clock;
  readonly transport?: Transport;
}

export interface Channel {
  readonly host: string;
  readonly port: number;
  /** False once the channel failed or was closed: every further request is refused. */
  readonly open: boolean;
  /** Requests without a response yet. */
  readonly requestsInFlight: number;
  /** Bytes of requests that the kernel did not take yet. */
  readonly queuedBytes: number;
  /**
   * Sends a request and resolves to the body of its response. Rejects with a SluiceError: REQUEST_TIMED_OUT,
   * BROKER_DISCONNECTED, MALFORMED_RESPONSE or CHANNEL_CLOSED; except for the last the broker may have acted on it.
   * With `silenceMs` it has timed out, too, once nothing at all came over the connection for that long.
   */
  request<Req extends Fields, Res extends Fields>(
    api: Api<Req, Res>,
    version: number,
    body: EncodableFields<Req>,
    options?: { readonly timeoutMs?: number; readonly silenceMs?: number },
  ): Promise<DecodedFields<Res>>;
  /** Sends a request that gets no response (Produce with acks=0). Throws CHANNEL_CLOSED. */
  send<Req extends Fields, Res extends Fields>(api: Api<Req, Res>, version: number, body: EncodableFields<Req>): void;
  /** Runs `listener` once when the channel closes, with the reason if it was not `close`; at once if it already is. */
  onClose(listener: (reason: SluiceError | undefined) => void): void;
  /** Refuses what is in flight, lets written bytes leave and closes. Resolves when the socket is gone. */
  close(): Promise<void>;
}

const CONNECT_TIMEOUT_MS = 10_000;
const MAX_RESPONSE_BYTES = 268_435_456;
/** A peer that does not answer our end of the stream is dropped after this time. */
const CLOSE_TIMEOUT_MS = 1_000;
const LARGEST_CORRELATION_ID = 2 ** 31 - 1;

/** Opens a channel. Rejects with SluiceError BROKER_UNREACHABLE, whose cause is the system's error. */
export function connect(options: ChannelOptions, dependencies: ChannelDependencies): Promise<Channel> {
  return new Promise((resolve, reject) => {
    const channel: BrokerChannel = new BrokerChannel(options, dependencies, (error) => {
      if (error === undefined) resolve(channel);
      else reject(error);
    });
  });
}

interface PendingRequest {
  readonly correlationId: number;
  readonly apiName: string;
  readonly sentMs: number;
  readonly timeoutMs: number;
  readonly silenceMs: number;
  /** Decodes the frame and resolves; throws where it is malformed. */
  accept(frame: Buffer): void;
  reject(error: SluiceError): void;
}

class BrokerChannel implements Channel {
  readonly host: string;
  readonly port: number;
  readonly #options: ChannelOptions;
  readonly #clock: Clock;
  readonly #socket: TransportSocket;
  readonly #received = new MemoryBudget(-1);
  readonly #reader: FrameReader;
  readonly #uncork = (): void => this.#endGathering();
  #settleConnect: ((error?: SluiceError) => void) | undefined;
  #connectTimer: Timer | undefined;
  #state: 'connecting' | 'open' | 'closing' | 'closed' = 'connecting';
  #reason: SluiceError | undefined;
  #closeListeners: ((reason: SluiceError | undefined) => void)[] = [];
  #gone: () => void = () => undefined;
  readonly #whenGone: Promise<void>;
  #pending: PendingRequest[] = [];
  #nextCorrelationId = 0;
  /** When bytes came last. */
  #heardMs = 0;
  #gathering = false;
  /** The one armed timer, for the earliest deadline in flight. */
  #deadline: { readonly timer: Timer; readonly atMs: number } | undefined;

  constructor(options: ChannelOptions, deps: ChannelDependencies, settle: (error?: SluiceError) => void) {
    this.#options = options;
    this.host = options.host;
    this.port = options.port;
    this.#clock = deps.clock;
    const maxBytes = options.maxResponseBytes ?? MAX_RESPONSE_BYTES;
    this.#reader = new FrameReader({ minBytes: FRAME_PREFIX_BYTES, maxBytes: () => maxBytes }, this.#received);
    this.#whenGone = new Promise((resolve) => {
      this.#gone = resolve;
    });
    this.#settleConnect = settle;
    const connectTimeoutMs = options.connectTimeoutMs ?? CONNECT_TIMEOUT_MS;
    this.#connectTimer = this.#clock.after(connectTimeoutMs, () =>
      this.#fail(this.#unreachable(`no answer within ${connectTimeoutMs} ms`)),
    );
    const { host, port, tls } = options;
    this.#socket = (deps.transport ?? nodeTransport).connect({ host, port, tls }, this.#listener());
  }

  get open(): boolean {
    return this.#state === 'open';
  }

  get requestsInFlight(): number {
    return this.#pending.length;
  }

  get queuedBytes(): number {
    return this.#socket.writableLength;
  }

  request<Req extends Fields, Res extends Fields>(
    api: Api<Req, Res>,
    version: number,
    body: EncodableFields<Req>,
    options: { readonly timeoutMs?: number; readonly silenceMs?: number } = {},
  ): Promise<DecodedFields<Res>> {
    if (!this.open) return Promise.reject(this.#refusal());
    const { timeoutMs = this.#options.requestTimeoutMs, silenceMs = Number.POSITIVE_INFINITY } = options;
    return new Promise((resolve, reject) => {
      const correlationId = this.#write(api, version, body);
      const sentMs = this.#clock.monotonicMs();
      const accept = (frame: Buffer): void => resolve(decodeResponseFrame(api, version, frame).body);
      this.#pending.push({ correlationId, apiName: api.name, sentMs, timeoutMs, silenceMs, accept, reject });
      this.#armDeadline(sentMs + Math.min(timeoutMs, silenceMs));
    });
  }

  send<Req extends Fields, Res extends Fields>(api: Api<Req, Res>, version: number, body: EncodableFields<Req>): void {
    if (!this.open) throw this.#refusal();
    this.#write(api, version, body);
  }

  onClose(listener: (reason: SluiceError | undefined) => void): void {
    if (this.#state === 'closing' || this.#state === 'closed') listener(this.#reason);
    else this.#closeListeners.push(listener);
  }

  close(): Promise<void> {
    if (this.#state === 'open') {
      this.#shut(undefined, this.#refusal());
      this.#endGathering();
      this.#socket.end();
      const timer = this.#clock.after(CLOSE_TIMEOUT_MS, () => this.#socket.destroy());
      void this.#whenGone.then(() => timer.cancel());
    }
    return this.#whenGone;
  }

  /** Encodes before anything changes, so that a body that cannot be encoded harms nobody. Returns the correlation id. */
  #write<Req extends Fields, Res extends Fields>(
    api: Api<Req, Res>,
    version: number,
    body: EncodableFields<Req>,
  ): number {
    const correlationId = this.#nextCorrelationId;
    const frame = encodeRequestFrame(api, version, { correlationId, clientId: this.#options.clientId }, body);
    this.#nextCorrelationId = correlationId === LARGEST_CORRELATION_ID ? 0 : correlationId + 1;
    if (!this.#gathering) {
      // Requests of one turn leave in one system call.
      this.#gathering = true;
      this.#socket.cork();
      process.nextTick(this.#uncork);
    }
    for (const bytes of frame) this.#socket.write(bytes);
    return correlationId;
  }

  #endGathering(): void {
    if (!this.#gathering) return;
    this.#gathering = false;
    this.#socket.uncork();
  }

  #listener(): SocketListener & { onConnect(): void } {
    return {
      onConnect: () => this.#onConnect(),
      onData: (chunk) => this.#onData(chunk),
      readInto: () => this.#reader.readInto(),
      onEnd: () => this.#fail(this.#error('BROKER_DISCONNECTED', 'closed the connection', true)),
      onDrain: () => undefined,
      onClose: (error) => {
        const why = error === undefined ? 'closed the connection' : `broke the connection: ${describe(error)}`;
        if (this.#state === 'connecting') this.#fail(this.#unreachable(describe(error), error));
        else this.#fail(this.#error('BROKER_DISCONNECTED', why, true, error));
        this.#state = 'closed';
        this.#reader.discard();
        this.#gone();
      },
    };
  }

  #onConnect(): void {
    if (this.#state !== 'connecting') return;
    this.#state = 'open';
    this.#connectTimer?.cancel();
    this.#settleConnect?.();
    this.#settleConnect = undefined;
  }

  #onData(chunk: Buffer): void {
    if (this.#state !== 'open') return;
    this.#heardMs = this.#clock.monotonicMs();
    this.#reader.push(chunk);
    try {
      for (let frame = this.#reader.next(); frame !== undefined; frame = this.#reader.next()) {
        this.#received.release(frame.length + FRAME_PREFIX_BYTES);
        this.#onResponse(frame);
        if (!this.open) return;
      }
      this.#reader.settle();
    } catch (error) {
      this.#fail(
        this.#error('MALFORMED_RESPONSE', `sent a response that makes no sense: ${messageOf(error)}`, false, error),
      );
    }
  }

  #onResponse(frame: Buffer): void {
    const request = this.#pending[0];
    const correlationId = responseCorrelationId(frame);
    if (request === undefined) throw new Error(`correlation id ${correlationId} where no response was due`);
    if (correlationId !== request.correlationId) {
      throw new Error(`correlation id ${correlationId} where ${request.correlationId} was due`);
    }
    request.accept(frame);
    this.#pending.shift();
  }

  /** Closes for a failure: everything in flight is rejected with its reason. */
  #fail(reason: SluiceError): void {
    if (this.#state === 'closing' || this.#state === 'closed') return;
    this.#shut(reason, reason);
    this.#socket.destroy();
  }

  #shut(reason: SluiceError | undefined, forRequests: SluiceError): void {
    this.#state = 'closing';
    this.#reason = reason;
    this.#connectTimer?.cancel();
    this.#deadline?.timer.cancel();
    this.#settleConnect?.(forRequests);
    this.#settleConnect = undefined;
    const pending = this.#pending;
    this.#pending = [];
    for (const request of pending) request.reject(forRequests);
    for (const listener of this.#closeListeners.splice(0)) listener(reason);
  }

  #armDeadline(atMs: number): void {
    if (this.#deadline !== undefined && this.#deadline.atMs <= atMs) return;
    this.#deadline?.timer.cancel();
    const timer = this.#clock.after(atMs - this.#clock.monotonicMs(), () => this.#onDeadline());
    this.#deadline = { timer, atMs };
  }

  /** The request that the timer was armed for has mostly been answered long ago: looks for the next deadline. */
  #onDeadline(): void {
    this.#deadline = undefined;
    const nowMs = this.#clock.monotonicMs();
    let nextMs = Number.POSITIVE_INFINITY;
    for (const { apiName, sentMs, timeoutMs, silenceMs } of this.#pending) {
      const atMs = Math.min(sentMs + timeoutMs, Math.max(sentMs, this.#heardMs) + silenceMs);
      if (atMs <= nowMs) {
        const what = `did not answer ${apiName} within ${Math.min(timeoutMs, silenceMs)} ms`;
        this.#fail(this.#error('REQUEST_TIMED_OUT', what, true));
        return;
      }
      nextMs = Math.min(nextMs, atMs);
    }
    if (nextMs !== Number.POSITIVE_INFINITY) this.#armDeadline(nextMs);
  }

  #unreachable(why: string, cause?: Error): SluiceError {
    return new SluiceError('BROKER_UNREACHABLE', `no broker can be reached at ${this.host}:${this.port}: ${why}`, {
      retriable: true,
      cause,
      remedy: 'Check that a broker runs there, the address, and that no firewall is in between.',
    });
  }

  #error(code: string, what: string, retriable: boolean, cause?: unknown): SluiceError {
    return new SluiceError(code, `the broker at ${this.host}:${this.port} ${what}`, { retriable, cause });
  }

  #refusal(): SluiceError {
    const message = `the channel to ${this.host}:${this.port} is closed`;
    return new SluiceError('CHANNEL_CLOSED', message, { retriable: true, cause: this.#reason });
  }
}

/** Several addresses tried in vain give one error without a text, only a code. */
function describe(error: Error | undefined): string {
  if (error === undefined) return 'the connection was closed';
  return error.message === '' ? (systemErrorCode(error) ?? error.name) : error.message;
}
