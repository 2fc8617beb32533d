/**
 * The logs that are on their way to another log directory. A copy lies in `<topic>-<partition>.<id>-future`. The switch
 * is three steps, each durable before the next, so that a crash leaves one of four states:
 *
 *   t-0, t-0.<id>-future          copying: a start discards the copy and begins the move again
 *   t-0.<id>-delete, t-0.<id>-future   the copy is whole: a start gives it the name
 *   t-0.<id>-delete, t-0          done
 *   t-0 (in its new directory)    done, and the old files removed
 */
import type { Clock } from '../base/clock.ts';
import type { FileSystem } from '../base/file-system.ts';
import type { Logger } from '../base/logger.ts';
import type { Random } from '../base/random.ts';
import { type Offset, partitionName } from '../base/units.ts';
import { Throttle } from './cleaner/throttle.ts';
import type { Log } from './log.ts';
import type { LogDirectory } from './log-directory.ts';
import { asideDirectoryName, isNameCut } from './log-files.ts';
import { copyFrom, LogMove, whyItFailed } from './log-move.ts';

/** What the log manager does for moves. */
export interface MoveHost {
  /** An empty log of the same partition and configuration, in another path. Throws the system's error. */
  createCopy(log: Log, path: string, startOffset: Offset): Log;
  /** Makes what checkpoints tell of `future` durable in its new directory. Throws the system's error. */
  announce(future: Log, destination: LogDirectory): void;
  /** `future`, in its final place, is the partition's log from now on; `current` is not. */
  replace(current: Log, future: Log, destination: LogDirectory): void;
  /** Removes a directory and all in it, after a while. */
  removeLater(path: string, delayMs: number): void;
}

interface Entry {
  readonly move: LogMove;
  readonly id: string;
  readonly source: LogDirectory;
  readonly destination: LogDirectory;
  readonly done: Promise<void>;
}

/** A copy, for DescribeLogDirs. */
export interface MovingLog {
  readonly log: Log;
  readonly lag: number;
}

const ID_BYTES = 16;
const PAYMENTS_A_SECOND = 10;

export class LogMoves {
  readonly #host: MoveHost;
  readonly #bytesPerSecond: () => number | undefined;
  readonly #fileSystem: FileSystem;
  readonly #logger: Logger;
  readonly #random: Random;
  readonly #throttle: Throttle;
  /** By partition name. */
  readonly #entries = new Map<string, Entry>();

  constructor(
    options: { readonly host: MoveHost; readonly bytesPerSecond: () => number | undefined },
    dependencies: {
      readonly fileSystem: FileSystem;
      readonly clock: Clock;
      readonly logger: Logger;
      readonly random: Random;
    },
  ) {
    this.#host = options.host;
    this.#bytesPerSecond = options.bytesPerSecond;
    this.#fileSystem = dependencies.fileSystem;
    this.#logger = dependencies.logger;
    this.#random = dependencies.random;
    this.#throttle = new Throttle(dependencies);
  }

  /** Copies on their way into a directory. */
  into(directory: LogDirectory): MovingLog[] {
    return [...this.#entries.values()]
      .filter(({ destination }) => destination === directory)
      .map(({ move }) => ({ log: move.future, lag: move.lag }));
  }

  /** Where a partition's log is on its way to. */
  destinationOf(name: string): LogDirectory | undefined {
    return this.#entries.get(name)?.destination;
  }

  /** Begins a move. One to elsewhere that is under way is given up. Throws the system's error. */
  begin(log: Log, source: LogDirectory, destination: LogDirectory): void {
    const name = partitionName(log.topic, log.partition);
    this.cancel(name);
    const id = this.#random.bytes(ID_BYTES).toString('hex');
    const path = `${destination.path}/${asideDirectoryName(log, { kind: 'future', id })}`;
    const future = this.#host.createCopy(log, path, copyFrom(log));
    future.listeners.onFailure = (error) => destination.fail(error, `copy ${name} to it`);
    const move = new LogMove({
      current: log,
      future,
      spend: (bytes) => (this.#bytesPerSecond() === undefined ? undefined : this.#pay(bytes)),
      logger: this.#logger,
    });
    this.#logger.info('A log begins to move', { log: log.directory, to: destination.path });
    const entry = { move, id, source, destination };
    const done = move
      .run(() => this.#switch(name, entry))
      .then(
        () => undefined,
        (error: unknown) => this.#failed(name, entry, error),
      );
    this.#entries.set(name, { ...entry, done });
  }

  /** In small parts, so that a changed limit is felt soon. */
  async #pay(bytes: number): Promise<void> {
    for (let owed = bytes; owed > 0; ) {
      const limit = this.#bytesPerSecond();
      if (limit === undefined) return;
      const part = Math.min(owed, Math.max(1, limit / PAYMENTS_A_SECOND));
      await this.#throttle.spend(part, limit);
      owed -= part;
    }
  }

  /** In one turn, after the copy has caught up with everything. */
  #switch(name: string, { move, id, source, destination }: Omit<Entry, 'done'>): void {
    const { current, future } = move;
    future.takeOver(current);
    const live = `${destination.path}/${name}`;
    const old = `${source.path}/${asideDirectoryName(current, { kind: 'deleted', id })}`;
    const [currentPath, futurePath] = [current.directory, future.directory];
    this.#host.announce(future, destination);
    this.#fileSystem.rename(currentPath, old);
    try {
      this.#fileSystem.syncDirectory(source.path);
      this.#fileSystem.rename(futurePath, live);
    } catch (error) {
      this.#fileSystem.rename(old, currentPath);
      throw error;
    }
    current.directoryRenamed(old);
    future.directoryRenamed(live);
    this.#entries.delete(name);
    this.#host.replace(current, future, destination);
    this.#logger.info('A log has moved', { log: live, from: source.path });
    try {
      this.#fileSystem.syncDirectory(destination.path);
    } catch (error) {
      destination.noteError(error, `make the move of ${name} durable`);
    }
    current.supersede();
    this.#host.removeLater(old, current.config.fileDeleteDelayMs);
  }

  #failed(name: string, { move, destination }: Omit<Entry, 'done'>, error: unknown): void {
    this.#logger.warn('A log stays where it is', {
      log: move.current.directory,
      destination: destination.path,
      error: whyItFailed(error),
    });
    if (this.#entries.get(name)?.move === move) this.cancel(name);
  }

  /** Gives a move up and removes the copy. False where there is none. */
  cancel(name: string): boolean {
    const entry = this.#entries.get(name);
    if (entry === undefined) return false;
    this.#entries.delete(name);
    entry.move.cancel();
    entry.move.future.abandon();
    if (entry.destination.online) this.#host.removeLater(entry.move.future.directory, 0);
    return true;
  }

  /** Ends all copying; the next start begins these moves again. */
  async stop(): Promise<void> {
    const entries = [...this.#entries.values()];
    this.#entries.clear();
    for (const { move } of entries) move.cancel();
    await Promise.all(entries.map(({ done }) => done));
    for (const { move } of entries) move.future.abandon();
  }
}

/** Whether a log can be moved: directories of very long topic names cannot be told apart by their names. */
export function isMovable(log: Log): boolean {
  return !isNameCut(log);
}
