/**
 * One accepted connection: bytes to frames to the handler, replies back in request order, within limits. Owns the
 * frames it holds and every reply until it left. Knows nothing of what a request means.
 *
 *     onData -> FrameReader -> #serve (handler, in order) -> ReplyQueue -> SocketWriter -> socket
 *
 * Reading stops while too many requests are in flight, too many reply bytes are queued or the memory budget is spent.
 */
import type { Clock } from '../base/clock.ts';
import { messageOf } from '../base/errors.ts';
import type { Libc } from '../base/libc.ts';
import type { Logger } from '../base/logger.ts';
import type { ConnectionLimits } from './connection-limits.ts';
import { type ConnectionEvent, type ConnectionState, TRANSITIONS } from './connection-state.ts';
import type { FrameMemory } from './frame-memory.ts';
import { FRAME_PREFIX_BYTES, FrameReader, FrameRejected } from './frame-reader.ts';
import type { BudgetWaiter, MemoryBudget } from './memory-budget.ts';
import { type Reply, ReplyQueue, type ReplySlot, releaseReply } from './reply-queue.ts';
import { PeerGone, type SendStatistics } from './send-file.ts';
import { SessionSlots } from './session-slots.ts';
import { SocketWriter } from './socket-writer.ts';
import type { SocketListener, TransportSocket } from './transport.ts';

/** What a handler sees of the connection that its request came on. */
export interface Connection {
  /** Unique in this process. */
  readonly id: number;
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly localPort: number;
  /** Name of the listener that accepted it, e.g. `PLAINTEXT`. */
  readonly listenerName: string;
  /** What the layers above remember for the life of the connection (principal, client software, ...). */
  readonly state: SessionSlots;
  /** Set by whoever verified the peer. Until then frames are small, one request is served at a time, and time is short. */
  authenticated: boolean;
  /** Takes back a frame that nobody looks at any more, before or after it was answered; its memory is used again. */
  recycle(frame: Buffer): void;
  /** Takes no more requests; ends once the replies to those in flight have left. */
  close(): void;
  /** Runs `listener` once when the connection is gone, at once if it already is. */
  onClose(listener: () => void): void;
  /** Runs `listener` once when the peer will send no more: it is done or dead, though replies may still be under way. */
  onPeerEnd(listener: () => void): void;
}

/**
 * Serves one frame (without its length). Called in order of arrival; what it does before its first `await` is done
 * before the next frame of the connection is handed over. A throw or a rejection closes the connection.
 */
export type RequestHandler = (frame: Buffer, connection: Connection) => Reply | Promise<Reply>;

export interface ConnectionDependencies {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly budget: MemoryBudget;
  readonly memory: FrameMemory;
  readonly libc: Libc | undefined;
  readonly statistics: SendStatistics;
  readonly limits: ConnectionLimits;
  readonly handler: RequestHandler;
}

/** api key, api version, correlation id: no request header is shorter. */
const SHORTEST_REQUEST_BYTES = 8;
/** A sender that keeps up this rate is slow, not stalling: 64 KiB/s. */
const SLOWEST_UPLOAD_BYTES_PER_MS = 64;
/** Of a read: what belongs to a large request, each of which is read by itself. */
const LARGE_READ_BYTES = 16 * 1024;

export class ServedConnection implements Connection {
  readonly id: number;
  readonly listenerName: string;
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly localPort: number;
  readonly state = new SessionSlots();
  authenticated: boolean;
  /** What the transport calls. */
  readonly socketListener: SocketListener = {
    onData: (chunk) => this.#onData(chunk),
    readInto: () => this.#reader.readInto(),
    onEnd: () => this.#onEnd(),
    onDrain: () => this.#onProgress(),
    onClose: (error) => this.#onGone(error),
  };
  readonly #socket: TransportSocket;
  readonly #deps: ConnectionDependencies;
  readonly #limits: ConnectionLimits;
  readonly #reader: FrameReader;
  readonly #replies = new ReplyQueue();
  readonly #writer: SocketWriter;
  readonly #waiter: BudgetWaiter = { onBudget: (finishFrame) => this.#onBudget(finishFrame) };
  readonly #flushLater = (): void => this.#onFlushLater();
  readonly #sendLater = (): void => {
    this.#sendScheduled = false;
    this.#onProgress();
  };
  readonly #closeListeners: (() => void)[] = [];
  readonly #peerEndListeners: (() => void)[] = [];
  #phase: ConnectionState = 'serving';
  #reading = true;
  #pulling = false;
  #flushScheduled = false;
  #sendScheduled = false;
  #waitingForBudget = false;
  /** The peer sends no more; what it sent before is still served. */
  #peerEnded = false;
  /** A `close` reply was reached: what comes after it is never sent. */
  #sealed = false;
  // What `sweep` compares from one call to the next; the hot path only counts.
  #events = 0;
  #seenEvents = -1;
  #seenQueuedBytes = 0;
  #seenFrames = -1;
  #partialSinceMs = 0;
  #lastActiveMs: number;
  #phaseSinceMs: number;
  readonly #openedMs: number;

  constructor(
    socket: TransportSocket,
    facts: { id: number; listenerName: string; authenticated: boolean },
    deps: ConnectionDependencies,
  ) {
    this.id = facts.id;
    this.listenerName = facts.listenerName;
    this.authenticated = facts.authenticated;
    this.remoteAddress = socket.remoteAddress;
    this.remotePort = socket.remotePort;
    this.localPort = socket.localPort;
    this.#socket = socket;
    this.#deps = deps;
    this.#limits = deps.limits;
    this.#openedMs = this.#lastActiveMs = this.#phaseSinceMs = deps.clock.monotonicMs();
    const maxBytes = (): number =>
      this.authenticated ? this.#limits.maxFrameBytes : this.#limits.maxUnauthenticatedFrameBytes;
    this.#reader = new FrameReader({ minBytes: SHORTEST_REQUEST_BYTES, maxBytes }, deps.budget, deps.memory);
    this.#writer = new SocketWriter({
      socket,
      libc: deps.libc,
      statistics: deps.statistics,
      onProgress: () => this.#onProgress(),
      onFailure: (error) => {
        if (error instanceof PeerGone) this.#broke(error, 'fail');
        else this.#fail(`a reply could not be read: ${messageOf(error)}`);
      },
    });
  }

  /** Requests whose reply has not been handed to the socket. */
  get requestsInFlight(): number {
    return this.#replies.length;
  }

  /** Reply bytes that this process holds or promised for the connection. */
  get queuedReplyBytes(): number {
    return this.#replies.readyBytes + this.#writer.queuedBytes;
  }

  recycle(frame: Buffer): void {
    this.#deps.memory.give(frame);
  }

  close(): void {
    this.#move('stop');
    this.#flush();
  }

  onClose(listener: () => void): void {
    if (this.#phase === 'closed') listener();
    else this.#closeListeners.push(listener);
  }

  /** Drops the connection with everything that is under way. */
  destroy(): void {
    this.#move('fail');
  }

  #onData(chunk: Buffer): void {
    if (this.#phase !== 'serving') return;
    this.#events++;
    this.#reader.push(chunk);
    this.#serveWhole();
    if (chunk.length < LARGE_READ_BYTES) this.#sendReady();
    else this.#sendAfterTurn();
    this.#reader.settle();
    this.#waitForBudget();
  }

  onPeerEnd(listener: () => void): void {
    if (this.#peerEnded || this.#phase === 'closed') listener();
    else this.#peerEndListeners.push(listener);
  }

  #onEnd(): void {
    this.#peerEnded = true;
    for (const listener of this.#peerEndListeners.splice(0)) listener();
    this.#pull();
  }

  #onGone(error: Error | undefined): void {
    if (error === undefined) this.#move('gone');
    else this.#broke(error, 'gone');
  }

  /** Clients come and go: no line for the operator. */
  #broke(error: Error, event: ConnectionEvent): void {
    if (this.#phase !== 'closed') {
      this.#deps.logger.debug('connection broke', { peer: this.#peer(), reason: error.message });
    }
    this.#move(event);
  }

  /** Serves what is whole, then sends what is ready. */
  #pull(): void {
    if (this.#pulling) return;
    this.#serveWhole();
    this.#sendReady();
  }

  #sendReady(): void {
    this.#flush();
    this.#updateReading();
  }

  /** Of large requests that came one behind the other the answers leave in one system call, once all have been served. */
  #sendAfterTurn(): void {
    this.#updateReading();
    if (this.#sendScheduled) return;
    this.#sendScheduled = true;
    this.#deps.clock.afterTurn(this.#sendLater);
  }

  /** Hands frames that are whole to the handler while the limits allow. */
  #serveWhole(): void {
    if (this.#pulling) return;
    this.#pulling = true;
    try {
      while (this.#mayServe()) {
        const frame = this.#reader.next();
        if (frame === undefined) {
          if (this.#peerEnded) this.#move('peer-ended');
          break;
        }
        this.#serve(frame);
        if (!this.#mayServe()) this.#flush();
      }
    } catch (error) {
      if (!(error instanceof FrameRejected)) throw error;
      this.#refuse(error);
    } finally {
      this.#pulling = false;
    }
  }

  #mayServe(): boolean {
    return (
      this.#phase === 'serving' &&
      this.#replies.length < (this.authenticated ? this.#limits.maxRequestsInFlight : 1) &&
      this.queuedReplyBytes <= this.#limits.maxQueuedReplyBytes
    );
  }

  #serve(frame: Buffer): void {
    const slot = this.#replies.open(frame.length + FRAME_PREFIX_BYTES);
    let outcome: Reply | Promise<Reply>;
    try {
      outcome = this.#deps.handler(frame, this);
    } catch (error) {
      this.#handlerFailed(slot, error);
      return;
    }
    if (outcome instanceof Promise) {
      outcome.then(
        (reply) => {
          this.#answered(slot, reply);
          this.#scheduleFlush();
        },
        (error: unknown) => this.#handlerFailed(slot, error),
      );
    } else this.#answered(slot, outcome);
  }

  #answered(slot: ReplySlot, reply: Reply): void {
    this.#events++;
    if (this.#phase === 'closed' || this.#sealed) releaseReply(reply);
    else this.#replies.answer(slot, reply);
    this.#deps.budget.release(slot.requestBytes);
  }

  #handlerFailed(slot: ReplySlot, error: unknown): void {
    this.#deps.budget.release(slot.requestBytes);
    this.#fail(`a request failed: ${messageOf(error)}`, error);
  }

  /** Replies that become ready in one turn leave in one system call. */
  #scheduleFlush(): void {
    if (this.#flushScheduled) return;
    this.#flushScheduled = true;
    process.nextTick(this.#flushLater);
  }

  #onFlushLater(): void {
    this.#flushScheduled = false;
    this.#onProgress();
  }

  /** Something left or became ready: send on, and read on where a limit kept us from it. */
  #onProgress(): void {
    this.#events++;
    if (this.#phase === 'closed') return;
    this.#flush();
    this.#pull();
  }

  #flush(): void {
    if (this.#phase === 'closed') return;
    for (let reply = this.#takeReply(); reply !== undefined; reply = this.#takeReply()) {
      if (reply === 'close') {
        this.#sealed = true;
        this.#replies.discard();
        this.#move('stop');
      } else if (reply !== 'none') this.#writer.enqueue(reply);
    }
    this.#writer.flush();
    if (this.#phase !== 'draining') return;
    if (this.#writer.idle && (this.#sealed || this.#replies.length === 0)) this.#move('flushed');
  }

  #takeReply(): Reply | undefined {
    return this.#sealed ? undefined : this.#replies.takeReady();
  }

  #waitForBudget(): void {
    const { budget } = this.#deps;
    if (!budget.exhausted || this.#waitingForBudget || this.#phase !== 'serving' || this.#reader.reserved) return;
    this.#waitingForBudget = true;
    this.#updateReading();
    budget.wait(this.#waiter, this.#reader.heldBytes);
  }

  #onBudget(finishFrame: boolean): void {
    this.#waitingForBudget = false;
    if (finishFrame) {
      try {
        this.#reader.reserve();
      } catch (error) {
        if (!(error instanceof FrameRejected)) throw error;
        this.#refuse(error);
        return;
      }
    }
    this.#pull();
  }

  #updateReading(): void {
    const wanted = this.#phase === 'lingering' || (!this.#waitingForBudget && this.#mayServe());
    if (wanted === this.#reading || this.#phase === 'closed') return;
    this.#reading = wanted;
    if (wanted) this.#socket.resume();
    else this.#socket.pause();
  }

  #move(event: ConnectionEvent): void {
    const transition = TRANSITIONS[this.#phase][event];
    const before = this.#phase;
    if (transition.to !== before) this.#phaseSinceMs = this.#deps.clock.monotonicMs();
    this.#phase = transition.to;
    if (before === 'serving' && transition.to !== before) this.#stopServing();
    for (const action of transition.actions) {
      if (action === 'end') this.#socket.end();
      else if (action === 'destroy') this.#socket.destroy();
      else this.#clean();
    }
    this.#updateReading();
  }

  /** What was received and not served yet never will be. */
  #stopServing(): void {
    if (this.#waitingForBudget) this.#deps.budget.leave(this.#waiter);
    this.#waitingForBudget = false;
    this.#reader.discard();
  }

  /** Runs once, on the way into `closed`. Handlers that still work give their reply back in `#answered`. */
  #clean(): void {
    this.#replies.discard();
    this.#writer.abort();
    for (const listener of this.#peerEndListeners.splice(0)) listener();
    for (const listener of this.#closeListeners.splice(0)) listener();
  }

  /** The stream cannot be read on; whoever asked before that gets its answers. */
  #refuse(rejected: FrameRejected): void {
    if (this.#replies.length === 0 && this.#writer.idle) {
      this.#fail(rejected.message);
      return;
    }
    this.#report(rejected.message);
    this.#move('stop');
  }

  #fail(reason: string, error?: unknown): void {
    if (this.#phase === 'closed') return;
    this.#report(reason, error);
    this.#move('fail');
  }

  #report(reason: string, error?: unknown): void {
    const stack = error instanceof Error ? { stack: error.stack } : {};
    this.#deps.logger.warn('closed a connection', {
      peer: this.#peer(),
      listener: this.listenerName,
      reason,
      ...stack,
    });
  }

  #peer(): string {
    return `${this.remoteAddress}:${this.remotePort}`;
  }

  /** Enforces the time limits. The listener calls it for all connections every second or more often. */
  sweep(nowMs: number): void {
    if (this.#phase === 'closed') return;
    const queuedBytes = this.#writer.queuedBytes;
    const active = this.#events !== this.#seenEvents || queuedBytes !== this.#seenQueuedBytes;
    if (active || this.#replies.unanswered > 0) this.#lastActiveMs = nowMs;
    this.#seenEvents = this.#events;
    this.#seenQueuedBytes = queuedBytes;
    if (this.#phase === 'serving') this.#sweepServing(nowMs);
    else this.#sweepEnding(nowMs, queuedBytes);
  }

  #sweepServing(nowMs: number): void {
    const limits = this.#limits;
    if (!this.authenticated && nowMs - this.#openedMs >= limits.authenticationMs) {
      this.#fail(`not authenticated within ${limits.authenticationMs} ms`);
    } else if (this.#stalls(nowMs)) {
      this.#fail(`a frame was not completed within ${limits.partialFrameMs} ms`);
    } else if (nowMs - this.#lastActiveMs >= limits.idleMs) {
      this.#deps.logger.debug('closed an idle connection', { peer: this.#peer() });
      this.#move(this.#replies.length === 0 && this.#writer.queuedBytes === 0 ? 'stop' : 'fail');
      this.#flush();
    }
  }

  /** Whether a frame has been on its way for too long although we read all the time. */
  #stalls(nowMs: number): boolean {
    const partialBytes = this.#reader.partialBytes;
    if (!this.#reading || partialBytes === 0 || this.#seenFrames !== this.#reader.framesRead) {
      this.#seenFrames = partialBytes === 0 ? -1 : this.#reader.framesRead;
      this.#partialSinceMs = nowMs;
      return false;
    }
    const allowedMs = this.#limits.partialFrameMs + partialBytes / SLOWEST_UPLOAD_BYTES_PER_MS;
    return nowMs - this.#partialSinceMs >= allowedMs;
  }

  #sweepEnding(nowMs: number, queuedBytes: number): void {
    const limits = this.#limits;
    if (this.#phase === 'lingering' && queuedBytes === 0) {
      if (nowMs - Math.max(this.#phaseSinceMs, this.#lastActiveMs) >= limits.lingerMs) this.#move('fail');
    } else if (
      nowMs - Math.max(this.#phaseSinceMs, this.#replies.unanswered > 0 ? 0 : this.#lastActiveMs) >=
      limits.endingMs
    ) {
      this.#fail(`replies did not leave within ${limits.endingMs} ms of the end`);
    }
  }
}
