/**
 * What can go wrong with a broker's machine beneath its process: writes and syncs of its data that fail, come up short or
 * take long, and a wall clock that jumps. A library that is loaded into the process (faulty-machine.c) does it, and
 * is switched from here while the broker runs.
 */
import { closeSync, openSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { projectRoot } from '../../compat/harness/paths.ts';
import { runSuccessfully } from '../../compat/harness/program.ts';
import { commandExists } from '../../compat/harness/toolchain.ts';

/** As in faulty-machine.c. */
const WRONG = { 'write fails': 1, 'sync fails': 2, 'short writes': 4, slow: 8 } as const;
const SWITCHES = 3;
const NUMBER_BYTES = 4;
const SOURCE = join(projectRoot, 'test', 'cluster', 'harness', 'faulty-machine.c');

export interface MachineFault {
  readonly disk?: keyof typeof WRONG;
  /** How long each write and sync of a slow disk takes. */
  readonly delayMs?: number;
  readonly clockAheadSeconds?: number;
}

export interface FaultyMachine {
  /** What a command begins with to run on it. */
  readonly prefix: readonly string[];
  /** Replaces what was wrong before; nothing is, where nothing is told. */
  break(fault: MachineFault): void;
}

/** Path of the library; undefined on a machine without a compiler. */
export async function buildFaultyMachine(home: string): Promise<string | undefined> {
  if (!(await commandExists('cc'))) return undefined;
  const library = join(home, 'faulty-machine.so');
  await runSuccessfully('cc', ['-shared', '-fPIC', '-O2', '-o', library, SOURCE, '-ldl']);
  return library;
}

/** `home` must not lie below the directory. */
export function faultyMachine(
  library: string,
  place: { readonly home: string; readonly dataDirectory: string },
): FaultyMachine {
  const file = join(place.home, 'faulty-machine');
  writeFileSync(file, Buffer.alloc(SWITCHES * NUMBER_BYTES));
  const environment = {
    LD_PRELOAD: library,
    FAULTY_MACHINE_SWITCHES: file,
    FAULTY_MACHINE_DIRECTORY: place.dataDirectory,
  };
  return {
    prefix: ['env', ...Object.entries(environment).map(([name, value]) => `${name}=${value}`)],
    break: ({ disk, delayMs = 0, clockAheadSeconds = 0 }) => {
      const wrong = disk === undefined ? 0 : WRONG[disk];
      writeInPlace(file, Int32Array.of(wrong, delayMs, clockAheadSeconds));
    },
  };
}

/** The file must keep its length: the broker has it in its memory. */
function writeInPlace(file: string, numbers: Int32Array): void {
  const descriptor = openSync(file, 'r+');
  try {
    writeSync(descriptor, new Uint8Array(numbers.buffer), 0, numbers.byteLength, 0);
  } finally {
    closeSync(descriptor);
  }
}
