/** A program of the workload: a foreign client in a process of its own whose lines go to the recorder. */
import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { endWithThisProcess } from '../../compat/harness/program.ts';
import type { Invocation } from '../../compat/harness/toolchain.ts';
import type { Recorder } from './recorder.ts';

export type Role = 'produce' | 'read' | 'fresh' | 'member';

export interface WorkloadSettings {
  readonly bootstrap: string;
  readonly topic: string;
  readonly partitions: number;
  /** Names it in the history. */
  readonly process: string;
  /** Of producers: their first value, and how many a second. */
  readonly first?: number;
  readonly rate?: number;
  readonly compression?: string;
  /** Of members. */
  readonly group?: string;
  readonly protocol?: 'classic' | 'consumer';
}

const LAST_ERRORS = 4000;

export class WorkloadProcess {
  /** The client library's name. */
  readonly client: string;
  readonly role: Role;
  readonly settings: WorkloadSettings;
  readonly #child: ChildProcess;
  readonly #ended: Promise<void>;
  #errors = '';
  #ending = false;
  /** Set where it ended before it was asked to. */
  failure: string | undefined;

  constructor(
    { client, program }: { readonly client: string; readonly program: Invocation },
    role: Role,
    settings: WorkloadSettings,
    recorder: Recorder,
  ) {
    this.client = client;
    this.role = role;
    this.settings = settings;
    const parameters = [...program.parameters, role, JSON.stringify(settings)];
    const environment = { ...process.env, ...program.environment };
    this.#child = spawn(program.command, parameters, { stdio: ['pipe', 'pipe', 'pipe'], env: environment });
    endWithThisProcess(this.#child);
    this.#child.stderr!.on('data', (chunk: Buffer) => {
      this.#errors = (this.#errors + chunk.toString()).slice(-LAST_ERRORS);
    });
    // Gone already: its end tells why.
    this.#child.stdin!.on('error', () => undefined);
    const lines = createInterface({ input: this.#child.stdout! });
    lines.on('line', (line) => recorder.takeText(line));
    const closed = new Promise<void>((resolve) => lines.once('close', resolve));
    const gone = new Promise<void>((resolve) => {
      this.#child.once('exit', (code, signal) => {
        if (code !== 0 || (!this.#ending && role !== 'fresh')) {
          this.failure = `${settings.process} ended with ${code ?? signal}: ${this.#errors}`;
        }
        resolve();
      });
    });
    this.#ended = Promise.all([closed, gone]).then(() => undefined);
  }

  /** Resolves when it has ended by itself. */
  ended(): Promise<void> {
    return this.#ended;
  }

  /** Lets it finish what is under way. Resolves when it has ended, killed after `graceMs`. */
  async finish(graceMs = 100_000): Promise<void> {
    this.#ending = true;
    this.#child.stdin!.end();
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), graceMs);
    await this.#ended;
    clearTimeout(timer);
  }

  /** Whether nobody asked it to end yet. */
  get running(): boolean {
    return !this.#ending;
  }

  /** As of a client whose machine fails. */
  async kill(): Promise<void> {
    this.#ending = true;
    this.#child.kill('SIGKILL');
    await this.#ended;
    this.failure = undefined;
  }
}
