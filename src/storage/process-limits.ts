import type { FileSystem } from '../base/file-system.ts';

const LIMITS_FILE = '/proc/self/limits';
/** Opening one again costs as much as a small append: 10,000 partitions and their indexes have room. */
const MOST_OPEN_FILES = 32_768;

/** How many files logs may keep open: half of what the process may, for sockets need the rest; at most 32,768. */
export function openFileLimit(fileSystem: FileSystem): number {
  const limit = processLimit(fileSystem);
  return limit === undefined ? MOST_OPEN_FILES : Math.min(MOST_OPEN_FILES, Math.floor(limit / 2));
}

/** Linux tells in a file; elsewhere the limit stays unknown. */
function processLimit(fileSystem: FileSystem): number | undefined {
  if (!fileSystem.exists(LIMITS_FILE)) return undefined;
  try {
    const match = /^Max open files\s+(\d+)/m.exec(fileSystem.readFile(LIMITS_FILE).toString('utf8'));
    return match === null ? undefined : Number(match[1]);
  } catch {
    // Some sandboxes forbid it; the limit is unknown then, as on other systems.
    return undefined;
  }
}
