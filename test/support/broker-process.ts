/**
 * A broker in a process of its own, to be killed or traced. Run as a program it is that process: arguments are the data
 * directory and the options as JSON; it prints its port, or on standard error why it did not start, and stops on
 * SIGTERM.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { startTestBroker } from './test-broker.ts';
import { Wire } from './wire.ts';

export interface BrokerProcess {
  readonly port: number;
  readonly child: ChildProcess;
  wire(): Wire;
  /** SIGKILL. */
  kill(): Promise<void>;
  /** SIGTERM. */
  stop(): Promise<void>;
}

const START_TIMEOUT_MS = 15_000;

/** `command` comes before Node's own, for tracers. Rejects with what the process said where it does not start. */
export async function startBrokerProcess(
  dataDirectory: string,
  options: { readonly config?: Readonly<Record<string, string>>; readonly command?: readonly string[] } = {},
): Promise<BrokerProcess> {
  const line = [...(options.command ?? []), process.execPath, import.meta.filename, dataDirectory];
  const [program, ...parameters] = [...line, JSON.stringify(options.config ?? {})];
  const child = spawn(program!, parameters, { stdio: ['ignore', 'pipe', 'pipe'] });
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  let errors = '';
  child.stderr.on('data', (chunk: Buffer) => {
    errors += chunk;
  });
  const port = await new Promise<number>((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error(`the broker did not start in time: ${errors}`)), START_TIMEOUT_MS);
    child.stdout.once('data', (chunk: Buffer) => resolve(Number(chunk)));
    child.once('exit', () => reject(new Error(errors)));
    child.once('error', reject);
    child.once('exit', () => clearTimeout(timer));
    child.stdout.once('data', () => clearTimeout(timer));
  });
  const end = async (signal: NodeJS.Signals): Promise<void> => {
    child.kill(signal);
    await ended;
  };
  return { port, child, wire: () => new Wire(port), kill: () => end('SIGKILL'), stop: () => end('SIGTERM') };
}

async function main(): Promise<void> {
  const [dataDirectory, config] = process.argv.slice(2);
  try {
    const broker = await startTestBroker({ dataDirectory: dataDirectory!, config: JSON.parse(config!) });
    process.on('SIGTERM', () => void broker.close().then(() => process.exit(0)));
    process.stdout.write(`${broker.port}\n`);
  } catch (error) {
    const { code, message } = error as { code?: string; message: string };
    process.stderr.write(`${code}: ${message}\n`);
    process.exit(1);
  }
}

if (process.argv[1] === import.meta.filename) await main();
