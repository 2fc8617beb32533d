/**
 * Makes few files of the command line's many: Node takes half a millisecond to find, read and link each, which is most of a
 * broker's start. Written to dist/bundle/cli, as deep below the package as the source is below src, so that both find the
 * package's own files by the same relative path. Dependencies stay outside.
 */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { rolldown } from 'rolldown';

const dist = join(import.meta.dirname, '..');
const directory = join(dist, 'bundle', 'cli');

rmSync(directory, { recursive: true, force: true });
const bundle = await rolldown({
  input: {
    main: join(dist, 'src', 'cli', 'main.js'),
    // Started by its name, beside whoever starts it: see storage/cleaner/worker-engine.ts.
    'cleaning-worker': join(dist, 'src', 'storage', 'cleaner', 'cleaning-worker.js'),
  },
  platform: 'node',
  external: (id) => !id.startsWith('.') && !id.startsWith('/'),
});
await bundle.write({ dir: directory, format: 'esm', entryFileNames: '[name].js', chunkFileNames: '[name]-[hash].js' });
await bundle.close();
