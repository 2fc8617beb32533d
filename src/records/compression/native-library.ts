import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);

/**
 * A native library, loaded when it is first called for: most brokers never open a batch, and loading all of them is a tenth
 * of a start.
 */
export function nativeLibrary<Library>(name: string): () => Library {
  let library: Library | undefined;
  return () => {
    library ??= require(name) as Library;
    return library;
  };
}
