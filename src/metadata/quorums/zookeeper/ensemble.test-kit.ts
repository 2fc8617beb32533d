/**
 * An ensemble in memory that speaks ZooKeeper's protocol over the Transport seam, on the Clock and Random seams: the
 * real client runs against it, and everything above. Servers die, come back and hang; connections are cut with what they
 * carry half delivered; sessions expire; a majority can be lost. All servers see one state at once.
 */
import type { Clock, Timer } from '../../../base/clock.ts';
import type { Random } from '../../../base/random.ts';
import type { SocketListener, Transport, TransportSocket } from '../../../network/transport.ts';
import { codeOfReason } from './client/errors.ts';
import { JuteReader } from './client/jute.ts';
import { type ConnectReply, PASSWORD_BYTES, type WatchedPaths, XID } from './client/messages.ts';
import type { Operation, SessionId, WatchEvent } from './client/zookeeper.ts';
import {
  connectReply,
  notification,
  readConnect,
  readRequest,
  reply,
  type ServerRequest,
  writeMultiRefusal,
  writeMultiResults,
  writeResult,
  writeStat,
} from './server-messages.test-kit.ts';
import { Refused, type Transaction, ZnodeTree } from './znode-tree.test-kit.ts';

export interface SimulatedEnsembleOptions {
  /** Default 3. */
  readonly servers?: number;
  /** Time of a message in one direction, at least and at most. */
  readonly latencyMs?: readonly [number, number];
}

interface Session {
  readonly id: SessionId;
  readonly password: Buffer;
  readonly timeoutMs: number;
  heardMs: number;
  connection: ServerConnection | undefined;
}

const PORT = 2181;
const TICK_MS = 50;

export class SimulatedEnsemble {
  readonly tree = new ZnodeTree();
  /** For a client's configuration. */
  readonly connect: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly latencyMs: readonly [number, number];
  /** Sees every transaction that was made. */
  onWrite: (operations: readonly Operation[]) => void = () => undefined;
  readonly #up: boolean[];
  readonly #hung = new Set<number>();
  readonly #cut = new Set<string>();
  readonly #connections = new Set<ServerConnection>();
  readonly #sessions = new Map<SessionId, Session>();
  readonly #ticker: Timer;
  #nextSession = 0x1000000000000n;

  constructor(options: SimulatedEnsembleOptions, dependencies: { readonly clock: Clock; readonly random: Random }) {
    const count = options.servers ?? 3;
    this.clock = dependencies.clock;
    this.random = dependencies.random;
    this.latencyMs = options.latencyMs ?? [0.2, 2];
    this.#up = Array.from({ length: count }, () => true);
    this.connect = this.#up.map((_, index) => `zk${index + 1}:${PORT}`).join(',');
    this.tree.beginEpoch();
    this.#ticker = this.clock.every(TICK_MS, () => this.#expireSilent());
  }

  close(): void {
    this.#ticker.cancel();
    for (const connection of [...this.#connections]) connection.drop();
  }

  get hasQuorum(): boolean {
    return this.#up.filter((up, index) => up && !this.#hung.has(index)).length * 2 > this.#up.length;
  }

  /** The network as `client` has it. */
  transport(client: string): Transport {
    return {
      listen: () => Promise.reject(new Error('nobody listens in a simulated ensemble')),
      connect: (address, listener) => {
        const server = Number(/^zk(\d+)$/.exec(address.host)?.[1]) - 1;
        const connection = new ServerConnection(this, { client, server }, listener);
        this.#connections.add(connection);
        return connection.socket;
      },
    };
  }

  killServer(server: number): void {
    const had = this.hasQuorum;
    this.#up[server] = false;
    this.#settleQuorum(had, server);
  }

  startServer(server: number): void {
    const had = this.hasQuorum;
    this.#up[server] = true;
    this.#settleQuorum(had);
  }

  /** Its connections stay and nothing answers, until `resumeServer`. */
  hangServer(server: number): void {
    const had = this.hasQuorum;
    this.#hung.add(server);
    this.#settleQuorum(had);
  }

  resumeServer(server: number): void {
    const had = this.hasQuorum;
    this.#hung.delete(server);
    this.#settleQuorum(had);
    for (const connection of this.#connections) connection.flow();
  }

  /** Servers that lost their majority drop all clients; a new leader gives all sessions their whole time again. */
  #settleQuorum(had: boolean, gone?: number): void {
    const has = this.hasQuorum;
    for (const connection of [...this.#connections]) {
      if (connection.server === gone || (!has && !this.#hung.has(connection.server))) connection.drop();
    }
    if (!has || had) return;
    this.tree.beginEpoch();
    for (const session of this.#sessions.values()) session.heardMs = this.clock.monotonicMs();
  }

  /** Nothing passes between this client and the servers, and nobody is told, until `heal`. */
  cut(client: string): void {
    this.#cut.add(client);
  }

  heal(client: string): void {
    this.#cut.delete(client);
    for (const connection of this.#connections) connection.flow();
  }

  /** Connections break; what was on its way may still arrive at the servers. */
  dropConnections(client?: string): void {
    for (const connection of [...this.#connections]) {
      if (client === undefined || connection.client === client) connection.drop();
    }
  }

  /** The sessions of a client end now, whether or not it is heard. */
  expireSessions(client: string): void {
    for (const session of [...this.#sessions.values()]) {
      if (session.connection?.client === client) this.expire(session.id);
    }
  }

  expire(id: SessionId): void {
    const session = this.#sessions.get(id);
    if (session === undefined) return;
    this.#sessions.delete(id);
    for (const path of this.tree.ephemerals(id)) this.#write([{ kind: 'delete', path }], id);
    session.connection?.drop();
  }

  #expireSilent(): void {
    if (!this.hasQuorum) return;
    const nowMs = this.clock.monotonicMs();
    for (const session of [...this.#sessions.values()]) {
      if (nowMs - session.heardMs > session.timeoutMs) this.expire(session.id);
    }
  }

  accepts(server: number): 'yes' | 'refuses' | 'closes' {
    if (this.#up[server] !== true) return 'refuses';
    return this.hasQuorum || this.#hung.has(server) ? 'yes' : 'closes';
  }

  /** Whether bytes pass in either direction. */
  passes(connection: ServerConnection): boolean {
    return !this.#cut.has(connection.client) && !this.#hung.has(connection.server);
  }

  delayMs(): number {
    const [least, most] = this.latencyMs;
    return least + this.random.fraction() * (most - least);
  }

  knows(id: SessionId): boolean {
    return this.#sessions.has(id);
  }

  forget(connection: ServerConnection): void {
    this.#connections.delete(connection);
    const session = connection.session;
    if (session?.connection === connection) session.connection = undefined;
  }

  present(connection: ServerConnection, reader: JuteReader): ConnectReply | undefined {
    const { lastZxid, timeoutMs, sessionId, password } = readConnect(reader);
    if (lastZxid > this.tree.zxid) return undefined;
    let session: Session | undefined;
    if (sessionId === 0n) {
      const id = this.#nextSession++;
      session = { id, password: this.random.bytes(PASSWORD_BYTES), timeoutMs, heardMs: 0, connection: undefined };
      this.#sessions.set(id, session);
    } else {
      session = this.#sessions.get(sessionId);
      if (session !== undefined && !session.password.equals(password)) session = undefined;
    }
    if (session === undefined) return { timeoutMs: 0, sessionId: 0n, password: Buffer.alloc(PASSWORD_BYTES) };
    session.connection?.drop();
    session.connection = connection;
    session.heardMs = this.clock.monotonicMs();
    connection.session = session;
    return { timeoutMs: session.timeoutMs, sessionId: session.id, password: session.password };
  }

  serve(connection: ServerConnection, reader: JuteReader): void {
    const session = connection.session!;
    session.heardMs = this.clock.monotonicMs();
    const xid = reader.int();
    const request = readRequest(reader, reader.int());
    const answer = this.#answer(connection, xid, request);
    connection.send(answer);
    if (request.kind === 'close') this.expire(session.id);
  }

  #answer(connection: ServerConnection, xid: number, request: ServerRequest): Buffer {
    const { zxid } = this.tree;
    switch (request.kind) {
      case 'ping':
      case 'auth':
      case 'close':
        return reply(xid, zxid).frame();
      case 'sync':
        return reply(xid, zxid).string(request.path).frame();
      case 'setWatches':
        this.#setWatches(connection, request.lastZxid, request.watched);
        return reply(XID.SET_WATCHES, zxid).frame();
      case 'write':
        return this.#answerWrite(connection, xid, request);
      default:
        return this.#answerRead(connection, xid, request);
    }
  }

  #answerRead(
    connection: ServerConnection,
    xid: number,
    { kind, path, watch }: Extract<ServerRequest, { kind: 'exists' | 'getData' | 'getChildren' }>,
  ): Buffer {
    const { zxid } = this.tree;
    const stat = this.tree.stat(path);
    const watched = kind === 'getChildren' ? connection.childWatches : connection.dataWatches;
    if (watch && (stat !== undefined || kind === 'exists')) watched.add(path);
    if (stat === undefined) return reply(xid, zxid, codeOfReason('NO_NODE')).frame();
    const writer = reply(xid, zxid);
    if (kind === 'getData') writer.buffer(this.tree.data(path)!);
    if (kind === 'getChildren') writer.vector(this.tree.children(path)!, (name) => writer.string(name));
    return writeStat(writer, stat).frame();
  }

  #answerWrite(
    connection: ServerConnection,
    xid: number,
    { multi, withStat, operations }: Extract<ServerRequest, { kind: 'write' }>,
  ): Buffer {
    try {
      const { zxid, results } = this.#write(operations, connection.session!.id);
      if (multi) return writeMultiResults(reply(xid, zxid), results).frame();
      const [result] = results;
      const writer = writeResult(reply(xid, zxid), result!);
      if (withStat && result?.kind === 'create') writeStat(writer, this.tree.stat(result.path)!);
      return writer.frame();
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      const { zxid } = this.tree;
      if (!multi) return reply(xid, zxid, codeOfReason(error.reason)).frame();
      return writeMultiRefusal(reply(xid, zxid), operations.length, error).frame();
    }
  }

  /** Somebody else writes, as with zkCli. */
  writeByHand(operations: readonly Operation[]): void {
    this.#write(operations, 0n);
  }

  #write(operations: readonly Operation[], session: SessionId): Transaction {
    const transaction = this.tree.transact(operations, { session, nowMs: this.clock.wallMs() });
    this.onWrite(operations);
    for (const event of transaction.events) {
      for (const connection of this.#connections) connection.tell(event);
    }
    return transaction;
  }

  /** What changed since the client last heard is told at once, the rest is watched on. */
  #setWatches(connection: ServerConnection, lastZxid: number, { data, absent, children }: WatchedPaths): void {
    for (const path of data) {
      const stat = this.tree.stat(path);
      if (stat === undefined) connection.send(notification({ type: 'deleted', path }));
      else if (stat.mzxid > lastZxid) connection.send(notification({ type: 'dataChanged', path }));
      else connection.dataWatches.add(path);
    }
    for (const path of absent) {
      if (this.tree.stat(path) !== undefined) connection.send(notification({ type: 'created', path }));
      else connection.dataWatches.add(path);
    }
    for (const path of children) {
      const stat = this.tree.stat(path);
      if (stat === undefined) connection.send(notification({ type: 'deleted', path }));
      else if (stat.pzxid > lastZxid) connection.send(notification({ type: 'childrenChanged', path }));
      else connection.childWatches.add(path);
    }
  }
}

interface InTransit {
  arrived: boolean;
  readonly deliver: () => void;
}

/** One connection, both ends of it: bytes on their way keep their order. */
class ServerConnection {
  readonly client: string;
  readonly server: number;
  readonly socket: TransportSocket;
  readonly dataWatches = new Set<string>();
  readonly childWatches = new Set<string>();
  session: Session | undefined;
  readonly #ensemble: SimulatedEnsemble;
  readonly #listener: SocketListener & { onConnect(): void };
  #toServer: InTransit[] = [];
  #toClient: InTransit[] = [];
  #presented = false;
  /** This end is closed to the server, to the client. */
  #serverGone = false;
  #clientGone = false;

  constructor(
    ensemble: SimulatedEnsemble,
    { client, server }: { readonly client: string; readonly server: number },
    listener: SocketListener & { onConnect(): void },
  ) {
    this.#ensemble = ensemble;
    this.client = client;
    this.server = server;
    this.#listener = listener;
    this.socket = this.#makeSocket();
    this.#carry(this.#toServer, () => {
      const accepts = ensemble.accepts(server);
      if (accepts === 'yes') this.#carry(this.#toClient, () => this.#toListener(() => listener.onConnect()));
      else if (accepts === 'closes') this.drop();
      else this.#endFor(new Error(`connect ECONNREFUSED zk${server + 1}:${PORT}`));
    });
  }

  #makeSocket(): TransportSocket {
    const connection = this;
    return {
      remoteAddress: `zk${this.server + 1}`,
      remotePort: PORT,
      localPort: 0,
      writableLength: 0,
      get destroyed() {
        return connection.#clientGone;
      },
      descriptor: () => -1,
      write: (bytes) => {
        const copy = Buffer.from(bytes);
        if (!this.#clientGone) this.#carry(this.#toServer, () => this.#arrive(copy));
        return true;
      },
      cork: () => undefined,
      uncork: () => undefined,
      pause: () => undefined,
      resume: () => undefined,
      end: () => this.#close(),
      destroy: () => this.#close(),
    };
  }

  /** Delivers in order, after a while, unless the way is cut: then once it no longer is. */
  #carry(way: InTransit[], deliver: () => void): void {
    const message = { arrived: false, deliver };
    way.push(message);
    this.#ensemble.clock.after(this.#ensemble.delayMs(), () => {
      message.arrived = true;
      this.flow();
    });
  }

  /** Lets what has arrived through, as far as it is in order and the way is open. */
  flow(): void {
    if (!this.#ensemble.passes(this)) return;
    while (this.#toServer[0]?.arrived === true) this.#toServer.shift()!.deliver();
    while (this.#toClient[0]?.arrived === true) this.#toClient.shift()!.deliver();
  }

  #arrive(frame: Buffer): void {
    if (this.#serverGone) return;
    const reader = new JuteReader(frame.subarray(4));
    if (this.#presented) {
      if (this.session !== undefined && this.#ensemble.knows(this.session.id)) this.#ensemble.serve(this, reader);
      return;
    }
    this.#presented = true;
    const answer = this.#ensemble.present(this, reader);
    if (answer === undefined) this.drop();
    else this.send(connectReply(answer));
  }

  send(frame: Buffer): void {
    if (this.#serverGone) return;
    this.#carry(this.#toClient, () => this.#toListener(() => this.#listener.onData(frame)));
  }

  /** Tells the client of a change that it watches, once. */
  tell(event: WatchEvent): void {
    const { type, path } = event;
    const data = type !== 'childrenChanged' && this.dataWatches.delete(path);
    const children = (type === 'childrenChanged' || type === 'deleted') && this.childWatches.delete(path);
    if (data || children) this.send(notification(event));
  }

  #toListener(call: () => void): void {
    if (!this.#clientGone) call();
  }

  /** The client's end closes: of what it sent before some may arrive. */
  #close(): void {
    if (this.#clientGone) return;
    this.#clientGone = true;
    this.#toServer.length = this.#ensemble.random.below(this.#toServer.length + 1);
    this.#carry(this.#toServer, () => this.#endServer());
    this.#ensemble.clock.after(0, () => this.#listener.onClose(undefined));
  }

  /** The server or the network breaks the connection: some of what is on its way arrives, and nobody hears answers. */
  drop(): void {
    if (this.#serverGone) return;
    const sent = this.#toServer;
    this.#toServer = [];
    this.#toClient = [];
    const arrives = this.#ensemble.passes(this) ? this.#ensemble.random.below(sent.length + 1) : 0;
    for (const { deliver } of sent.slice(0, arrives)) deliver();
    this.#endServer();
    this.#toClient = [];
    this.#carry(this.#toClient, () => this.#endFor(undefined));
  }

  #endServer(): void {
    if (this.#serverGone) return;
    this.#serverGone = true;
    this.#ensemble.forget(this);
  }

  #endFor(error: Error | undefined): void {
    this.#endServer();
    if (this.#clientGone) return;
    this.#clientGone = true;
    this.#listener.onClose(error);
  }
}
