/**
 * One connection to one server: presents a session, then carries frames both ways. Owns the socket and what it knows of
 * times. Never retries; matches no replies.
 */
import type { Clock } from '../../../../base/clock.ts';
import { messageOf } from '../../../../base/errors.ts';
import { FRAME_PREFIX_BYTES, FrameReader } from '../../../../network/frame-reader.ts';
import { MemoryBudget } from '../../../../network/memory-budget.ts';
import type { Transport, TransportSocket } from '../../../../network/transport.ts';
import type { ServerAddress } from './connect-string.ts';
import { JuteReader } from './jute.ts';
import {
  type ConnectReply,
  type ConnectRequest,
  decodeConnectReply,
  encodeConnect,
  type ReplyHeader,
  readReplyHeader,
} from './messages.ts';

export interface ConnectionOwner {
  /** The server answered whether it knows the session. */
  onPresented(reply: ConnectReply): void;
  /** May throw MalformedJute, which closes the connection. */
  onReply(header: ReplyHeader, reader: JuteReader): void;
  /** Once, unless `destroy` was called. */
  onLost(why: string): void;
}

/** The largest znode that Kafka could have written, with room. */
const MAX_REPLY_BYTES = 64 * 2 ** 20;

export class Connection {
  readonly server: ServerAddress;
  readonly #owner: ConnectionOwner;
  readonly #clock: Clock;
  readonly #socket: TransportSocket;
  readonly #budget = new MemoryBudget(-1);
  readonly #reader = new FrameReader({ minBytes: 0, maxBytes: () => MAX_REPLY_BYTES }, this.#budget);
  readonly #startedMs: number;
  #heardMs: number;
  #sentMs: number;
  #presented = false;
  #ended = false;
  #gathering = false;

  constructor(
    options: { readonly server: ServerAddress; readonly session: ConnectRequest },
    dependencies: { readonly transport: Transport; readonly clock: Clock },
    owner: ConnectionOwner,
  ) {
    this.server = options.server;
    this.#owner = owner;
    this.#clock = dependencies.clock;
    this.#startedMs = this.#heardMs = this.#sentMs = this.#clock.monotonicMs();
    this.#socket = dependencies.transport.connect(options.server, {
      onConnect: () => this.write(encodeConnect(options.session)),
      onData: (chunk) => this.#receive(chunk),
      onEnd: () => this.#lose('the server closed the connection'),
      onDrain: () => undefined,
      onClose: (error) => this.#lose(error === undefined ? 'the connection was closed' : messageOf(error)),
    });
  }

  /** Whether the server has accepted the session. */
  get presented(): boolean {
    return this.#presented;
  }

  get startedMs(): number {
    return this.#startedMs;
  }

  get heardMs(): number {
    return this.#heardMs;
  }

  get sentMs(): number {
    return this.#sentMs;
  }

  /** Writes of one turn leave together. */
  write(frame: Buffer): void {
    if (this.#ended) return;
    this.#sentMs = this.#clock.monotonicMs();
    if (!this.#gathering) {
      this.#gathering = true;
      this.#socket.cork();
      this.#clock.afterTurn(() => {
        this.#gathering = false;
        if (!this.#ended) this.#socket.uncork();
      });
    }
    this.#socket.write(frame);
  }

  #receive(chunk: Buffer): void {
    if (this.#ended) return;
    this.#heardMs = this.#clock.monotonicMs();
    this.#reader.push(chunk);
    try {
      for (let frame = this.#reader.next(); frame !== undefined; frame = this.#reader.next()) {
        this.#budget.release(frame.length + FRAME_PREFIX_BYTES);
        this.#handle(new JuteReader(frame));
        if (this.#ended) return;
      }
      this.#reader.settle();
    } catch (error) {
      if (!isDamage(error)) throw error;
      this.#lose(`the server sent what is no reply: ${error.message}`);
    }
  }

  #handle(reader: JuteReader): void {
    if (this.#presented) {
      this.#owner.onReply(readReplyHeader(reader), reader);
      return;
    }
    this.#presented = true;
    this.#owner.onPresented(decodeConnectReply(reader));
  }

  /** Gives the connection up and tells why. */
  #lose(why: string): void {
    if (this.#ended) return;
    this.destroy();
    this.#owner.onLost(why);
  }

  /** Drops the socket; the owner hears nothing more. */
  destroy(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#reader.discard();
    this.#socket.destroy();
  }

  /** As if the socket had failed. */
  fail(why: string): void {
    this.#lose(why);
  }
}

function isDamage(error: unknown): error is Error {
  return error instanceof Error && (error.name === 'MalformedJute' || error.name === 'FrameRejected');
}
