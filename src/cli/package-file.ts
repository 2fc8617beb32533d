import { fileURLToPath } from 'node:url';

/** Where a file of the package lies, by its path from the package's root. The bundle keeps this room's depth. */
export function packageFile(path: string): string {
  return fileURLToPath(new URL(`../../../${path}`, import.meta.url));
}
