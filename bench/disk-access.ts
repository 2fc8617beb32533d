/**
 * Sequential against random access on the disk that holds the temporary directory, page cache warm and cold
 * (native/disk-access.c): in accesses of 4 KiB each way, and in sequence also of 1 MiB.
 *
 * usage: node dist/bench/disk-access.js [--mebibytes 4096] [--seconds 10] [--rounds 3] [--smoke] [--out DIRECTORY]
 *
 * Cold random reads come from the disk alone only where the file is larger than what lies underneath caches (a
 * controller, a host of virtual machines); TMPDIR names another disk.
 */
import { rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { makeTemporaryDirectory } from '../src/base/temporary-directory.ts';
import { runSuccessfully } from '../test/compat/harness/program.ts';
import { compiled } from './native-program.ts';
import { deliver, median, shown, table } from './results.ts';

const SMALL_BYTES = 4096;
const LARGE_BYTES = 1024 * 1024;
const MIB = 2 ** 20;
const RUN_TIMEOUT_MS = 600_000;

interface Sample {
  readonly operation: string;
  readonly order: string;
  readonly cache: string;
  readonly accessBytes: number;
  readonly accesses: number;
  readonly seconds: number;
}

interface Patterns {
  readonly mebibytes: number;
  readonly accessBytes: number;
  readonly seconds: number;
}

async function measure({ mebibytes, accessBytes, seconds }: Patterns): Promise<Sample[]> {
  const directory = makeTemporaryDirectory('sluice-bench-disk');
  try {
    const parameters = [join(directory, 'file'), mebibytes * MIB, accessBytes, seconds].map(String);
    const { stdout } = await runSuccessfully(await compiled('disk-access'), parameters, { timeoutMs: RUN_TIMEOUT_MS });
    return stdout
      .toString()
      .trim()
      .split('\n')
      .map((line) => {
        const [operation, order, cache, accesses, took] = line.split(' ') as [string, string, string, string, string];
        return { operation, order, cache, accessBytes, accesses: Number(accesses), seconds: Number(took) };
      });
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

const CACHES: Readonly<Record<string, string>> = {
  warm: 'in the page cache',
  'warm+sync': 'in the page cache, then fdatasync',
  cold: 'not in the page cache',
};

function render(samples: readonly Sample[]): string {
  const rate = (operation: string, order: string, cache: string, accessBytes: number): number =>
    median(
      samples
        .filter((each) => each.operation === operation && each.order === order)
        .filter((each) => each.cache === cache && each.accessBytes === accessBytes)
        .map((each) => (each.accesses * accessBytes) / each.seconds / 1e6),
    );
  const rows = [
    ...['warm', 'cold'].map((cache) => ['read', cache] as const),
    ...['warm', 'warm+sync', 'cold'].map((cache) => ['write', cache] as const),
  ].map(([operation, cache]) => {
    const large = rate(operation, 'sequential', cache, LARGE_BYTES);
    const small = rate(operation, 'sequential', cache, SMALL_BYTES);
    const random = rate(operation, 'random', cache, SMALL_BYTES);
    const ratios = [small / random, large / random].map((ratio) => `${shown(ratio)}×`);
    return [`${operation}, ${CACHES[cache]}`, shown(large), shown(small), shown(random), ...ratios];
  });
  const head = ['MB/s', 'sequential, 1 MiB', 'sequential, 4 KiB', 'random, 4 KiB', 'sequential / random, 4 KiB each'];
  return table([...head, '1 MiB sequential / 4 KiB random'], rows);
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      mebibytes: { type: 'string' },
      seconds: { type: 'string' },
      rounds: { type: 'string' },
      smoke: { type: 'boolean', default: false },
      out: { type: 'string' },
    },
  });
  const mebibytes = Number(values.mebibytes ?? (values.smoke ? 32 : 4096));
  const seconds = Number(values.seconds ?? (values.smoke ? 0.3 : 10));
  const rounds = Number(values.rounds ?? (values.smoke ? 1 : 3));
  const samples: Sample[] = [];
  for (let round = 0; round < rounds; round++) {
    for (const accessBytes of [SMALL_BYTES, LARGE_BYTES]) {
      console.error(`round ${round + 1} of ${rounds}: ${accessBytes} B`);
      samples.push(...(await measure({ mebibytes, accessBytes, seconds })));
    }
  }
  const title = `Sequential and random access: a file of ${mebibytes} MiB in ${tmpdir()}, ${rounds} rounds`;
  deliver({ name: 'disk-access', title, markdown: render(samples), json: samples }, values.out);
}

if (process.argv[1] === import.meta.filename) await main();
