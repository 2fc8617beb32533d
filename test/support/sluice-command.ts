/** The `sluice` command as a user runs it: a process, what it printed, and how it ended. */
import assert from 'node:assert/strict';
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { JSON_OUTPUT, mismatch } from '../../src/cli/json-output.ts';

/** Runs from compiled code only: the command reads the manifest beside it. */
export const MAIN = fileURLToPath(new URL(`../../src/cli/main${extname(import.meta.filename)}`, import.meta.url));

export interface CommandResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CommandOptions {
  readonly cwd?: string;
  readonly input?: string | Buffer;
  readonly environment?: Readonly<Record<string, string | undefined>>;
}

export class SluiceCommand {
  readonly #environment: NodeJS.ProcessEnv;
  readonly #cwd: string | undefined;

  /** `brokers` is what SLUICE_BROKERS says; the user's own configuration is out of sight. */
  constructor(options: { readonly brokers?: string; readonly cwd?: string; readonly configHome?: string } = {}) {
    const { SLUICE_BROKERS: _, SLUICE_PROFILE: __, ...inherited } = process.env;
    this.#environment = {
      ...inherited,
      NO_COLOR: '1',
      XDG_CONFIG_HOME: options.configHome ?? '/nonexistent',
      ...(options.brokers !== undefined && { SLUICE_BROKERS: options.brokers }),
    };
    this.#cwd = options.cwd;
  }

  run(
    args: readonly string[],
    { cwd = this.#cwd, input = '', environment }: CommandOptions = {},
  ): Promise<CommandResult> {
    return new Promise((resolve) => {
      const env = { ...this.#environment, ...environment };
      const options = { cwd, env, maxBuffer: 2 ** 26 };
      const child = execFile(process.execPath, [MAIN, ...args], options, (error, stdout, stderr) => {
        resolve({ code: typeof error?.code === 'number' ? error.code : error === null ? 0 : -1, stdout, stderr });
      });
      child.stdin?.on('error', () => undefined);
      child.stdin?.end(input);
    });
  }

  /** Runs a command that must succeed; resolves to its standard output. */
  async output(args: readonly string[], options: CommandOptions = {}): Promise<string> {
    const { code, stdout, stderr } = await this.run(args, options);
    assert.equal(code, 0, `sluice ${args.join(' ')}: ${stderr}`);
    return stdout;
  }

  /** The same with --json, held against the shape that is declared for the command (`name`: its words). */
  async json<T>(name: string, args: readonly string[], options: CommandOptions = {}): Promise<T> {
    const output = await this.output([...args, '--json'], options);
    const declared = JSON_OUTPUT[name];
    assert.ok(declared !== undefined, `no shape is declared for ${name}`);
    if (declared.kind === 'value') {
      const parsed: unknown = JSON.parse(output);
      assert.equal(mismatch(parsed, declared.shape), undefined, `${name}: ${output}`);
      return parsed as T;
    }
    const parsed = output
      .split('\n')
      .filter(Boolean)
      .map((line): unknown => JSON.parse(line));
    for (const each of parsed)
      assert.equal(mismatch(each, declared.shape), undefined, `${name}: ${JSON.stringify(each)}`);
    return parsed as T;
  }

  /** A command that goes on; the caller ends it. */
  start(args: readonly string[], environment: Readonly<Record<string, string>> = {}): ChildProcess {
    const env = { ...this.#environment, ...environment };
    return spawn(process.execPath, [MAIN, ...args], { cwd: this.#cwd, env, stdio: ['pipe', 'pipe', 'pipe'] });
  }
}

/** How a process ended. */
export function ended(child: ChildProcess): Promise<number | null> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve(child.exitCode);
  return new Promise((resolve) => child.once('exit', (code) => resolve(code)));
}
