/** One broker of a cluster as a process that can be started, killed, stopped and held, again and again, on one directory. */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, openSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { endChild, endWithThisProcess } from '../../compat/harness/program.ts';
import { Wire } from '../../support/wire.ts';
import type { FaultyMachine } from './faulty-machine.ts';
import type { Host } from './network.ts';
import type { SmallDisk } from './small-disk.ts';

export interface BrokerCommand {
  readonly command: string;
  readonly parameters: readonly string[];
}

export interface BrokerPlace {
  readonly id: number;
  readonly host: Host;
  readonly port: number;
  /** Holds everything of this broker but its data. */
  readonly home: string;
  readonly dataDirectory: string;
  readonly disk: SmallDisk | undefined;
  readonly machine: FaultyMachine | undefined;
}

/** What a broker says before it is ready may be long ago: only its last words are told. */
const LAST_WORDS = 3000;

export class Broker {
  readonly place: BrokerPlace;
  readonly id: number;
  /** host:port */
  readonly address: string;
  readonly #command: BrokerCommand;
  #child: ChildProcess | undefined;
  /** Held by SIGSTOP. */
  held = false;
  /** Set by whoever means the process to end. */
  #expectsEnd = false;
  /** An end by itself is no failure now. */
  mayEnd = false;
  /** Ends that nobody asked for, in the process's words. */
  readonly unexpectedEnds: string[] = [];

  constructor(place: BrokerPlace, command: BrokerCommand) {
    this.place = place;
    this.id = place.id;
    this.address = `${place.host.address}:${place.port}`;
    this.#command = command;
  }

  get running(): boolean {
    return this.#child !== undefined && this.#child.exitCode === null && this.#child.signalCode === null;
  }

  get pid(): number | undefined {
    return this.running ? this.#child!.pid : undefined;
  }

  start(): void {
    if (this.running) return;
    const { host, machine } = this.place;
    const own = [this.#command.command, ...this.#command.parameters];
    const [command, ...parameters] = [...host.prefix, ...(machine?.prefix ?? []), ...own];
    const output = openSync(this.#outputFile, 'a');
    const child = spawn(command!, parameters, { stdio: ['ignore', output, output], cwd: this.place.home });
    endWithThisProcess(child);
    this.#child = child;
    this.#expectsEnd = false;
    this.held = false;
    child.once('exit', (code, signal) => {
      if (this.#expectsEnd || this.mayEnd) return;
      this.unexpectedEnds.push(`broker ${this.id} ended with ${code ?? signal}:\n${this.lastWords()}`);
    });
  }

  /** SIGKILL; resolves when the process is gone. */
  async kill(): Promise<void> {
    if (!this.running) return;
    this.#expectsEnd = true;
    const gone = new Promise<void>((resolve) => this.#child!.once('exit', () => resolve()));
    this.#child!.kill('SIGKILL');
    await gone;
    this.held = false;
  }

  /** SIGTERM; resolves when the process is gone, with how long that took. */
  async stop(graceMs = 30_000): Promise<{ readonly tookMs: number; readonly insisted: boolean }> {
    const startedAt = performance.now();
    if (!this.running) return { tookMs: 0, insisted: false };
    this.#expectsEnd = true;
    if (this.held) this.resume();
    await endChild(this.#child!, graceMs);
    return { tookMs: performance.now() - startedAt, insisted: this.#child!.signalCode === 'SIGKILL' };
  }

  /** SIGSTOP: connections stay, nothing answers. */
  hold(): void {
    if (!this.running) return;
    this.#child!.kill('SIGSTOP');
    this.held = true;
  }

  /** SIGCONT. */
  resume(): void {
    this.#child?.kill('SIGCONT');
    this.held = false;
  }

  /** Everything in the data directory goes; the process must not run. */
  wipe(): void {
    if (this.running) throw new Error(`broker ${this.id} runs: its directory cannot be wiped`);
    for (const name of readdirSync(this.place.dataDirectory)) {
      rmSync(join(this.place.dataDirectory, name), { recursive: true, force: true });
    }
  }

  wire(): Wire {
    return new Wire(this.place.port, this.place.host.address);
  }

  get #outputFile(): string {
    return join(this.place.home, 'output.log');
  }

  output(): string {
    return existsSync(this.#outputFile) ? readFileSync(this.#outputFile, 'utf8') : '';
  }

  lastWords(): string {
    return this.output().slice(-LAST_WORDS);
  }
}
