/**
 * One end of a connection on the simulated network: what the program handed in, what its kernel took, what is on the wire,
 * what arrived and was not read. Tells the program what Node would tell, in the same order and never within a call.
 */
import type { SocketListener, TransportSocket } from '../../src/network/transport.ts';
import { type NetworkProcess, type SimulatedNetwork, systemError } from './network.ts';

/** A piece of the stream, its end, or word that the other end knows nothing of the connection. */
type Segment = Buffer | 'end' | 'reset';

interface Departed {
  readonly segment: Segment;
  atMs: number;
}

interface Written {
  bytes: Buffer;
  /** What of it the kernel did not take. */
  from: number;
  readonly flushed: ((error?: Error | null) => void) | undefined;
}

/** Node's mark, above which a writer should wait. */
const HIGH_WATER_BYTES = 65_536;
const LARGEST_SEGMENT_BYTES = 65_536;
const WIDE_WINDOW_BYTES = 262_144;
const NARROW_WINDOW_BYTES = 8192;

export class SimulatedSocket implements TransportSocket {
  readonly process: NetworkProcess;
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly localPort: number;
  listener: SocketListener | undefined;
  peer: SimulatedSocket | undefined;
  onGone: () => void = () => undefined;
  writableLength = 0;
  readonly #network: SimulatedNetwork;
  /** Bytes that fit between this program and the other. */
  readonly #windowBytes: number;
  #state: 'connecting' | 'open' | 'closed' = 'connecting';
  #queue: Written[] = [];
  #corks = 0;
  #needsDrain = false;
  #ending = false;
  #endSent = false;
  /** Taken by the kernel and not read by the other program. */
  #unreadBytes = 0;
  #wire: Departed[] = [];
  #travelling = false;
  #received: (Buffer | 'end')[] = [];
  #reading = true;
  #pumping = false;
  #peerEnded = false;
  /** A socket that was asked for ends by itself when its peer does; one that was accepted does not. */
  #endsWithPeer = true;

  constructor(
    network: SimulatedNetwork,
    process: NetworkProcess,
    ends: { readonly remoteHost: string; readonly remotePort: number; readonly localPort: number },
  ) {
    this.#network = network;
    this.process = process;
    this.remoteAddress = ends.remoteHost;
    this.remotePort = ends.remotePort;
    this.localPort = ends.localPort;
    this.#windowBytes = network.random.below(10) === 0 ? NARROW_WINDOW_BYTES : WIDE_WINDOW_BYTES;
  }

  get isConnecting(): boolean {
    return this.#state === 'connecting' && this.process.alive;
  }

  get isOpen(): boolean {
    return this.#state !== 'closed';
  }

  get destroyed(): boolean {
    return this.#state === 'closed';
  }

  descriptor(): number {
    return -1;
  }

  /** The other side agreed. */
  connected(onConnect: () => void): void {
    if (this.#state !== 'connecting') return;
    this.#state = 'open';
    this.process.run(() => {
      if (this.#state !== 'open') return;
      onConnect();
      this.#send();
      this.#pump();
    });
  }

  /** The program took the connection. */
  accepted(listener: SocketListener): void {
    this.listener = listener;
    this.#endsWithPeer = false;
    if (this.#state === 'connecting') this.#state = 'open';
    this.#send();
    this.#pump();
  }

  /** There will be no connection, or no more. */
  fail(error: Error): void {
    if (this.#state === 'closed') return;
    this.#close();
    this.process.run(() => this.#tellClosed(error));
  }

  onReset(): void {
    this.#received = [];
    this.fail(systemError('ECONNRESET', this.remoteAddress));
  }

  #close(): void {
    this.#state = 'closed';
    this.#network.forget(this);
    const dropped = this.#queue;
    this.#queue = [];
    this.writableLength = 0;
    const error = systemError('ERR_STREAM_DESTROYED', this.remoteAddress);
    for (const { flushed } of dropped) if (flushed !== undefined) this.#soon(() => flushed(error));
  }

  #tellClosed(error: Error | undefined): void {
    this.onGone();
    this.listener?.onClose(error);
  }

  /** As Node does after a system call: when the code that runs now is done. */
  #soon(callback: () => void): void {
    process.nextTick(() => this.process.run(callback));
  }

  write(bytes: Uint8Array, flushed?: (error?: Error | null) => void): boolean {
    if (this.#state === 'closed' || this.#ending || !this.process.alive) {
      if (flushed !== undefined) this.#soon(() => flushed(systemError('EPIPE', this.remoteAddress)));
      return false;
    }
    this.#queue.push({ bytes: Buffer.from(bytes), from: 0, flushed });
    this.writableLength += bytes.length;
    const mayGoOn = this.writableLength < HIGH_WATER_BYTES;
    if (!mayGoOn) this.#needsDrain = true;
    this.#send();
    return mayGoOn;
  }

  cork(): void {
    this.#corks++;
  }

  uncork(): void {
    this.#corks = Math.max(0, this.#corks - 1);
    this.#send();
  }

  pause(): void {
    this.#reading = false;
  }

  resume(): void {
    this.#reading = true;
    if (this.#received.length > 0) this.#soon(() => this.#pump());
  }

  end(): void {
    this.#ending = true;
    this.#send();
  }

  destroy(): void {
    if (this.#state === 'closed') return;
    const wasOpen = this.#state === 'open' || this.peer !== undefined;
    const unread = this.#received.some((segment) => segment !== 'end');
    this.#close();
    if (wasOpen) this.#depart(unread ? 'reset' : 'end');
    this.#soon(() => this.#tellClosed(undefined));
  }

  /** The program is dead; its kernel says so. */
  closeByKernel(): void {
    const wasOpen = this.#state !== 'closed' && this.peer !== undefined;
    this.#close();
    if (wasOpen) this.#depart(this.#received.length > 0 || this.#network.random.below(3) === 0 ? 'reset' : 'end');
  }

  /** The host is dead; nobody says so. */
  vanish(): void {
    this.#close();
    this.#wire = [];
  }

  /** Hands to the kernel what there is room for. */
  #send(): void {
    if (this.#state !== 'open' || this.#corks > 0) return;
    const pieces: Buffer[] = [];
    let room = Math.min(this.#windowBytes - this.#unreadBytes, LARGEST_SEGMENT_BYTES);
    while (this.#queue.length > 0) {
      const first = this.#queue[0]!;
      const piece = first.bytes.subarray(first.from, first.from + Math.max(0, room));
      first.from += piece.length;
      room -= piece.length;
      if (piece.length > 0) pieces.push(piece);
      if (first.from < first.bytes.length) break;
      this.#queue.shift();
      this.writableLength -= first.bytes.length;
      if (first.flushed !== undefined) this.#soon(first.flushed);
    }
    if (pieces.length > 0) this.#departInPieces(pieces.length === 1 ? pieces[0]! : Buffer.concat(pieces));
    if (this.#queue.length > 0) {
      // A segment was full, not the window.
      if (pieces.length > 0 && this.#unreadBytes < this.#windowBytes) this.#send();
      return;
    }
    if (this.#needsDrain) {
      this.#needsDrain = false;
      this.#soon(() => this.#state === 'open' && this.listener?.onDrain());
    }
    if (this.#ending && !this.#endSent) {
      this.#endSent = true;
      this.#depart('end');
      this.#closeWhenBothEnded();
    }
  }

  /** Streams have no frames: what was written at once may arrive in pieces. */
  #departInPieces(bytes: Buffer): void {
    this.#unreadBytes += bytes.length;
    const { random } = this.#network;
    let from = 0;
    while (bytes.length - from > 1 && random.below(12) === 0) {
      const to = from + 1 + random.below(bytes.length - from - 1);
      this.#depart(bytes.subarray(from, to));
      from = to;
    }
    this.#depart(bytes.subarray(from));
  }

  #depart(segment: Segment): void {
    const { clock } = this.#network;
    const bytes = typeof segment === 'string' ? 0 : segment.length;
    const atMs = clock.monotonicMs() + this.#network.delayMs(this.process.host, this.remoteAddress, bytes);
    this.#wire.push({ segment, atMs: Math.max(atMs, this.#wire.at(-1)?.atMs ?? 0) });
    this.#travel();
  }

  #travel(): void {
    const first = this.#wire[0];
    if (first === undefined || this.#travelling) return;
    const { clock } = this.#network;
    this.#travelling = true;
    clock.after(first.atMs - clock.monotonicMs(), () => {
      this.#travelling = false;
      const { host } = this.process;
      if (!this.#network.passes(host, this.remoteAddress)) {
        this.#network.link(host, this.remoteAddress).stalled.add(this);
        return;
      }
      const arrived = this.#wire.shift();
      if (arrived !== undefined) this.peer?.onArrival(arrived.segment);
      this.#travel();
    });
  }

  /** The link is whole again. */
  resend(afterMs: number): void {
    const { clock } = this.#network;
    if (this.#travelling) return;
    for (const departed of this.#wire) departed.atMs = Math.max(departed.atMs, clock.monotonicMs() + afterMs);
    this.#travel();
  }

  onArrival(segment: Segment): void {
    if (typeof segment !== 'string') this.#network.onArrival(this.remoteAddress, this.process.host, segment);
    if (segment === 'reset') {
      if (this.#state !== 'closed') this.onReset();
      return;
    }
    if (this.#state === 'closed') {
      if (segment !== 'end' && this.#wire.at(-1)?.segment !== 'reset') this.#depart('reset');
      return;
    }
    this.#received.push(segment);
    this.process.run(() => this.#pump());
  }

  /** Hands one piece to the program, and the next in a turn of its own. */
  #pump(): void {
    if (this.#pumping || !this.#reading || this.listener === undefined || this.#state !== 'open') return;
    const segment = this.#received.shift();
    if (segment === undefined) return;
    if (this.#received.length > 0) this.#pumpLater();
    if (segment === 'end') {
      this.#peerEnded = true;
      this.listener.onEnd();
      if (this.#endsWithPeer) this.end();
      this.#closeWhenBothEnded();
      return;
    }
    this.peer?.onRead(segment.length);
    this.listener.onData(segment);
  }

  #pumpLater(): void {
    this.#pumping = true;
    this.#network.clock.after(0, () =>
      this.process.run(() => {
        this.#pumping = false;
        this.#pump();
      }),
    );
  }

  /** The other program took bytes: there is room for more. */
  onRead(bytes: number): void {
    this.#unreadBytes -= bytes;
    if (this.#queue.length === 0 || this.#state !== 'open') return;
    const delayMs = this.#network.delayMs(this.remoteAddress, this.process.host, 0);
    this.#network.clock.after(delayMs, () => this.process.run(() => this.#send()));
  }

  #closeWhenBothEnded(): void {
    if (!this.#peerEnded || !this.#endSent || this.#state === 'closed') return;
    this.#close();
    this.#soon(() => this.#tellClosed(undefined));
  }
}
