/**
 * A published comparison run again: files of 7 MB to 1 GB sent to a loopback reader by Node's own read paths and by our
 * sendfile path, page cache warm. Time, CPU, context switches from the kernel's own count of the sending process; system
 * calls by strace in a round of their own, since they are slow under it.
 *
 * `pipe` is fs.createReadStream().pipe(socket), `read` a loop of fs.read and socket.write with one 64 KiB buffer, `sendfile` the
 * broker's own path (network/socket-writer.ts).
 *
 * usage: node dist/bench/zero-copy.js [--megabytes 7,21,...] [--rounds 7] [--no-calls] [--smoke] [--out DIRECTORY]
 */
import { type ChildProcess, fork, spawn } from 'node:child_process';
import { readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import { disk } from '../src/base/disk.ts';
import { makeTemporaryDirectory } from '../src/base/temporary-directory.ts';
import { endChild, endWithThisProcess } from '../test/compat/harness/program.ts';
import { findCommand } from '../test/compat/harness/toolchain.ts';
import { compiled, numbersOf } from './native-program.ts';
import { svg } from './plot.ts';
import { deliver, median, shown, table } from './results.ts';
import type { Ready, WAYS, Way } from './zero-copy-sender.ts';

const MEGABYTE = 1e6;
const SIZES = [7, 21, 63, 98, 200, 350, 700, 1000];
const SMOKE_SIZES = [7, 21];
const ORDER: typeof WAYS = ['pipe', 'read', 'sendfile'];
const NAMES: Readonly<Record<Way, string>> = {
  pipe: 'createReadStream.pipe',
  read: 'read and write',
  sendfile: 'sendfile',
};
const STRACE_PATIENCE_MS = 5000;
const WARM_UP_TRANSFERS = 3;

interface Sample {
  readonly way: Way;
  readonly megabytes: number;
  readonly ms: number;
  readonly userMs: number;
  readonly systemMs: number;
  readonly voluntarySwitches: number;
  readonly involuntarySwitches: number;
}

interface Calls {
  readonly way: Way;
  readonly megabytes: number;
  readonly calls: number;
}

interface Sender {
  readonly child: ChildProcess;
  readonly pid: number;
  readonly port: number;
}

const program = join(import.meta.dirname, `zero-copy-sender${import.meta.filename.slice(-3)}`);

async function startSender(way: Way, path: string): Promise<Sender> {
  const child = fork(program, [way, path]);
  endWithThisProcess(child);
  const { port } = await heard<Ready>(child);
  return { child, pid: child.pid!, port };
}

function heard<Message>(child: ChildProcess): Promise<Message> {
  return new Promise((resolve, reject) => {
    const gone = (code: number | null): void => reject(new Error(`the sender ended with ${code}`));
    child.once('exit', gone);
    child.once('message', (message) => {
      child.off('exit', gone);
      resolve(message as Message);
    });
  });
}

/** What the process has used by now. */
async function usage({ child }: Sender): Promise<NodeJS.ResourceUsage> {
  child.send('usage');
  return heard<NodeJS.ResourceUsage>(child);
}

/** One transfer, timed by the reader from its connection to the last byte. */
async function transfer({ port }: Sender, bytes: number): Promise<number> {
  const [, seconds] = (await numbersOf(await compiled('take'), [port, bytes])) as [number, number];
  return seconds * 1000;
}

async function measured(sender: Sender, way: Way, megabytes: number): Promise<Sample> {
  const before = await usage(sender);
  const ms = await transfer(sender, megabytes * MEGABYTE);
  const after = await usage(sender);
  return {
    way,
    megabytes,
    ms,
    userMs: (after.userCPUTime - before.userCPUTime) / 1000,
    systemMs: (after.systemCPUTime - before.systemCPUTime) / 1000,
    voluntarySwitches: after.voluntaryContextSwitches - before.voluntaryContextSwitches,
    involuntarySwitches: after.involuntaryContextSwitches - before.involuntaryContextSwitches,
  };
}

/** System calls of all threads for one transfer; undefined where strace is absent or may not attach. */
async function countCalls(sender: Sender, way: Way, megabytes: number, home: string): Promise<Calls | undefined> {
  const strace = findCommand('strace');
  if (strace === undefined) return undefined;
  const output = join(home, 'calls');
  writeFileSync(output, '');
  const tracer = spawn(strace, ['-f', '-c', '-o', output, '-p', String(sender.pid)], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  endWithThisProcess(tracer);
  if (!(await attached(tracer))) return undefined;
  await transfer(sender, megabytes * MEGABYTE);
  const ended = new Promise((resolve) => tracer.once('exit', resolve));
  tracer.kill('SIGINT');
  await ended;
  // Share, seconds, microseconds a call, calls, errors where there were any, and the word.
  const total = /^\s*[\d.]+\s+[\d.]+\s+\d+\s+(\d+)\s.*total$/m.exec(readFileSync(output, 'utf8'));
  return total === null ? undefined : { way, megabytes, calls: Number(total[1]) };
}

/** strace tells each thread that it has attached to, in words for people. */
function attached(tracer: ChildProcess): Promise<boolean> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(false), STRACE_PATIENCE_MS);
    const finish = (done: boolean): void => {
      clearTimeout(timer);
      resolve(done);
    };
    createInterface({ input: tracer.stderr! }).on('line', (line) => {
      if (line.includes('attached')) finish(true);
    });
    tracer.once('exit', () => finish(false));
  });
}

interface Plan {
  readonly home: string;
  readonly sizes: readonly number[];
  readonly rounds: number;
  readonly countsCalls: boolean;
}

async function measureSize(plan: Plan, megabytes: number): Promise<{ samples: Sample[]; calls: Calls[] }> {
  const { home, rounds, countsCalls } = plan;
  const path = join(home, `${megabytes}`);
  write(path, megabytes * MEGABYTE);
  const senders = new Map<Way, Sender>();
  const samples: Sample[] = [];
  const calls: Calls[] = [];
  try {
    for (const way of ORDER) senders.set(way, await startSender(way, path));
    for (const sender of senders.values()) {
      for (let warm = 0; warm < WARM_UP_TRANSFERS; warm++) await transfer(sender, megabytes * MEGABYTE);
    }
    for (let round = 0; round < rounds; round++) {
      // Whoever comes first meets a cooler machine: take turns.
      const order = round % 2 === 0 ? ORDER : ORDER.toReversed();
      for (const way of order) samples.push(await measured(senders.get(way)!, way, megabytes));
    }
    for (const way of countsCalls ? ORDER : []) {
      const counted = await countCalls(senders.get(way)!, way, megabytes, home);
      if (counted !== undefined) calls.push(counted);
    }
  } finally {
    for (const { child } of senders.values()) await endChild(child, 0);
    rmSync(path);
  }
  return { samples, calls };
}

/** A file of that size, in the page cache. */
function write(path: string, bytes: number): void {
  const block = Buffer.alloc(MEGABYTE, 'sluice');
  const file = disk.open(path);
  for (let at = 0; at < bytes; at += block.length) file.writeSync([block], at);
  file.close();
  if (statSync(path).size !== bytes) throw new Error(`${path} has ${statSync(path).size} bytes, not ${bytes}`);
}

type Measure = (sample: Sample) => number;

const cpuMs: Measure = ({ userMs, systemMs }) => userMs + systemMs;
const switches: Measure = ({ voluntarySwitches, involuntarySwitches }) => voluntarySwitches + involuntarySwitches;

function render(samples: readonly Sample[], calls: readonly Calls[], sizes: readonly number[]): string {
  const of = (megabytes: number, way: Way, measure: Measure): number =>
    median(samples.filter((each) => each.megabytes === megabytes && each.way === way).map(measure));
  const compared = (title: string, value: (megabytes: number, way: Way) => number): string => {
    const rows = sizes.map((megabytes) => {
      const values = ORDER.map((way) => value(megabytes, way));
      const ratio = Math.min(values[0]!, values[1]!) / values[2]!;
      return [`${megabytes} MB`, ...values.map(shown), Number.isFinite(ratio) ? `${ratio.toFixed(2)}×` : ''];
    });
    return table([title, ...ORDER.map((way) => NAMES[way]), 'better of the two / sendfile'], rows);
  };
  const tables = [
    compared('time, ms', (megabytes, way) => of(megabytes, way, ({ ms }) => ms)),
    compared('CPU of the sender, user and system, ms', (megabytes, way) => of(megabytes, way, cpuMs)),
    compared('context switches', (megabytes, way) => of(megabytes, way, switches)),
  ];
  if (calls.length > 0) {
    const counted = (megabytes: number, way: Way): number =>
      calls.find((each) => each.megabytes === megabytes && each.way === way)?.calls ?? Number.NaN;
    tables.push(compared('system calls', counted));
  }
  return tables.join('\n\n');
}

function plots(samples: readonly Sample[], sizes: readonly number[]): Record<string, string> {
  const lines = (measure: Measure) =>
    ORDER.map((way) => ({
      name: NAMES[way],
      points: sizes.map((size) => {
        const values = samples.filter((each) => each.megabytes === size && each.way === way).map(measure);
        return [size, median(values)] as const;
      }),
    }));
  const x = { label: 'file, MB', scale: 'log' } as const;
  const of = (title: string, measure: Measure): string =>
    svg({ title, x, y: { label: 'ms', scale: 'log' }, lines: lines(measure) });
  return {
    'zero-copy-time.svg': of('A file to a socket: time', ({ ms }) => ms),
    'zero-copy-cpu.svg': of('A file to a socket: CPU of the sender', cpuMs),
  };
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      megabytes: { type: 'string' },
      rounds: { type: 'string' },
      'no-calls': { type: 'boolean', default: false },
      smoke: { type: 'boolean', default: false },
      out: { type: 'string' },
    },
  });
  const sizes = values.megabytes?.split(',').map(Number) ?? (values.smoke ? SMOKE_SIZES : SIZES);
  const rounds = Number(values.rounds ?? (values.smoke ? 1 : 7));
  const home = makeTemporaryDirectory('sluice-bench-zero-copy');
  const samples: Sample[] = [];
  const calls: Calls[] = [];
  try {
    for (const megabytes of sizes) {
      console.error(`${megabytes} MB`);
      const measuredSize = await measureSize({ home, sizes, rounds, countsCalls: !values['no-calls'] }, megabytes);
      samples.push(...measuredSize.samples);
      calls.push(...measuredSize.calls);
    }
  } finally {
    rmSync(home, { recursive: true, force: true });
  }
  const title = `A file to a socket, by copying and without, ${rounds} rounds`;
  const results = { markdown: render(samples, calls, sizes), json: { samples, calls }, plots: plots(samples, sizes) };
  deliver({ name: 'zero-copy', title, ...results }, values.out);
}

if (process.argv[1] === import.meta.filename) await main();
