/**
 * The broker under test, for groups: short waits, heartbeats and sessions, on a directory and ports that it keeps when it is
 * killed and started again.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type RunningBroker, unusedPorts } from './broker-process.ts';
import { startTarget, type TargetOptions, targetName } from './target.ts';

/**
 * Kafka loads its groups, and has their sessions begin, seconds before anybody can connect to it: on a busy machine all
 * members were gone by then, and whoever joined first got partitions that others, who could not hear of it, still read.
 */
const SESSION_MS = targetName === 'kafka' ? 15_000 : 6000;

const SETTINGS = {
  'group.initial.rebalance.delay.ms': '200',
  'group.consumer.min.heartbeat.interval.ms': '500',
  'group.consumer.heartbeat.interval.ms': '500',
  'group.consumer.min.session.timeout.ms': String(SESSION_MS),
  'group.consumer.session.timeout.ms': String(SESSION_MS),
  'offsets.topic.num.partitions': '4',
  'offsets.topic.replication.factor': '1',
};

export class GroupBroker {
  readonly #options: TargetOptions & { readonly dataDirectory: string };
  #running: RunningBroker | undefined;

  constructor(options: TargetOptions & { readonly dataDirectory: string }) {
    this.#options = options;
  }

  /** `settings` go over those of all tests of groups. */
  static async start(settings: Readonly<Record<string, string>> = {}): Promise<GroupBroker> {
    const [port, controllerPort] = (await unusedPorts(2)) as [number, number];
    const dataDirectory = mkdtempSync(join(tmpdir(), 'group-broker-'));
    const broker = new GroupBroker({ port, controllerPort, dataDirectory, settings: { ...SETTINGS, ...settings } });
    await broker.restart();
    return broker;
  }

  get port(): number {
    return this.#process.port;
  }

  get bootstrap(): string {
    return this.#process.bootstrap;
  }

  get #process(): RunningBroker {
    if (this.#running === undefined) throw new Error('the broker was never started');
    return this.#running;
  }

  /** kill -9; resolves when the process is gone. */
  async kill(): Promise<void> {
    const { child } = this.#process;
    const gone = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await gone;
  }

  async restart(): Promise<void> {
    this.#running = await startTarget(this.#options);
  }

  async remove(): Promise<void> {
    await this.#running?.remove();
    rmSync(this.#options.dataDirectory, { recursive: true, force: true });
  }
}
