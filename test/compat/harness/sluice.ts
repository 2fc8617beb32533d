/**
 * Sluice as users run it: the command line's `start` in a process of its own, in a temporary or given directory.
 */
import { spawn } from 'node:child_process';
import { createWriteStream, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type RunningBroker, unusedPorts, waitUntilServing } from './broker-process.ts';
import { projectRoot } from './paths.ts';
import { endChild, endWithThisProcess } from './program.ts';

export interface SluiceOptions {
  readonly port?: number;
  readonly dataDirectory?: string;
  readonly settings?: Readonly<Record<string, string>>;
  /** So many processes on ports that follow each other; the first is the child that is returned. */
  readonly brokers?: number;
  /** false returns as soon as the process exists. */
  readonly waitUntilReady?: boolean;
}

const START_TIMEOUT_MS = 15_000;
const STOP_GRACE_MS = 10_000;

/** The compiled entry point; `SLUICE_COMPAT_MAIN` names another build. */
export function sluiceMain(): string {
  return process.env['SLUICE_COMPAT_MAIN'] ?? join(projectRoot, 'dist', 'bundle', 'cli', 'main.js');
}

export async function startSluice(options: SluiceOptions = {}): Promise<RunningBroker> {
  const main = sluiceMain();
  if (!existsSync(main)) throw new Error(`no ${main}: npm run build`);
  const port = options.port ?? (await unusedPorts(1))[0]!;
  const home = mkdtempSync(join(tmpdir(), 'sluice-compat-'));
  const dataDirectory = options.dataDirectory ?? join(home, 'data');
  mkdirSync(dataDirectory, { recursive: true });
  const settings = Object.entries(options.settings ?? {}).flatMap(([key, value]) => ['--set', `${key}=${value}`]);
  const several = options.brokers === undefined ? [] : ['--brokers', String(options.brokers)];
  const output = join(home, 'output.log');
  const startedAt = performance.now();
  const child = spawn(
    process.execPath,
    [main, 'start', '--port', String(port), '--data-dir', dataDirectory, ...several, ...settings],
    { stdio: ['ignore', 'pipe', 'pipe'] },
  );
  endWithThisProcess(child);
  const log = createWriteStream(output);
  child.stdout.pipe(log, { end: false });
  child.stderr.pipe(log, { end: false });
  try {
    if (options.waitUntilReady !== false) await waitUntilServing({ child, port, timeoutMs: START_TIMEOUT_MS });
  } catch (error) {
    await endChild(child, 0);
    const words = readFileSync(output, 'utf8').slice(-4000);
    rmSync(home, { recursive: true, force: true });
    throw new Error(`Sluice did not start:\n${words}`, { cause: error });
  }
  return {
    name: 'sluice',
    child,
    host: '127.0.0.1',
    port,
    // As advertised: under another name librdkafka takes it for one more broker, and may wait half a second for it.
    bootstrap: `localhost:${port}`,
    dataDirectory,
    startedAt,
    output: () => readFileSync(output, 'utf8'),
    stop: () => endChild(child, STOP_GRACE_MS),
    remove: async () => {
      await endChild(child, STOP_GRACE_MS);
      rmSync(home, { recursive: true, force: true });
    },
  };
}
