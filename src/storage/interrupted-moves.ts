/**
 * Finishes, or prepares to begin again, the moves between log directories that a stop interrupted; see log-moves.ts for
 * the states that it can have left.
 */
import type { FileSystem } from '../base/file-system.ts';
import type { Logger } from '../base/logger.ts';
import type { TopicPartition } from '../base/units.ts';
import type { DirectoryContent, LogDirectory } from './log-directory.ts';

/** A move that begins again once the logs are loaded. */
export interface InterruptedMove {
  readonly partition: TopicPartition;
  readonly destination: LogDirectory;
}

export interface SettledMoves {
  /** As the directories are now. */
  readonly contents: ReadonlyMap<LogDirectory, DirectoryContent>;
  readonly again: readonly InterruptedMove[];
  /** Paths of copies that nobody needs any more. */
  readonly useless: readonly string[];
}

/** `allOnline`: no directory failed, so that a log that is not there is nowhere. Throws the system's error. */
export function settleInterruptedMoves(
  contents: ReadonlyMap<LogDirectory, DirectoryContent>,
  { allOnline }: { readonly allOnline: boolean },
  { fileSystem, logger }: { readonly fileSystem: FileSystem; readonly logger: Logger },
): SettledMoves {
  const all = [...contents.values()];
  const live = new Set(all.flatMap((content) => content.live.map(({ name }) => name)));
  const replaced = new Set(all.flatMap(({ deleted }) => deleted.flatMap(({ id }) => (id === undefined ? [] : [id]))));
  const settled = new Map(contents);
  const again: InterruptedMove[] = [];
  const useless: string[] = [];
  for (const [directory, content] of contents) {
    const promoted: { name: string; partition: TopicPartition }[] = [];
    for (const { name, id, partition } of content.futures) {
      const liveName = `${partition.topic}-${partition.partition}`;
      const path = `${directory.path}/${name}`;
      if (!live.has(liveName) && replaced.has(id)) {
        logger.info('A log that was moved gets its name', { log: `${directory.path}/${liveName}` });
        fileSystem.rename(path, `${directory.path}/${liveName}`);
        fileSystem.syncDirectory(directory.path);
        live.add(liveName);
        promoted.push({ name: liveName, partition });
      } else if (live.has(liveName)) {
        useless.push(path);
        again.push({ partition, destination: directory });
      } else if (allOnline) {
        useless.push(path);
      }
    }
    if (promoted.length > 0) settled.set(directory, { ...content, live: [...content.live, ...promoted] });
  }
  return { contents: settled, again, useless };
}
