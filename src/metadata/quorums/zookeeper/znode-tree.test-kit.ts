/**
 * The state that a ZooKeeper ensemble agrees on, with the rules by which operations change it. Pure but for what it
 * holds: knows no sessions' lives, no connections, no watchers; tells what happened.
 */
import { unreachable } from '../../../base/assert.ts';
import type { ZooKeeperReason } from './client/errors.ts';
import {
  ANY_VERSION,
  type CreateOptions,
  type Operation,
  type OperationResult,
  type SessionId,
  type Stat,
  type WatchEvent,
} from './client/zookeeper.ts';

interface Znode {
  data: Buffer;
  czxid: number;
  mzxid: number;
  pzxid: number;
  ctimeMs: number;
  mtimeMs: number;
  version: number;
  /** Children ever created; the numbers of sequential ones come from it. */
  creations: number;
  ephemeralOwner: SessionId;
  readonly children: Set<string>;
}

/** Why an operation cannot be. */
export class Refused extends Error {
  override readonly name = 'Refused';
  readonly reason: ZooKeeperReason;
  readonly failedOperation: number;

  constructor(reason: ZooKeeperReason, failedOperation = 0) {
    super(reason);
    this.reason = reason;
    this.failedOperation = failedOperation;
  }
}

export interface Transaction {
  readonly zxid: number;
  readonly results: readonly OperationResult[];
  /** In order; who watches the parent of what was created or deleted is told too. */
  readonly events: readonly WatchEvent[];
}

export class ZnodeTree {
  readonly #nodes = new Map<string, Znode>();
  #zxid = 0;
  /** Znodes as they were before the transaction under way; undefined where there was none. */
  #before = new Map<string, Znode | undefined>();

  constructor() {
    this.#nodes.set('/', newNode(Buffer.alloc(0), { zxid: 0, nowMs: 0, owner: 0n }));
  }

  get zxid(): number {
    return this.#zxid;
  }

  /** A new leader begins: transactions are numbered from its epoch on. */
  beginEpoch(): void {
    this.#zxid = (Math.floor(this.#zxid / 2 ** 32) + 1) * 2 ** 32;
  }

  paths(): string[] {
    return [...this.#nodes.keys()];
  }

  stat(path: string): Stat | undefined {
    const node = this.#nodes.get(path);
    return node === undefined ? undefined : statOf(node);
  }

  data(path: string): Buffer | undefined {
    return this.#nodes.get(path)?.data;
  }

  children(path: string): string[] | undefined {
    const node = this.#nodes.get(path);
    return node === undefined ? undefined : [...node.children];
  }

  ephemerals(owner: SessionId): string[] {
    return [...this.#nodes].filter(([, node]) => node.ephemeralOwner === owner).map(([path]) => path);
  }

  /** All operations or none: throws Refused. A refused transaction has its number too. */
  transact(operations: readonly Operation[], by: { readonly session: SessionId; readonly nowMs: number }): Transaction {
    const zxid = ++this.#zxid;
    const results: OperationResult[] = [];
    const events: WatchEvent[] = [];
    this.#before.clear();
    for (const [index, operation] of operations.entries()) {
      try {
        results.push(this.#apply(operation, { ...by, zxid, events }));
      } catch (error) {
        if (!(error instanceof Refused)) throw error;
        for (const [path, node] of this.#before) {
          if (node === undefined) this.#nodes.delete(path);
          else this.#nodes.set(path, node);
        }
        throw new Refused(error.reason, index);
      }
    }
    return { zxid, results, events };
  }

  #apply(operation: Operation, within: Within): OperationResult {
    const { path } = operation;
    switch (operation.kind) {
      case 'create':
        return { kind: 'create', path: this.#create(path, operation.data, operation.options ?? {}, within) };
      case 'delete':
        this.#delete(path, operation.version ?? ANY_VERSION, within);
        return { kind: 'delete' };
      case 'setData': {
        checkVersion(this.#get(path), operation.version ?? ANY_VERSION);
        const node = this.#change(path);
        node.data = operation.data;
        node.version++;
        node.mzxid = within.zxid;
        node.mtimeMs = within.nowMs;
        within.events.push({ type: 'dataChanged', path });
        return { kind: 'setData', stat: statOf(node) };
      }
      case 'check':
        checkVersion(this.#get(path), operation.version);
        return { kind: 'check' };
      default:
        return unreachable(operation, 'every operation is known');
    }
  }

  #create(wanted: string, data: Buffer, { ephemeral, sequential }: CreateOptions, within: Within): string {
    const parentPath = parentOf(wanted);
    const number = this.#get(parentPath).creations;
    const path = sequential === true ? wanted + String(number).padStart(10, '0') : wanted;
    if (this.#nodes.has(path)) throw new Refused('NODE_EXISTS');
    if (this.#get(parentPath).ephemeralOwner !== 0n) throw new Refused('NO_CHILDREN_FOR_EPHEMERALS');
    const parent = this.#change(parentPath);
    parent.children.add(path.slice(path.lastIndexOf('/') + 1));
    parent.creations++;
    parent.pzxid = within.zxid;
    this.#remember(path);
    const owner = ephemeral === true ? within.session : 0n;
    this.#nodes.set(path, newNode(data, { zxid: within.zxid, nowMs: within.nowMs, owner }));
    within.events.push({ type: 'created', path }, { type: 'childrenChanged', path: parentPath });
    return path;
  }

  #delete(path: string, version: number, within: Within): void {
    if (path === '/') throw new Refused('BAD_ARGUMENTS');
    const parentPath = parentOf(path);
    this.#get(parentPath);
    const node = this.#get(path);
    checkVersion(node, version);
    if (node.children.size > 0) throw new Refused('NOT_EMPTY');
    const parent = this.#change(parentPath);
    parent.children.delete(path.slice(path.lastIndexOf('/') + 1));
    parent.pzxid = within.zxid;
    this.#remember(path);
    this.#nodes.delete(path);
    within.events.push({ type: 'deleted', path }, { type: 'childrenChanged', path: parentPath });
  }

  #get(path: string): Znode {
    const node = this.#nodes.get(path);
    if (node === undefined) throw new Refused('NO_NODE');
    return node;
  }

  #remember(path: string): void {
    if (!this.#before.has(path)) this.#before.set(path, this.#nodes.get(path));
  }

  /** A copy that takes the znode's place and may be changed. */
  #change(path: string): Znode {
    const node = this.#get(path);
    this.#remember(path);
    const copy = { ...node, children: new Set(node.children) };
    this.#nodes.set(path, copy);
    return copy;
  }
}

interface Within {
  readonly session: SessionId;
  readonly nowMs: number;
  readonly zxid: number;
  readonly events: WatchEvent[];
}

export function parentOf(path: string): string {
  const slash = path.lastIndexOf('/');
  return slash === 0 ? '/' : path.slice(0, slash);
}

function checkVersion(node: Znode, version: number): void {
  if (version !== ANY_VERSION && version !== node.version) throw new Refused('BAD_VERSION');
}

function newNode(
  data: Buffer,
  { zxid, nowMs, owner }: { readonly zxid: number; readonly nowMs: number; readonly owner: SessionId },
): Znode {
  return {
    data,
    czxid: zxid,
    mzxid: zxid,
    pzxid: zxid,
    ctimeMs: nowMs,
    mtimeMs: nowMs,
    version: 0,
    creations: 0,
    ephemeralOwner: owner,
    children: new Set(),
  };
}

function statOf(node: Znode): Stat {
  return {
    czxid: node.czxid,
    mzxid: node.mzxid,
    pzxid: node.pzxid,
    ctimeMs: node.ctimeMs,
    mtimeMs: node.mtimeMs,
    version: node.version,
    // What clients are told counts deletions too.
    childVersion: 2 * node.creations - node.children.size,
    aclVersion: 0,
    ephemeralOwner: node.ephemeralOwner,
    dataLength: node.data.length,
    children: node.children.size,
  };
}
