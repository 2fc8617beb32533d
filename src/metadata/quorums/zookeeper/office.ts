/**
 * The office of the controller: who holds it, how it is taken, and how its holder writes. Each write is on condition
 * that no later controller has taken office (the version of /controller_epoch) and that the write before was made (the
 * version of /sluice/commit): a controller that lost its office writes nothing, and of writes that are sent one behind
 * the other none is made without those before it. Decides nothing about when to take the office.
 */
import { assert } from '../../../base/assert.ts';
import type { BrokerId, LeaderEpoch, Offset } from '../../../base/units.ts';
import { failedWith } from './client/errors.ts';
import {
  ANY_VERSION,
  type MultiReply,
  type Operation,
  type SessionId,
  type Watcher,
  type ZooKeeper,
} from './client/zookeeper.ts';
import { ZnodeVersions } from './store/znode-versions.ts';
import {
  COMMIT,
  CONTROLLER,
  CONTROLLER_EPOCH,
  type ControllerZnode,
  commitData,
  controllerData,
  controllerEpochData,
  readCommittedOffset,
  readController,
  readControllerEpoch,
} from './store/znodes.ts';

/** Who holds the office. */
export interface Holder extends ControllerZnode {
  readonly owner: SessionId;
  /** Tells this time in office from others. */
  readonly czxid: number;
}

/** Undefined where nobody holds it. The watcher is called when that changes. */
export async function readHolder(zooKeeper: ZooKeeper, watcher: Watcher): Promise<Holder | undefined> {
  for (;;) {
    try {
      const { data, stat } = await zooKeeper.getData(CONTROLLER, watcher);
      return { ...readController(data), owner: stat.ephemeralOwner, czxid: stat.czxid };
    } catch (error) {
      if (!failedWith(error, 'NO_NODE')) throw error;
    }
    if ((await zooKeeper.exists(CONTROLLER, watcher)) === undefined) return undefined;
  }
}

export async function readEpoch(
  zooKeeper: ZooKeeper,
): Promise<{ readonly epoch: LeaderEpoch; readonly version: number }> {
  const { data, stat } = await zooKeeper.getData(CONTROLLER_EPOCH);
  return { epoch: readControllerEpoch(data), version: stat.version };
}

export interface Candidate {
  readonly brokerId: BrokerId;
  readonly identity: string | undefined;
  readonly nowMs: number;
  /** Whose place is taken: ours of an earlier session, or that of a process which is known to be gone. */
  readonly instead: Holder | undefined;
}

/** A predecessor that lives and writes may come between this often. */
const MOST_ATTEMPTS = 3;

/** Takes the office in a new epoch. Undefined where somebody else was faster. */
export async function takeOffice(zooKeeper: ZooKeeper, candidate: Candidate): Promise<Office | undefined> {
  for (let attempt = 1; ; attempt++) {
    const before = await readEpoch(zooKeeper);
    const epoch = before.epoch + 1;
    const operations: Operation[] = [
      { kind: 'setData', path: CONTROLLER_EPOCH, data: controllerEpochData(epoch), version: before.version },
    ];
    if (candidate.instead !== undefined) {
      // Any other who took the office since has raised the epoch.
      const there = await zooKeeper.exists(CONTROLLER);
      if (there === undefined || there.czxid !== candidate.instead.czxid) return undefined;
      operations.push({ kind: 'delete', path: CONTROLLER });
    }
    const options = { ephemeral: true };
    operations.push({ kind: 'create', path: CONTROLLER, data: controllerData(candidate, candidate.nowMs), options });
    const { data, stat } = await zooKeeper.getData(COMMIT);
    const isLast = attempt === MOST_ATTEMPTS;
    const committed = isLast ? undefined : readCommittedOffset(data);
    const kept = commitData(epoch, committed ?? -1);
    operations.push({ kind: 'setData', path: COMMIT, data: kept, version: isLast ? ANY_VERSION : stat.version });
    try {
      const { zxid, results } = await zooKeeper.multi(operations);
      const [raised, counted] = [results[0], results.at(-1)];
      assert(raised?.kind === 'setData' && counted?.kind === 'setData', 'results are of the kind of their operations');
      const versions = { epochVersion: raised.stat.version, commitVersion: counted.stat.version };
      return new Office(zooKeeper, { epoch, czxid: zxid, committed, ...versions });
    } catch (error) {
      if (!failedWith(error, 'BAD_VERSION', 'NODE_EXISTS', 'NO_NODE')) throw error;
      if (isLast || error.failedOperation !== operations.length - 1) return undefined;
    }
  }
}

/** Gives up a time in office that is our own; one that is over already is nobody's loss. */
export async function leaveOffice(zooKeeper: ZooKeeper, { czxid }: Holder): Promise<void> {
  const { version } = await readEpoch(zooKeeper);
  // Whoever takes the office from now on raises the epoch.
  if ((await zooKeeper.exists(CONTROLLER))?.czxid !== czxid) return;
  try {
    await zooKeeper.multi([
      { kind: 'check', path: CONTROLLER_EPOCH, version },
      { kind: 'delete', path: CONTROLLER },
    ]);
  } catch (error) {
    if (!failedWith(error, 'BAD_VERSION', 'NO_NODE')) throw error;
  }
}

/** What precedes the operations of a write. */
const CONDITIONS = 2;

/** One time in office. */
export class Office {
  readonly zooKeeper: ZooKeeper;
  readonly epoch: LeaderEpoch;
  /** Of our /controller. */
  readonly czxid: number;
  /** Offset of the last write that was committed before; undefined where that is not known. */
  readonly committed: Offset | undefined;
  readonly #epochVersion: number;
  #commitVersion: number;
  #versions = new ZnodeVersions();
  #lastOffset: Offset = -1;

  constructor(
    zooKeeper: ZooKeeper,
    state: {
      readonly epoch: LeaderEpoch;
      readonly czxid: number;
      readonly committed: Offset | undefined;
      readonly epochVersion: number;
      readonly commitVersion: number;
    },
  ) {
    this.zooKeeper = zooKeeper;
    this.epoch = state.epoch;
    this.czxid = state.czxid;
    this.committed = state.committed;
    this.#epochVersion = state.epochVersion;
    this.#commitVersion = state.commitVersion;
  }

  /** Of the latest write that was begun. */
  get lastOffset(): Offset {
    return this.#lastOffset;
  }

  /** From now on writes are made on condition that nobody else has touched what was read. */
  guardBy(versions: ZnodeVersions): void {
    this.#versions = versions;
  }

  /** One write, all or nothing, after all that were begun before. Rejects with a ZooKeeperError. */
  write(operations: readonly Operation[], offset: Offset): Promise<MultiReply> {
    this.#lastOffset = Math.max(offset, this.#lastOffset);
    const version = this.#commitVersion++;
    return this.zooKeeper.multi([
      { kind: 'check', path: CONTROLLER_EPOCH, version: this.#epochVersion },
      { kind: 'setData', path: COMMIT, data: commitData(this.epoch, offset), version },
      ...this.#versions.guard(operations),
    ]);
  }
}

/** Whether a write was refused for what it wanted to do, not for its conditions: the znodes are not what we think. */
export function isContradiction(error: unknown): boolean {
  if (!failedWith(error, 'NO_NODE', 'NODE_EXISTS', 'NOT_EMPTY', 'BAD_VERSION', 'NO_AUTH', 'BAD_ARGUMENTS'))
    return false;
  return error.failedOperation !== undefined && error.failedOperation >= CONDITIONS;
}
