/**
 * A network in memory on a simulated clock: TCP as programs see it, between hosts that are named. Owns addresses, links
 * with their faults, and who listens; what one connection does is in network-socket.ts. Deterministic from its Random.
 *
 * What a link loses is sent again once it is whole, as TCP does: programs notice a partition by their own timeouts only.
 */
import type { Random } from '../../src/base/random.ts';
import type { SimulatedClock } from '../../src/base/simulated-clock.ts';
import type { ServerListener, Transport, TransportServer } from '../../src/network/transport.ts';
import { SimulatedSocket } from './network-socket.ts';

/** A program that uses the network. */
export interface NetworkProcess {
  readonly host: string;
  readonly alive: boolean;
  /** Calls back within the program: at once, later while it is stopped, and never once it is dead. */
  run(callback: () => void): void;
}

/** One direction between two hosts. */
export interface Link {
  readonly from: string;
  readonly to: string;
  readonly latencyMs: number;
  /** All that is sent vanishes. */
  blocked: boolean;
  /** On top of the latency. */
  extraMs: number;
  bytesPerMs: number;
  /** Sockets whose bytes wait for the link. */
  readonly stalled: Set<SimulatedSocket>;
}

export interface SimulatedNetworkOptions {
  readonly clock: SimulatedClock;
  readonly random: Random;
  /** Sees every piece of a stream as it arrives. */
  readonly onArrival?: (from: string, to: string, bytes: Buffer) => void;
}

interface Listening {
  readonly process: NetworkProcess;
  readonly listener: ServerListener;
}

const FAST_BYTES_PER_MS = 100_000;
const OWN_HOST: ReadonlySet<string> = new Set(['127.0.0.1', '::1', 'localhost']);
const FIRST_EPHEMERAL_PORT = 32_768;
/** A lost segment is sent again after this much at most. */
const LONGEST_RESEND_MS = 400;
const FIRST_SYN_RETRY_MS = 1000;

export class SimulatedNetwork {
  readonly clock: SimulatedClock;
  readonly random: Random;
  readonly onArrival: (from: string, to: string, bytes: Buffer) => void;
  readonly #links = new Map<string, Link>();
  readonly #hosts = new Set<string>();
  readonly #down = new Set<string>();
  readonly #listening = new Map<string, Listening>();
  /** Of living programs. */
  readonly #sockets = new Set<SimulatedSocket>();
  #nextPort = FIRST_EPHEMERAL_PORT;

  constructor({ clock, random, onArrival }: SimulatedNetworkOptions) {
    this.clock = clock;
    this.random = random;
    this.onArrival = onArrival ?? (() => undefined);
  }

  addHost(host: string): void {
    this.#hosts.add(host);
  }

  link(from: string, to: string): Link {
    const key = `${from}>${to}`;
    let link = this.#links.get(key);
    if (link === undefined) {
      const latencyMs = from === to ? 0.02 : 0.05 + 0.5 * this.random.fraction();
      link = { from, to, latencyMs, blocked: false, extraMs: 0, bytesPerMs: FAST_BYTES_PER_MS, stalled: new Set() };
      this.#links.set(key, link);
    }
    return link;
  }

  /** Whether what is sent now arrives. */
  passes(from: string, to: string): boolean {
    return !this.#down.has(from) && !this.#down.has(to) && !this.link(from, to).blocked;
  }

  delayMs(from: string, to: string, bytes: number): number {
    const { latencyMs, extraMs, bytesPerMs } = this.link(from, to);
    return (latencyMs + extraMs) * (1 + this.random.fraction()) + bytes / bytesPerMs;
  }

  block(from: string, to: string): void {
    this.link(from, to).blocked = true;
  }

  unblock(from: string, to: string): void {
    const link = this.link(from, to);
    link.blocked = false;
    this.#resend(link);
  }

  slow(from: string, to: string, extraMs: number): void {
    this.link(from, to).extraMs = extraMs;
  }

  /** All links as they were at first. Hosts that are down stay so. */
  heal(): void {
    for (const link of this.#links.values()) {
      link.extraMs = 0;
      link.bytesPerMs = FAST_BYTES_PER_MS;
      if (link.blocked) this.unblock(link.from, link.to);
    }
  }

  #resend(link: Link): void {
    const stalled = [...link.stalled];
    link.stalled.clear();
    for (const socket of stalled) socket.resend(this.random.fraction() * LONGEST_RESEND_MS);
  }

  /** The program died, and its host's kernel closes what it had: peers hear of it as soon as bytes travel. */
  kill(process: NetworkProcess): void {
    this.#stopListening(process);
    for (const socket of this.#socketsOf(process)) socket.closeByKernel();
  }

  /** The host is gone without a word, with all programs on it; until `plug` nothing that is sent there gets an answer. */
  unplug(host: string): void {
    this.#down.add(host);
    for (const { process } of [...this.#listening.values()]) if (process.host === host) this.#stopListening(process);
    for (const socket of [...this.#sockets]) if (socket.process.host === host) socket.vanish();
  }

  /** The host is there again, without memory of its connections. */
  plug(host: string): void {
    this.#down.delete(host);
    for (const link of this.#links.values()) if (link.from === host || link.to === host) this.#resend(link);
  }

  /** Something in between resets one connection of a host's; says whether there was one. */
  resetOne(host: string): boolean {
    const candidates = [...this.#sockets].filter((socket) => socket.isOpen && socket.process.host === host);
    if (candidates.length === 0) return false;
    const socket = candidates[this.random.below(candidates.length)]!;
    socket.peer?.onReset();
    socket.onReset();
    return true;
  }

  #stopListening(process: NetworkProcess): void {
    for (const [address, listening] of this.#listening) {
      if (listening.process === process) this.#listening.delete(address);
    }
  }

  #socketsOf(process: NetworkProcess): SimulatedSocket[] {
    return [...this.#sockets].filter((socket) => socket.process === process);
  }

  transportOf(process: NetworkProcess): Transport {
    return {
      listen: async (address, listener) => this.#listen(process, address.port, listener),
      connect: (address, listener) => {
        const to = OWN_HOST.has(address.host) ? process.host : address.host;
        const socket = new SimulatedSocket(this, process, {
          remoteHost: to,
          remotePort: address.port,
          localPort: this.#nextPort++,
        });
        socket.listener = listener;
        this.#sockets.add(socket);
        if (this.#hosts.has(to)) this.#knock(socket, FIRST_SYN_RETRY_MS, () => listener.onConnect());
        else this.clock.after(1, () => socket.fail(systemError('ENOTFOUND', to)));
        return socket;
      },
    };
  }

  #listen(process: NetworkProcess, wanted: number, listener: ServerListener): TransportServer {
    const port = wanted === 0 ? this.#nextPort++ : wanted;
    const address = `${process.host}:${port}`;
    if (this.#listening.has(address)) throw systemError('EADDRINUSE', address);
    const listening = { process, listener };
    this.#listening.set(address, listening);
    const close = (): void => {
      if (this.#listening.get(address) === listening) this.#listening.delete(address);
    };
    return { port, close };
  }

  /** Asks for the connection, and again after a while where nothing answers. */
  #knock(socket: SimulatedSocket, retryMs: number, onConnect: () => void): void {
    const { host: from } = socket.process;
    const to = socket.remoteAddress;
    if (!socket.isConnecting) return;
    this.clock.after(this.delayMs(from, to, 0), () => {
      if (!socket.isConnecting) return;
      if (!this.passes(from, to) || !this.passes(to, from)) {
        this.clock.after(retryMs, () => this.#knock(socket, 2 * retryMs, onConnect));
        return;
      }
      const listening = this.#listening.get(`${to}:${socket.remotePort}`);
      if (listening === undefined) {
        this.clock.after(this.delayMs(to, from, 0), () => socket.fail(systemError('ECONNREFUSED', to)));
        return;
      }
      const accepted = new SimulatedSocket(this, listening.process, {
        remoteHost: from,
        remotePort: socket.localPort,
        localPort: socket.remotePort,
      });
      this.#sockets.add(accepted);
      accepted.peer = socket;
      socket.peer = accepted;
      // The kernel accepts, whatever the program does.
      listening.process.run(() => this.#accept(accepted, listening.listener));
      this.clock.after(this.delayMs(to, from, 0), () => socket.connected(onConnect));
    });
  }

  #accept(socket: SimulatedSocket, listener: ServerListener): void {
    if (!socket.isOpen) return;
    const { remoteAddress } = socket;
    if (!listener.admit(remoteAddress)) {
      socket.destroy();
      return;
    }
    socket.onGone = () => listener.onGone(remoteAddress);
    socket.accepted(listener.onSocket(socket));
  }

  forget(socket: SimulatedSocket): void {
    this.#sockets.delete(socket);
  }
}

export function systemError(code: string, what: string): Error {
  return Object.assign(new Error(`${code}: simulated, ${what}`), { code });
}
