/**
 * Several brokers of one cluster on this machine, each a process of its own: this one, which is also the controller, and
 * children that follow it. For trying out, and for using more than one core. Survives the loss of a child, not of this
 * process or of the machine.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { systemClock } from '../base/clock.ts';
import { SluiceError } from '../base/errors.ts';
import { configurationFrom } from './configuration.ts';
import { remark } from './output.ts';
import { type ForegroundBroker, processAgeMs, runBroker } from './run-broker.ts';
import type { StartOptions } from './start.ts';

/** What a child tells its parent once it serves. */
export interface ReadyMessage {
  readonly ready: string;
}

interface Child {
  readonly brokerId: number;
  readonly process: ChildProcess;
  /** Resolves with the address that clients are told, rejects where the process ended before it served. */
  readonly ready: Promise<string>;
  readonly ended: Promise<void>;
}

/** With three brokers and more, one may be lost and writing goes on. */
const REPLICAS = 3;
const STOP_GRACE_MS = 20_000;

/** Starts `count` brokers; resolves once all of them serve. */
export async function runBrokers(count: number, options: StartOptions): Promise<ForegroundBroker> {
  const set = [...replicationDefaults(count), ...options.set];
  const children: Child[] = [];
  const stopChildren = async (): Promise<void> => {
    await Promise.all(children.map(stopChild));
  };
  const first = await runBroker({ ...options, set }, stopChildren);
  const endpoint = first.broker.advertised[0]!;
  const config = configurationFrom({ ...options, set });
  const [dataDir = ''] = config.get('log.dirs') ?? config.get('log.dir');
  for (let index = 1; index < count; index++) {
    const brokerId = first.broker.brokerId + index;
    const port = config.get('listeners').some((listener) => listener.endsWith(':0')) ? 0 : endpoint.port + index;
    const own = [
      `node.id=${brokerId}`,
      `listeners=${endpoint.protocol}://${endpoint.host}:${port}`,
      `log.dirs=${dataDir}-${brokerId}`,
      'process.roles=broker',
      `controller.quorum.voters=${first.broker.brokerId}@${endpoint.host}:${endpoint.port}`,
    ];
    children.push(startChild(brokerId, [...set, ...own], options));
  }
  const others = await Promise.all(children.map(({ ready }) => ready)).catch(async (error: unknown) => {
    await first.stop();
    throw error;
  });
  const addresses = [first.addresses, ...others].join(',');
  const readyMs = processAgeMs();
  const dataDirectories = [dataDir, ...children.map(({ brokerId }) => `${dataDir}-${brokerId}`)];
  const readyLine = `${count} brokers are ready after ${readyMs} ms: clients connect to ${addresses} (data in ${dataDir} and ${dataDir}-N). The first is the controller: the cluster survives the loss of another, not of the first or of this machine.`;
  return { ...first, addresses, readyLine, readyMs, dataDirectories };
}

/** Unless the user says otherwise, what is there to be tried out is replication. */
function replicationDefaults(count: number): string[] {
  const replicas = Math.min(count, REPLICAS);
  return [
    `default.replication.factor=${replicas}`,
    `offsets.topic.replication.factor=${replicas}`,
    `min.insync.replicas=${replicas === REPLICAS ? 2 : 1}`,
  ];
}

function startChild(brokerId: number, set: readonly string[], options: StartOptions): Child {
  const program = process.argv[1];
  if (program === undefined) throw new SluiceError('START_FAILED', 'this program does not know where it lies');
  const given = [
    ...(options.config === undefined ? [] : ['--config', options.config]),
    '--log-level',
    options.logLevel,
    ...set.flatMap((assignment) => ['--set', assignment]),
  ];
  // A process group of its own: Ctrl-C in a terminal is for the parent alone, which stops the children in order. If the
  // parent is gone, the channel to it closes, and the child stops by itself.
  const child = spawn(process.execPath, [...process.execArgv, program, 'start', ...given], {
    detached: true,
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  const ended = new Promise<void>((resolve) => {
    child.once('exit', (code, signal) => {
      if (code !== 0) remark(`broker ${brokerId} (process ${child.pid}) ended with ${signal ?? `exit code ${code}`}`);
      resolve();
    });
  });
  const ready = new Promise<string>((resolve, reject) => {
    child.once('message', (message) => resolve((message as ReadyMessage).ready));
    void ended.then(() => reject(new SluiceError('START_FAILED', `broker ${brokerId} did not start`)));
  });
  // Somebody else may have failed first.
  ready.catch(() => undefined);
  return { brokerId, process: child, ready, ended };
}

async function stopChild({ process: child, ended }: Child): Promise<void> {
  child.kill('SIGTERM');
  const timer = systemClock.after(STOP_GRACE_MS, () => void child.kill('SIGKILL'));
  await ended;
  timer.cancel();
}
