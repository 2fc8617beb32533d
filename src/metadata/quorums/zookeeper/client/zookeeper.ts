/**
 * What this program asks of ZooKeeper. One `ZooKeeper` is one session: it goes from server to server, and when it has
 * expired it is of no use any more and its owner begins another from scratch. Paths are below the root of the connect
 * string.
 */

/** 0n where a znode is not ephemeral, and before a session is established. */
export type SessionId = bigint;

export interface Stat {
  /** Transaction that created the znode; rises with every creation, so that it tells one life of a path from the next. */
  readonly czxid: number;
  /** Transaction that set its data last. */
  readonly mzxid: number;
  /** Transaction that changed its children last. */
  readonly pzxid: number;
  readonly ctimeMs: number;
  readonly mtimeMs: number;
  /** How often its data were set. */
  readonly version: number;
  readonly childVersion: number;
  readonly aclVersion: number;
  readonly ephemeralOwner: SessionId;
  readonly dataLength: number;
  readonly children: number;
}

/** Who may do what with a znode. `permissions`: 1 read, 2 write, 4 create, 8 delete, 16 administer. */
export interface Acl {
  readonly permissions: number;
  readonly scheme: string;
  readonly id: string;
}

export const OPEN_TO_ALL: readonly Acl[] = [{ permissions: 31, scheme: 'world', id: 'anyone' }];
/** The creator alone, who must have authenticated. */
export const CREATOR_ONLY: readonly Acl[] = [{ permissions: 31, scheme: 'auth', id: '' }];
export const CREATOR_AND_READERS: readonly Acl[] = [...CREATOR_ONLY, { permissions: 1, scheme: 'world', id: 'anyone' }];

export interface CreateOptions {
  /** Deleted with the session. */
  readonly ephemeral?: boolean;
  /** Ten digits that rise are put behind the path. */
  readonly sequential?: boolean;
  readonly acl?: readonly Acl[];
}

/** Any version of a znode. */
export const ANY_VERSION = -1;

/** A part of a multi; versions are ANY_VERSION where left out. */
export type Operation =
  | { readonly kind: 'create'; readonly path: string; readonly data: Buffer; readonly options?: CreateOptions }
  | { readonly kind: 'delete'; readonly path: string; readonly version?: number }
  | { readonly kind: 'setData'; readonly path: string; readonly data: Buffer; readonly version?: number }
  | { readonly kind: 'check'; readonly path: string; readonly version: number };

export type OperationResult =
  | { readonly kind: 'create'; readonly path: string }
  | { readonly kind: 'delete' }
  | { readonly kind: 'setData'; readonly stat: Stat }
  | { readonly kind: 'check' };

export interface MultiReply {
  /** The transaction: the czxid of what it created, the mzxid of what it set. */
  readonly zxid: number;
  /** One for each operation, in order. */
  readonly results: readonly OperationResult[];
}

export type WatchEventType = 'created' | 'deleted' | 'dataChanged' | 'childrenChanged';

export interface WatchEvent {
  readonly type: WatchEventType;
  readonly path: string;
}

/** Called once at most. After a change of servers it may tell of a change that was there already when it was set. */
export type Watcher = (event: WatchEvent) => void;

/**
 * `connecting`: no server knows us now, though the session may live on. `connected`. The others are for good: `expired`
 * (the servers ended the session), `refused` (they do not accept who we say we are), `closed` (by ourselves).
 */
export type SessionState = 'connecting' | 'connected' | 'expired' | 'refused' | 'closed';

export interface Trouble {
  /** Nobody serves, or what serves has gone back behind what this session has seen. */
  readonly kind: 'unreachable' | 'behind';
  readonly sinceMs: number;
  /** In words, with the servers. */
  readonly what: string;
}

/**
 * All calls reject with a ZooKeeperError. Requests of one session are carried out in the order of their calls; those
 * that a lost connection leaves unanswered reject with CONNECTION_LOSS (outcome unknown), those that were not sent yet
 * with NOT_CONNECTED (nothing happened). While there is no connection requests wait for one, within a limit.
 */
export interface ZooKeeper {
  readonly state: SessionState;
  readonly sessionId: SessionId;
  /** How long the servers wait for a silent client, as agreed with them. */
  readonly sessionTimeoutMs: number;
  /** When a server was last heard, by the monotonic clock. */
  readonly lastHeardMs: number;
  /** What keeps it from its servers, once that has lasted for some seconds. */
  readonly trouble: Trouble | undefined;
  /** The server that we are connected to. */
  readonly server: string | undefined;
  /** Calls the listener at each change of state. Returns a function that ends the subscription. */
  onState(listener: (state: SessionState) => void): () => void;
  /** Makes the root of the connect string itself, where it has one. */
  makeRoot(): Promise<void>;
  create(path: string, data: Buffer, options?: CreateOptions): Promise<{ readonly path: string; readonly stat: Stat }>;
  delete(path: string, version?: number): Promise<void>;
  /** Undefined where there is no such znode. The watcher is set either way. */
  exists(path: string, watcher?: Watcher): Promise<Stat | undefined>;
  getData(path: string, watcher?: Watcher): Promise<{ readonly data: Buffer; readonly stat: Stat }>;
  setData(path: string, data: Buffer, version?: number): Promise<Stat>;
  /** Names in no particular order. */
  getChildren(path: string, watcher?: Watcher): Promise<{ readonly children: readonly string[]; readonly stat: Stat }>;
  /** All of the operations or none. Rejects with the reason of the first that cannot be. */
  multi(operations: readonly Operation[]): Promise<MultiReply>;
  /** Resolves once the server that we read from has caught up with all that was written before the call. */
  sync(path: string): Promise<void>;
  /** Ends the session, and with it its ephemeral znodes. Resolves in bounded time. */
  close(): Promise<void>;
}
