import { dirname } from 'node:path';
import type { FileSystem } from './file-system.ts';

/** Creates a directory, and its parents, so that a power loss does not take them with all that is put into them. */
export function makeDurableDirectory(path: string, fileSystem: FileSystem): void {
  if (fileSystem.exists(path)) return;
  const parent = dirname(path);
  if (parent !== path) makeDurableDirectory(parent, fileSystem);
  fileSystem.makeDirectory(path);
  fileSystem.syncDirectory(parent);
}
