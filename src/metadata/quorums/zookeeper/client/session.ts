/**
 * A session with an ensemble (see zookeeper.ts for what it promises): goes on to another server when one is lost, sends
 * pings, re-sets watches, matches replies to requests.
 *
 *   connecting ⇄ connected ─▶ expired | refused | closed
 *
 * Never begins a second session: after an expiry its owner does.
 */
import { assert } from '../../../../base/assert.ts';
import type { Clock, Timer } from '../../../../base/clock.ts';
import type { Logger } from '../../../../base/logger.ts';
import type { Random } from '../../../../base/random.ts';
import type { Transport } from '../../../../network/transport.ts';
import { type EnsembleAddress, isPath, parseConnectString, type ServerAddress } from './connect-string.ts';
import { Connection } from './connection.ts';
import { failedWith, reasonOf, ZooKeeperError, type ZooKeeperReason } from './errors.ts';
import { type JuteReader, JuteWriter, MalformedJute } from './jute.ts';
import {
  type ConnectReply,
  encodeAuth,
  encodePing,
  encodeSetWatches,
  OP,
  PASSWORD_BYTES,
  type ReplyHeader,
  readEvent,
  readMulti,
  readStat,
  writeCreate,
  writeHeader,
  writeMulti,
  XID,
} from './messages.ts';
import { newestKnownTo } from './seen-by-server.ts';
import { Watches } from './watches.ts';
import {
  type Acl,
  ANY_VERSION,
  type CreateOptions,
  type MultiReply,
  type Operation,
  type SessionId,
  type SessionState,
  type Stat,
  type Trouble,
  type Watcher,
  type ZooKeeper,
} from './zookeeper.ts';

export interface SessionOptions {
  /** host:port,host:port/root */
  readonly connect: string;
  readonly sessionTimeoutMs: number;
  /** How long a request waits for a connection before it is given up, never sent. */
  readonly connectionTimeoutMs: number;
  /** Requests that are sent and not answered, at a time. */
  readonly maxInFlight: number;
  /** Largest request; servers drop who sends more than their `jute.maxbuffer`. */
  readonly maxRequestBytes?: number;
  /** Who we are, e.g. scheme `digest`, secret `user:password`. */
  readonly auth?: { readonly scheme: string; readonly secret: string } | undefined;
  /** Of what is created without one. Default: open to all. */
  readonly acl?: readonly Acl[];
}

export interface SessionDependencies {
  readonly clock: Clock;
  readonly random: Random;
  readonly transport: Transport;
  readonly logger: Logger;
}

/** jute.maxbuffer of a server that is not configured otherwise. */
export const DEFAULT_MAX_REQUEST_BYTES = 0xfffff;
const MOST_QUEUED = 20_000;
/** Share of the session's timeout after which an idle connection is tried, and after which a silent one is given up. */
const PING_SHARE = 1 / 3;
const SILENCE_SHARE = 2 / 3;
/** Pings leave a little early, since ticks are coarse. */
const PING_SLACK = 0.75;
const LONGEST_TICK_MS = 500;
const TICKS_A_TIMEOUT = 12;
/** Pause once all servers were tried in vain. */
const MIN_PAUSE_MS = 50;
const MAX_PAUSE_MS = 500;
const CLOSE_TIMEOUT_MS = 1000;
/** An ensemble that elects its leader anew is away for a moment; a server that starts is behind for one. */
const AWAY_MS = 3000;
const BEHIND_MS = 3000;
const CHECK_TIMEOUT_MS = 1000;
const CHECK_PAUSE_MS = 1000;
const LARGEST_XID = 2 ** 31 - 1;

interface Request {
  readonly kind: number;
  readonly what: string;
  readonly write: (writer: JuteWriter) => void;
  /** Settles by a reply; may throw MalformedJute. */
  readonly accept: (header: ReplyHeader, reader: JuteReader) => void;
  readonly reject: (error: ZooKeeperError) => void;
  /** When it is given up, if not sent before. */
  readonly dueMs: number;
  xid: number;
}

/** Begins a session; it is `connecting` at first. Throws SluiceError INVALID_CONFIG. */
export function openSession(options: SessionOptions, dependencies: SessionDependencies): ZooKeeper {
  return new Session(options, dependencies);
}

class Session implements ZooKeeper {
  readonly #options: SessionOptions;
  readonly #dependencies: SessionDependencies;
  readonly #clock: Clock;
  readonly #address: EnsembleAddress;
  readonly #servers: readonly ServerAddress[];
  readonly #watches = new Watches();
  readonly #listeners = new Set<(state: SessionState) => void>();
  readonly #ticker: Timer;
  #state: SessionState = 'connecting';
  #connection: Connection | undefined;
  #retry: Timer | undefined;
  /** Which server is tried next, and how many were in vain since the last that was not. */
  #nextServer = 0;
  #failures = 0;
  #closing = false;
  #sessionId: SessionId = 0n;
  #password: Buffer = Buffer.alloc(PASSWORD_BYTES);
  #timeoutMs: number;
  #lastZxid = 0;
  #lastHeardMs: number;
  #lastXid = 0;
  /** Since when no server has served us. */
  #awaySinceMs: number;
  /** Why each server does not, by address. */
  readonly #reasons = new Map<string, string>();
  #behind: { readonly sinceMs: number; readonly zxid: number } | undefined;
  #checking = false;
  /** Whether somebody who reads the log knows that the connection is lost. */
  #lostAnnounced = false;
  #queue: Request[] = [];
  #inFlight: Request[] = [];

  constructor(options: SessionOptions, dependencies: SessionDependencies) {
    this.#options = options;
    this.#dependencies = dependencies;
    this.#clock = dependencies.clock;
    this.#address = parseConnectString(options.connect);
    this.#servers = shuffled(this.#address.servers, dependencies.random);
    this.#timeoutMs = options.sessionTimeoutMs;
    this.#lastHeardMs = this.#awaySinceMs = this.#clock.monotonicMs();
    const tickMs = Math.max(1, Math.min(LONGEST_TICK_MS, options.sessionTimeoutMs / TICKS_A_TIMEOUT));
    this.#ticker = this.#clock.every(tickMs, () => this.#tick());
    this.#connectNext();
  }

  get state(): SessionState {
    return this.#state;
  }

  get sessionId(): SessionId {
    return this.#sessionId;
  }

  get sessionTimeoutMs(): number {
    return this.#timeoutMs;
  }

  get lastHeardMs(): number {
    return this.#connection?.presented === true ? this.#connection.heardMs : this.#lastHeardMs;
  }

  get server(): string | undefined {
    if (this.#state !== 'connected' || this.#connection === undefined) return undefined;
    return `${this.#connection.server.host}:${this.#connection.server.port}`;
  }

  get trouble(): Trouble | undefined {
    if (this.#state !== 'connecting') return undefined;
    const behind = this.#behind;
    const nowMs = this.#clock.monotonicMs();
    if (behind !== undefined && nowMs - behind.sinceMs >= BEHIND_MS) {
      const what = `ZooKeeper (${this.#options.connect}) knows less (transaction ${hex(behind.zxid)}) than this broker has seen (${hex(this.#lastZxid)}): were its data wiped, or restored from an old copy?`;
      return { kind: 'behind', sinceMs: behind.sinceMs, what };
    }
    if (nowMs - this.#awaySinceMs < AWAY_MS) return undefined;
    const reasons = [...this.#reasons].map(([server, reason]) => `${server}: ${reason}`).join('; ');
    const what = `no majority of ZooKeeper servers (${this.#options.connect}) serves${reasons === '' ? '' : ` (${reasons})`}`;
    return { kind: 'unreachable', sinceMs: this.#awaySinceMs, what };
  }

  onState(listener: (state: SessionState) => void): () => void {
    this.#listeners.add(listener);
    return () => {
      this.#listeners.delete(listener);
    };
  }

  async makeRoot(): Promise<void> {
    const names = this.#address.root.split('/').slice(1);
    for (let count = 1; count <= names.length; count++) {
      const path = `/${names.slice(0, count).join('/')}`;
      await this.#createAt(path, Buffer.alloc(0), {}).catch((error: unknown) => {
        if (!failedWith(error, 'NODE_EXISTS')) throw error;
      });
    }
  }

  create(path: string, data: Buffer, options: CreateOptions = {}): Promise<{ path: string; stat: Stat }> {
    return this.#createAt(this.#outer(path, options.sequential === true), data, options);
  }

  #createAt(path: string, data: Buffer, options: CreateOptions): Promise<{ path: string; stat: Stat }> {
    const complete = this.#withAcl(options);
    return this.#ask(
      { kind: OP.CREATE_2, what: `create ${path}`, write: (writer) => writeCreate(writer, path, data, complete) },
      (reader) => ({ path: this.#inner(reader.string()), stat: readStat(reader) }),
    );
  }

  #withAcl(options: CreateOptions = {}): CreateOptions {
    const { acl } = this.#options;
    return acl === undefined ? options : { acl, ...options };
  }

  async delete(path: string, version = ANY_VERSION): Promise<void> {
    const outer = this.#outer(path);
    await this.#ask(
      { kind: OP.DELETE, what: `delete ${outer}`, write: (writer) => writer.string(outer).int(version) },
      () => undefined,
    );
  }

  exists(path: string, watcher?: Watcher): Promise<Stat | undefined> {
    const outer = this.#outer(path);
    return this.#ask<Stat | undefined>(
      {
        kind: OP.EXISTS,
        what: `exists ${outer}`,
        write: (writer) => writer.string(outer).bool(watcher !== undefined),
        refused: (reason) => {
          if (reason !== 'NO_NODE') return false;
          if (watcher !== undefined) this.#watches.add('absent', outer, watcher);
          return true;
        },
      },
      (reader) => {
        if (watcher !== undefined) this.#watches.add('data', outer, watcher);
        return readStat(reader);
      },
    );
  }

  getData(path: string, watcher?: Watcher): Promise<{ data: Buffer; stat: Stat }> {
    const outer = this.#outer(path);
    return this.#ask(
      {
        kind: OP.GET_DATA,
        what: `read ${outer}`,
        write: (writer) => writer.string(outer).bool(watcher !== undefined),
      },
      (reader) => {
        if (watcher !== undefined) this.#watches.add('data', outer, watcher);
        return { data: reader.buffer(), stat: readStat(reader) };
      },
    );
  }

  setData(path: string, data: Buffer, version = ANY_VERSION): Promise<Stat> {
    const outer = this.#outer(path);
    return this.#ask(
      {
        kind: OP.SET_DATA,
        what: `write ${outer}`,
        write: (writer) => writer.string(outer).buffer(data).int(version),
      },
      readStat,
    );
  }

  getChildren(path: string, watcher?: Watcher): Promise<{ children: readonly string[]; stat: Stat }> {
    const outer = this.#outer(path);
    return this.#ask(
      {
        kind: OP.GET_CHILDREN_2,
        what: `list ${outer}`,
        write: (writer) => writer.string(outer).bool(watcher !== undefined),
      },
      (reader) => {
        if (watcher !== undefined) this.#watches.add('children', outer, watcher);
        return { children: reader.vector(() => reader.string()), stat: readStat(reader) };
      },
    );
  }

  multi(operations: readonly Operation[]): Promise<MultiReply> {
    assert(operations.length > 0, 'a multi has operations');
    const outer = operations.map((operation): Operation => {
      if (operation.kind !== 'create') return { ...operation, path: this.#outer(operation.path) };
      const options = this.#withAcl(operation.options);
      return { ...operation, path: this.#outer(operation.path, options.sequential === true), options };
    });
    const what = `a write of ${operations.length} operations`;
    const partOf = (index: number): string => `${what}, ${outer[index]?.kind} ${outer[index]?.path}`;
    return this.#ask({ kind: OP.MULTI, what, write: (writer) => writeMulti(writer, outer) }, (reader, { zxid }) => {
      const results = readMulti(reader, partOf).map((result) =>
        result.kind === 'create' ? { ...result, path: this.#inner(result.path) } : result,
      );
      return { zxid, results };
    });
  }

  async sync(path: string): Promise<void> {
    const outer = this.#outer(path);
    await this.#ask({ kind: OP.SYNC, what: `sync ${outer}`, write: (writer) => writer.string(outer) }, () => undefined);
  }

  /** A path as the servers know it. */
  #outer(path: string, isPrefix = false): string {
    assert(isPath(isPrefix ? `${path}0` : path), `${JSON.stringify(path)} is the path of a znode`);
    const { root } = this.#address;
    if (root === '') return path;
    return path === '/' ? root : root + path;
  }

  #inner(path: string): string {
    const { root } = this.#address;
    if (root === '' || !path.startsWith(root)) return path;
    return path.length === root.length ? '/' : path.slice(root.length);
  }

  /** `refused` may turn a reason into the answer undefined. */
  #ask<T>(
    request: Pick<Request, 'kind' | 'what' | 'write'> & { readonly refused?: (reason: ZooKeeperReason) => boolean },
    read: (reader: JuteReader, header: ReplyHeader) => T,
  ): Promise<T> {
    return new Promise((resolve, reject) => {
      const { kind, what, write, refused } = request;
      const accept = (header: ReplyHeader, reader: JuteReader): void => {
        const reason = reasonOf(header.error);
        if (header.error === 0) resolve(read(reader, header));
        else if (refused?.(reason) === true) resolve(undefined as T);
        else reject(new ZooKeeperError(reason, what));
      };
      const dueMs = this.#clock.monotonicMs() + this.#options.connectionTimeoutMs;
      this.#submit({ kind, what, write, accept, reject, dueMs, xid: 0 });
    });
  }

  #submit(request: Request): void {
    const ended = this.#closing ? 'SESSION_CLOSED' : END_REASONS[this.#state];
    if (ended !== undefined) request.reject(new ZooKeeperError(ended, request.what));
    else if (this.#queue.length >= MOST_QUEUED) request.reject(new ZooKeeperError('NOT_CONNECTED', request.what));
    else {
      this.#queue.push(request);
      this.#pump();
    }
  }

  /** Sends what waits, as far as the limit allows. */
  #pump(): void {
    const { maxInFlight, maxRequestBytes = DEFAULT_MAX_REQUEST_BYTES } = this.#options;
    while (this.#state === 'connected' && this.#queue.length > 0 && this.#inFlight.length < maxInFlight) {
      const request = this.#queue.shift()!;
      const frame = this.#frame(request);
      if (frame.length - 4 > maxRequestBytes) {
        request.reject(new ZooKeeperError('TOO_LARGE', `${request.what}, ${frame.length} bytes`));
        continue;
      }
      this.#inFlight.push(request);
      this.#connection!.write(frame);
    }
  }

  #frame(request: Request): Buffer {
    this.#lastXid = this.#lastXid === LARGEST_XID ? 1 : this.#lastXid + 1;
    request.xid = this.#lastXid;
    const writer = writeHeader(new JuteWriter(), request.xid, request.kind);
    request.write(writer);
    return writer.frame();
  }

  #connectNext(): void {
    const server = this.#servers[this.#nextServer]!;
    this.#nextServer = (this.#nextServer + 1) % this.#servers.length;
    const session = {
      lastZxid: this.#lastZxid,
      timeoutMs: this.#options.sessionTimeoutMs,
      sessionId: this.#sessionId,
      password: this.#password,
    };
    this.#connection = new Connection({ server, session }, this.#dependencies, {
      onPresented: (reply) => this.#presented(reply),
      onReply: (header, reader) => this.#received(header, reader),
      onLost: (why) => this.#lost(why),
    });
  }

  #presented({ timeoutMs, sessionId, password }: ConnectReply): void {
    if (timeoutMs <= 0) {
      this.#end('expired');
      return;
    }
    this.#failures = 0;
    this.#sessionId = sessionId;
    this.#password = password;
    this.#timeoutMs = timeoutMs;
    const connection = this.#connection!;
    const { auth } = this.#options;
    if (auth !== undefined) connection.write(encodeAuth(auth.scheme, auth.secret));
    for (const portion of this.#watches.portions()) connection.write(encodeSetWatches(this.#lastZxid, portion));
    const awayMs = this.#clock.monotonicMs() - this.#awaySinceMs;
    const isBack = this.#lostAnnounced;
    this.#lostAnnounced = false;
    this.#behind = undefined;
    this.#reasons.clear();
    this.#dependencies.logger[isBack ? 'info' : 'debug'](
      isBack ? 'connected to ZooKeeper again' : 'connected to ZooKeeper',
      {
        server: addressText(connection.server),
        ...(isBack ? { awayMs: Math.round(awayMs) } : {}),
      },
    );
    this.#become('connected');
    this.#pump();
  }

  #received(header: ReplyHeader, reader: JuteReader): void {
    if (header.xid === XID.NOTIFICATION) {
      const event = readEvent(reader);
      if (event === undefined) return;
      const told = { type: event.type, path: this.#inner(event.path) };
      for (const watcher of this.#watches.take(event)) watcher(told);
      return;
    }
    if (header.zxid > 0) this.#lastZxid = header.zxid;
    if (header.xid === XID.AUTH) {
      if (header.error !== 0) this.#end('refused');
      return;
    }
    if (header.xid < 0) return;
    const request = this.#inFlight.shift();
    if (request === undefined || request.xid !== header.xid) {
      if (request !== undefined) this.#inFlight.unshift(request);
      throw new MalformedJute(`reply ${header.xid} is out of line`);
    }
    try {
      request.accept(header, reader);
    } catch (error) {
      if (error instanceof ZooKeeperError) request.reject(error);
      else {
        request.reject(new ZooKeeperError('CONNECTION_LOSS', request.what, { cause: error }));
        throw error;
      }
    }
    this.#pump();
  }

  /** The connection is gone. What it carried is uncertain; what waited was made in sight of that, and goes with it. */
  #lost(why: string): void {
    const wasConnected = this.#state === 'connected';
    const connection = this.#connection;
    if (connection?.presented === true) this.#lastHeardMs = connection.heardMs;
    if (wasConnected) this.#awaySinceMs = this.#clock.monotonicMs();
    if (connection !== undefined) this.#reasons.set(addressText(connection.server), why);
    this.#connection = undefined;
    this.#rejectAll(wasConnected ? 'NOT_CONNECTED' : undefined);
    if (END_REASONS[this.#state] !== undefined) return;
    if (wasConnected) {
      this.#lostAnnounced = true;
      this.#dependencies.logger.warn('lost the connection to ZooKeeper', { reason: why });
    } else {
      this.#failures++;
      this.#dependencies.logger.debug('cannot connect to ZooKeeper', { reason: why });
    }
    const round = this.#failures > 0 && this.#failures % this.#servers.length === 0;
    if (round && this.#lastZxid > 0) void this.#askWhetherBehind();
    const pauseMs = round ? MIN_PAUSE_MS + this.#dependencies.random.below(MAX_PAUSE_MS - MIN_PAUSE_MS) : 0;
    const again = (): void => {
      this.#retry = undefined;
      this.#connectNext();
    };
    this.#retry = this.#clock.after(pauseMs, again, { holdsProcess: true });
    if (wasConnected) this.#become('connecting');
  }

  /** Servers that serve others and not us have lost what we have seen, or not caught up with it yet. */
  async #askWhetherBehind(): Promise<void> {
    if (this.#checking) return;
    this.#checking = true;
    const asked = this.#servers.map((server) => newestKnownTo(server, CHECK_TIMEOUT_MS, this.#dependencies));
    const known = (await Promise.all(asked)).filter((zxid) => zxid !== undefined);
    const newest = Math.max(...known);
    if (known.length === 0 || newest >= this.#lastZxid || this.#state !== 'connecting') this.#behind = undefined;
    else this.#behind = { sinceMs: this.#behind?.sinceMs ?? this.#clock.monotonicMs(), zxid: newest };
    this.#clock.after(CHECK_PAUSE_MS, () => {
      this.#checking = false;
    });
  }

  /** What is in flight in any case, what waits for this reason. */
  #rejectAll(waiting: ZooKeeperReason | undefined): void {
    const inFlight = this.#inFlight;
    this.#inFlight = [];
    const queue = waiting === undefined ? [] : this.#queue;
    if (waiting !== undefined) this.#queue = [];
    for (const request of inFlight) request.reject(new ZooKeeperError('CONNECTION_LOSS', request.what));
    for (const request of queue) request.reject(new ZooKeeperError(waiting!, request.what));
  }

  #tick(): void {
    const nowMs = this.#clock.monotonicMs();
    while (this.#queue.length > 0 && this.#state === 'connecting' && this.#queue[0]!.dueMs <= nowMs) {
      const request = this.#queue.shift()!;
      request.reject(new ZooKeeperError('NOT_CONNECTED', request.what));
    }
    const connection = this.#connection;
    if (connection === undefined) return;
    if (!connection.presented) {
      if (nowMs - connection.startedMs > this.#timeoutMs / this.#servers.length) connection.fail('no answer in time');
    } else if (nowMs - connection.heardMs > this.#timeoutMs * SILENCE_SHARE) {
      connection.fail('the server was silent for too long');
    } else if (nowMs - Math.min(connection.sentMs, connection.heardMs) > this.#timeoutMs * PING_SHARE * PING_SLACK) {
      connection.write(encodePing());
    }
  }

  #become(state: SessionState): void {
    this.#state = state;
    for (const listener of [...this.#listeners]) listener(state);
  }

  #end(state: 'expired' | 'refused' | 'closed'): void {
    this.#ticker.cancel();
    this.#retry?.cancel();
    this.#connection?.destroy();
    this.#connection = undefined;
    this.#watches.clear();
    this.#rejectAll(END_REASONS[state]);
    this.#become(state);
  }

  async close(): Promise<void> {
    if (this.#closing || END_REASONS[this.#state] !== undefined) return;
    this.#closing = true;
    const connection = this.#connection;
    if (this.#state === 'connected' && connection !== undefined) {
      const queue = this.#queue;
      this.#queue = [];
      for (const request of queue) request.reject(new ZooKeeperError('SESSION_CLOSED', request.what));
      await this.#farewell(connection);
    }
    if (END_REASONS[this.#state] === undefined) this.#end('closed');
  }

  /** Resolves once the server has ended the session, or will not tell. */
  #farewell(connection: Connection): Promise<void> {
    return new Promise((resolve) => {
      const timer = this.#clock.after(CLOSE_TIMEOUT_MS, resolve, { holdsProcess: true });
      const done = (): void => {
        timer.cancel();
        resolve();
      };
      const request = { kind: OP.CLOSE_SESSION, what: 'close', write: () => undefined, dueMs: 0, xid: 0 };
      const farewell: Request = { ...request, accept: done, reject: done };
      connection.write(this.#frame(farewell));
      this.#inFlight.push(farewell);
    });
  }
}

/** Why a request is refused in a state that is for good. */
const END_REASONS: Partial<Record<SessionState, ZooKeeperReason>> = {
  expired: 'SESSION_EXPIRED',
  refused: 'AUTH_FAILED',
  closed: 'SESSION_CLOSED',
};

function addressText({ host, port }: ServerAddress): string {
  return `${host}:${port}`;
}

function hex(zxid: number): string {
  return `0x${zxid.toString(16)}`;
}

function shuffled<T>(values: readonly T[], random: Random): T[] {
  const order = [...values];
  for (let last = order.length - 1; last > 0; last--) {
    const other = random.below(last + 1);
    [order[last], order[other]] = [order[other]!, order[last]!];
  }
  return order;
}
