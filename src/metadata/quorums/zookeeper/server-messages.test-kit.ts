/** The servers' side of the messages in client/messages.ts: requests read, replies written. */
import { assert } from '../../../base/assert.ts';
import { codeOfReason } from './client/errors.ts';
import { type JuteReader, JuteWriter } from './client/jute.ts';
import { type ConnectReply, type ConnectRequest, codeOfEvent, OP, type WatchedPaths, XID } from './client/messages.ts';
import type { CreateOptions, Operation, OperationResult, Stat, WatchEvent } from './client/zookeeper.ts';
import type { Refused } from './znode-tree.test-kit.ts';

export function readConnect(reader: JuteReader): ConnectRequest {
  reader.int();
  const lastZxid = reader.long();
  const timeoutMs = reader.int();
  const sessionId = reader.bigLong();
  const password = reader.buffer();
  reader.bool();
  assert(reader.left === 0, 'a request to connect is read whole');
  return { lastZxid, timeoutMs, sessionId, password };
}

export function connectReply({ timeoutMs, sessionId, password }: ConnectReply): Buffer {
  return new JuteWriter().int(0).int(timeoutMs).bigLong(sessionId).buffer(password).bool(false).frame();
}

export type ServerRequest =
  | { readonly kind: 'write'; readonly multi: boolean; readonly withStat: boolean; readonly operations: Operation[] }
  | { readonly kind: 'exists' | 'getData' | 'getChildren'; readonly path: string; readonly watch: boolean }
  | { readonly kind: 'sync'; readonly path: string }
  | { readonly kind: 'setWatches'; readonly lastZxid: number; readonly watched: WatchedPaths }
  | { readonly kind: 'ping' | 'auth' | 'close' };

export function readRequest(reader: JuteReader, kind: number): ServerRequest {
  switch (kind) {
    case OP.PING:
      return { kind: 'ping' };
    case OP.AUTH:
      return { kind: 'auth' };
    case OP.CLOSE_SESSION:
      return { kind: 'close' };
    case OP.SYNC:
      return { kind: 'sync', path: reader.string() };
    case OP.EXISTS:
      return { kind: 'exists', path: reader.string(), watch: reader.bool() };
    case OP.GET_DATA:
      return { kind: 'getData', path: reader.string(), watch: reader.bool() };
    case OP.GET_CHILDREN_2:
      return { kind: 'getChildren', path: reader.string(), watch: reader.bool() };
    case OP.SET_WATCHES: {
      const lastZxid = reader.long();
      const paths = (): string[] => reader.vector(() => reader.string());
      return { kind: 'setWatches', lastZxid, watched: { data: paths(), absent: paths(), children: paths() } };
    }
    case OP.MULTI:
      return { kind: 'write', multi: true, withStat: false, operations: readOperations(reader) };
    default:
      return { kind: 'write', multi: false, withStat: kind === OP.CREATE_2, operations: [readOperation(reader, kind)] };
  }
}

function readOperations(reader: JuteReader): Operation[] {
  const operations: Operation[] = [];
  for (;;) {
    const kind = reader.int();
    const done = reader.bool();
    reader.int();
    if (done) return operations;
    operations.push(readOperation(reader, kind));
  }
}

function readOperation(reader: JuteReader, kind: number): Operation {
  const path = reader.string();
  switch (kind) {
    case OP.CREATE:
    case OP.CREATE_2: {
      const data = reader.buffer();
      reader.vector(() => [reader.int(), reader.string(), reader.string()]);
      const flags = reader.int();
      const options: CreateOptions = { ephemeral: (flags & 1) !== 0, sequential: (flags & 2) !== 0 };
      return { kind: 'create', path, data, options };
    }
    case OP.DELETE:
      return { kind: 'delete', path, version: reader.int() };
    case OP.SET_DATA: {
      const data = reader.buffer();
      return { kind: 'setData', path, data, version: reader.int() };
    }
    case OP.CHECK:
      return { kind: 'check', path, version: reader.int() };
    default:
      throw new Error(`operation ${kind} is not served`);
  }
}

/** Begins a reply: what follows are the fields of its result. */
export function reply(xid: number, zxid: number, error = 0): JuteWriter {
  return new JuteWriter().int(xid).long(zxid).int(error);
}

export function writeStat(writer: JuteWriter, stat: Stat): JuteWriter {
  return writer
    .long(stat.czxid)
    .long(stat.mzxid)
    .long(stat.ctimeMs)
    .long(stat.mtimeMs)
    .int(stat.version)
    .int(stat.childVersion)
    .int(stat.aclVersion)
    .bigLong(stat.ephemeralOwner)
    .int(stat.dataLength)
    .int(stat.children)
    .long(stat.pzxid);
}

export function writeResult(writer: JuteWriter, result: OperationResult): JuteWriter {
  if (result.kind === 'create') writer.string(result.path);
  if (result.kind === 'setData') writeStat(writer, result.stat);
  return writer;
}

const RESULT_KINDS = { create: OP.CREATE, delete: OP.DELETE, setData: OP.SET_DATA, check: OP.CHECK } as const;

export function writeMultiResults(writer: JuteWriter, results: readonly OperationResult[]): JuteWriter {
  for (const result of results) writeResult(writer.int(RESULT_KINDS[result.kind]).bool(false).int(0), result);
  return writer.int(-1).bool(true).int(-1);
}

/** The operations before the one that failed are told as errors of code 0, those after it as not tried. */
export function writeMultiRefusal(writer: JuteWriter, count: number, refused: Refused): JuteWriter {
  for (let index = 0; index < count; index++) {
    const { failedOperation, reason } = refused;
    let code = 0;
    if (index === failedOperation) code = codeOfReason(reason);
    else if (index > failedOperation) code = codeOfReason('RUNTIME_INCONSISTENCY');
    writer.int(OP.ERROR).bool(false).int(code).int(code);
  }
  return writer.int(-1).bool(true).int(-1);
}

export function notification({ type, path }: WatchEvent): Buffer {
  return reply(XID.NOTIFICATION, -1).int(codeOfEvent(type)).int(3).string(path).frame();
}
