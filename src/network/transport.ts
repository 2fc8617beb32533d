/**
 * The few things that this room uses of TCP, so that a simulated network can take its place. `nodeTransport` is the
 * real one. Owns no protocol, no limits, no timers.
 */
import { connect as connectSocket, createServer, type OnReadOpts, type Server, Socket } from 'node:net';
import {
  type ConnectionOptions,
  createServer as createTlsServer,
  connect as secureConnect,
  type TlsOptions,
} from 'node:tls';

/** What a socket tells its owner. At most one `onClose`, always last. */
export interface SocketListener {
  /** Bytes arrived. They are the receiver's until it returns: the next ones may be read into the same memory. */
  onData(chunk: Buffer): void;
  /**
   * Where the next bytes are best read into; asked after every `onData`. They may come elsewhere all the same: in memory
   * that all connections share where this says undefined, or in a chunk of their own (TLS, simulation).
   */
  readInto?(): Buffer | undefined;
  /** The peer will send no more; it may still read. */
  onEnd(): void;
  /** All bytes written so far left this process after `write` had answered false. */
  onDrain(): void;
  /** The socket is gone; `error` says why if not by agreement. */
  onClose(error: Error | undefined): void;
}

export interface TransportSocket {
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly localPort: number;
  /** Bytes written that the kernel did not take yet. */
  readonly writableLength: number;
  readonly destroyed: boolean;
  /** The descriptor that `sendfile` may write to while `writableLength` is 0; -1 where there is none (TLS, simulation). */
  descriptor(): number;
  /** Queues bytes; false when the owner should wait for `onDrain`. `flushed` runs once the kernel took them all. */
  write(bytes: Uint8Array, flushed?: (error?: Error | null) => void): boolean;
  /** Between `cork` and `uncork` writes are gathered into one system call. */
  cork(): void;
  uncork(): void;
  pause(): void;
  resume(): void;
  /** Says after all queued bytes that no more will follow. */
  end(): void;
  /** Drops the socket and all that is queued. */
  destroy(): void;
}

export interface ListenAddress {
  readonly host: string;
  readonly port: number;
  readonly backlog: number;
  /** Certificates where the listener speaks TLS. */
  readonly tls?: TlsOptions | undefined;
}

export interface ServerListener {
  /** Whether a connection from this address may stay; false closes it before a byte is read. */
  admit(remoteAddress: string): boolean;
  /** An admitted connection ended, whether or not `onSocket` saw it (a TLS handshake may fail). */
  onGone(remoteAddress: string): void;
  /** A connection is ready; the answer receives all that happens to it. */
  onSocket(socket: TransportSocket): SocketListener;
  /** Accepting one connection failed (out of descriptors); the server goes on. */
  onAcceptError(error: Error): void;
}

export interface TransportServer {
  readonly port: number;
  /** Stops accepting; connections live on. */
  close(): void;
}

export interface ConnectAddress {
  readonly host: string;
  readonly port: number;
  /** What to trust, and certificates, where the peer speaks TLS. */
  readonly tls?: ConnectionOptions | undefined;
}

export interface Transport {
  /** Rejects with the system's error (`EADDRINUSE`, `EACCES`, ...). */
  listen(address: ListenAddress, listener: ServerListener): Promise<TransportServer>;
  /** Starts connecting; `onConnect` comes once (with TLS after the handshake), or `onClose` with the reason. */
  connect(address: ConnectAddress, listener: SocketListener & { onConnect(): void }): TransportSocket;
}

/** IPv4 addresses that arrive on an IPv6 socket are the same hosts. */
const MAPPED_IPV4 = '::ffff:';

function plainAddress(address: string | undefined): string {
  if (address === undefined) return 'unknown';
  return address.startsWith(MAPPED_IPV4) ? address.slice(MAPPED_IPV4.length) : address;
}

class NodeSocket implements TransportSocket {
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly localPort: number;
  readonly #socket: Socket;
  readonly #encrypted: boolean;

  constructor(socket: Socket, encrypted: boolean) {
    this.#socket = socket;
    this.#encrypted = encrypted;
    this.remoteAddress = plainAddress(socket.remoteAddress);
    this.remotePort = socket.remotePort ?? 0;
    this.localPort = socket.localPort ?? 0;
  }

  get writableLength(): number {
    return this.#socket.writableLength;
  }

  get destroyed(): boolean {
    return this.#socket.destroyed;
  }

  descriptor(): number {
    if (this.#encrypted) return -1;
    // Node publishes no descriptor of a socket; a handle without one sends everything the copying way.
    const handle = (this.#socket as { _handle?: { fd?: unknown } | null })._handle;
    return typeof handle?.fd === 'number' ? handle.fd : -1;
  }

  write(bytes: Uint8Array, flushed?: (error?: Error | null) => void): boolean {
    return this.#socket.write(bytes, flushed);
  }

  cork(): void {
    this.#socket.cork();
  }

  uncork(): void {
    this.#socket.uncork();
  }

  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  end(): void {
    this.#socket.end();
  }

  destroy(): void {
    this.#socket.destroy();
  }
}

/** All sockets read into it: what was read is dealt with before anything else is read. */
export const SHARED_READ_BYTES = 256 * 1024;
const sharedReadBuffer = Buffer.allocUnsafeSlow(SHARED_READ_BYTES);

/**
 * Reads without allocating: by default Node makes a new 64 KiB buffer for every read, and collecting those costs a broker
 * more than its own work.
 */
function readingInto(listener: () => SocketListener | undefined): OnReadOpts {
  const next = (): Buffer => listener()?.readInto?.() ?? sharedReadBuffer;
  return {
    buffer: next,
    callback: (count, memory) => {
      const bytes = memory as Buffer;
      listener()?.onData(count === bytes.length ? bytes : bytes.subarray(0, count));
      return true;
    },
  };
}

/**
 * The same connection as a socket that reads as `onread` says. A server's sockets cannot be told so: the handle moves to a
 * new one before anything was read. Undefined where Node has no such handle.
 */
function adopt(accepted: Socket, onread: OnReadOpts): Socket | undefined {
  const holder = accepted as unknown as { _handle?: { useUserBuffer?: unknown } | null };
  const handle = holder._handle;
  if (typeof handle?.useUserBuffer !== 'function') return undefined;
  holder._handle = null;
  return new Socket({ handle, onread, allowHalfOpen: true } as ConstructorParameters<typeof Socket>[0]);
}

/** `data` says whether the bytes come as events, and not through `readingInto`. */
function attach(socket: Socket, listener: SocketListener, { data }: { readonly data: boolean }): void {
  let failure: Error | undefined;
  if (data) socket.on('data', (chunk: Buffer) => listener.onData(chunk));
  else socket.resume();
  socket.on('end', () => listener.onEnd());
  socket.on('drain', () => listener.onDrain());
  socket.on('error', (error) => {
    failure = error;
  });
  socket.on('close', () => listener.onClose(failure));
}

function listen(address: ListenAddress, listener: ServerListener): Promise<TransportServer> {
  const secure = address.tls === undefined ? undefined : createTlsServer({ ...address.tls, allowHalfOpen: true });
  /** Raw sockets of handshakes under way, by peer: the secured socket does not tell which one it wraps. */
  const handshaking = new Map<string, Socket>();
  // A handshake that fails closes its socket, which `onGone` reports.
  secure?.on('tlsClientError', () => undefined);
  secure?.on('secureConnection', (socket) => {
    handshaking.delete(peerOf(socket));
    attach(socket, listener.onSocket(new NodeSocket(socket, true)), { data: true });
  });
  // allowHalfOpen: a peer that is done sending still gets its replies.
  const server = createServer({ allowHalfOpen: true, noDelay: true, keepAlive: true }, (accepted) => {
    let receiver: SocketListener | undefined;
    const adopted =
      secure === undefined
        ? adopt(
            accepted,
            readingInto(() => receiver),
          )
        : undefined;
    const socket = adopted ?? accepted;
    const remoteAddress = plainAddress(socket.remoteAddress);
    if (!listener.admit(remoteAddress)) {
      socket.on('error', () => undefined);
      socket.destroy();
      return;
    }
    const peer = peerOf(socket);
    socket.once('close', () => {
      handshaking.delete(peer);
      listener.onGone(remoteAddress);
    });
    if (secure === undefined) {
      receiver = listener.onSocket(new NodeSocket(socket, false));
      attach(socket, receiver, { data: adopted === undefined });
    } else {
      socket.on('error', () => socket.destroy());
      handshaking.set(peer, socket);
      secure.emit('connection', socket);
    }
  });
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ host: address.host, port: address.port, backlog: address.backlog }, () => {
      server.off('error', reject);
      server.on('error', (error) => listener.onAcceptError(error));
      const close = (): void => {
        server.close();
        for (const socket of handshaking.values()) socket.destroy();
      };
      resolve({ port: portOf(server), close });
    });
  });
}

function peerOf(socket: Socket): string {
  return `${socket.remoteAddress}:${socket.remotePort}`;
}

function portOf(server: Server): number {
  const bound = server.address();
  return bound !== null && typeof bound === 'object' ? bound.port : 0;
}

export const nodeTransport: Transport = {
  listen,
  connect: (address, listener) => {
    const to = { host: address.host, port: address.port, noDelay: true, keepAlive: true };
    const encrypted = address.tls !== undefined;
    const socket: Socket = encrypted
      ? secureConnect({ ...address.tls, ...to })
      : connectSocket({ ...to, onread: readingInto(() => listener) });
    socket.once(encrypted ? 'secureConnect' : 'connect', () => listener.onConnect());
    attach(socket, listener, { data: encrypted });
    return new NodeSocket(socket, encrypted);
  },
};
