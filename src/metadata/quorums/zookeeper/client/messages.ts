/**
 * The messages of ZooKeeper's protocol (zookeeper.jute) that this program uses. A request is a transaction number of
 * the client (xid), the kind of operation and its fields; a reply is the xid, the server's transaction (zxid), an error
 * and, where there is none, the fields of the result. Paths here are as the servers know them.
 */
import { unreachable } from '../../../../base/assert.ts';
import { reasonOf, ZooKeeperError } from './errors.ts';
import { type JuteReader, JuteWriter, MalformedJute } from './jute.ts';
import {
  type Acl,
  ANY_VERSION,
  type CreateOptions,
  OPEN_TO_ALL,
  type Operation,
  type OperationResult,
  type SessionId,
  type Stat,
  type WatchEvent,
  type WatchEventType,
} from './zookeeper.ts';

export const OP = {
  CREATE: 1,
  DELETE: 2,
  EXISTS: 3,
  GET_DATA: 4,
  SET_DATA: 5,
  SYNC: 9,
  PING: 11,
  GET_CHILDREN_2: 12,
  CHECK: 13,
  MULTI: 14,
  CREATE_2: 15,
  AUTH: 100,
  SET_WATCHES: 101,
  CLOSE_SESSION: -11,
  ERROR: -1,
} as const;

/** Numbers of messages that are no answer to a request in line. */
export const XID = { NOTIFICATION: -1, PING: -2, AUTH: -4, SET_WATCHES: -8 } as const;

export const PASSWORD_BYTES = 16;

export interface ConnectRequest {
  /** Servers that are behind this refuse us: we would see time run backwards. */
  readonly lastZxid: number;
  readonly timeoutMs: number;
  readonly sessionId: SessionId;
  readonly password: Buffer;
}

export interface ConnectReply {
  /** 0 or less where the session is no more. */
  readonly timeoutMs: number;
  readonly sessionId: SessionId;
  readonly password: Buffer;
}

export function encodeConnect(request: ConnectRequest): Buffer {
  const { lastZxid, timeoutMs, sessionId, password } = request;
  return new JuteWriter().int(0).long(lastZxid).int(timeoutMs).bigLong(sessionId).buffer(password).bool(false).frame();
}

export function decodeConnectReply(reader: JuteReader): ConnectReply {
  reader.int();
  const timeoutMs = reader.int();
  const sessionId = reader.bigLong();
  return { timeoutMs, sessionId, password: reader.buffer() };
}

export function encodePing(): Buffer {
  return new JuteWriter().int(XID.PING).int(OP.PING).frame();
}

export function encodeAuth(scheme: string, secret: string): Buffer {
  return new JuteWriter().int(XID.AUTH).int(OP.AUTH).int(0).string(scheme).buffer(Buffer.from(secret)).frame();
}

export interface WatchedPaths {
  readonly data: readonly string[];
  /** Paths that did not exist when they were watched. */
  readonly absent: readonly string[];
  readonly children: readonly string[];
}

/** Asks a new server to watch what the one before watched, and to tell at once what changed since `lastZxid`. */
export function encodeSetWatches(lastZxid: number, { data, absent, children }: WatchedPaths): Buffer {
  const writer = new JuteWriter().int(XID.SET_WATCHES).int(OP.SET_WATCHES).long(lastZxid);
  for (const paths of [data, absent, children]) writer.vector(paths, (path) => writer.string(path));
  return writer.frame();
}

export function writeHeader(writer: JuteWriter, xid: number, kind: number): JuteWriter {
  return writer.int(xid).int(kind);
}

/** What a sequential or ephemeral znode is marked with. */
export function createFlags({ ephemeral = false, sequential = false }: CreateOptions): number {
  return (ephemeral ? 1 : 0) | (sequential ? 2 : 0);
}

export function writeCreate(writer: JuteWriter, path: string, data: Buffer, options: CreateOptions = {}): void {
  writer.string(path).buffer(data);
  writeAcl(writer, options.acl ?? OPEN_TO_ALL);
  writer.int(createFlags(options));
}

function writeAcl(writer: JuteWriter, acl: readonly Acl[]): void {
  writer.vector(acl, ({ permissions, scheme, id }) => writer.int(permissions).string(scheme).string(id));
}

const OPERATION_KINDS: Record<Operation['kind'], number> = {
  create: OP.CREATE,
  delete: OP.DELETE,
  setData: OP.SET_DATA,
  check: OP.CHECK,
};

export function writeMulti(writer: JuteWriter, operations: readonly Operation[]): void {
  for (const operation of operations) {
    writer.int(OPERATION_KINDS[operation.kind]).bool(false).int(-1);
    writeOperation(writer, operation);
  }
  writer.int(-1).bool(true).int(-1);
}

function writeOperation(writer: JuteWriter, operation: Operation): void {
  switch (operation.kind) {
    case 'create':
      writeCreate(writer, operation.path, operation.data, operation.options);
      break;
    case 'delete':
      writer.string(operation.path).int(operation.version ?? ANY_VERSION);
      break;
    case 'setData':
      writer
        .string(operation.path)
        .buffer(operation.data)
        .int(operation.version ?? ANY_VERSION);
      break;
    case 'check':
      writer.string(operation.path).int(operation.version);
      break;
    default:
      unreachable(operation, 'every operation of a multi is written');
  }
}

export interface ReplyHeader {
  readonly xid: number;
  readonly zxid: number;
  readonly error: number;
}

export function readReplyHeader(reader: JuteReader): ReplyHeader {
  const xid = reader.int();
  const zxid = reader.long();
  return { xid, zxid, error: reader.int() };
}

export function readStat(reader: JuteReader): Stat {
  const czxid = reader.long();
  const mzxid = reader.long();
  const ctimeMs = reader.long();
  const mtimeMs = reader.long();
  const version = reader.int();
  const childVersion = reader.int();
  const aclVersion = reader.int();
  const ephemeralOwner = reader.bigLong();
  const dataLength = reader.int();
  const children = reader.int();
  const pzxid = reader.long();
  return {
    czxid,
    mzxid,
    pzxid,
    ctimeMs,
    mtimeMs,
    version,
    childVersion,
    aclVersion,
    ephemeralOwner,
    dataLength,
    children,
  };
}

/** Throws a ZooKeeperError where the multi was refused; `what` describes one of its operations. */
export function readMulti(reader: JuteReader, what: (operation: number) => string): OperationResult[] {
  const results: OperationResult[] = [];
  for (let index = 0; ; index++) {
    const kind = reader.int();
    const done = reader.bool();
    const error = reader.int();
    if (done) return results;
    if (kind === OP.ERROR) {
      const code = reader.int();
      // The operations before the one that failed are told as errors too, of code 0.
      if (code !== 0) throw new ZooKeeperError(reasonOf(code), what(index), { failedOperation: index });
      continue;
    }
    if (error !== 0) throw new ZooKeeperError(reasonOf(error), what(index), { failedOperation: index });
    results.push(readResult(reader, kind));
  }
}

function readResult(reader: JuteReader, kind: number): OperationResult {
  switch (kind) {
    case OP.CREATE:
      return { kind: 'create', path: reader.string() };
    case OP.DELETE:
      return { kind: 'delete' };
    case OP.SET_DATA:
      return { kind: 'setData', stat: readStat(reader) };
    case OP.CHECK:
      return { kind: 'check' };
    default:
      throw new MalformedJute(`a multi was answered with an operation of kind ${kind}`);
  }
}

const EVENT_TYPES: ReadonlyMap<number, WatchEventType> = new Map([
  [1, 'created'],
  [2, 'deleted'],
  [3, 'dataChanged'],
  [4, 'childrenChanged'],
]);

/** Undefined for an event that is none of a znode's. */
export function readEvent(reader: JuteReader): WatchEvent | undefined {
  const type = EVENT_TYPES.get(reader.int());
  reader.int();
  const path = reader.string();
  return type === undefined ? undefined : { type, path };
}

/** The number of an event's type. */
export function codeOfEvent(type: WatchEventType): number {
  for (const [code, name] of EVENT_TYPES) if (name === type) return code;
  return 0;
}
