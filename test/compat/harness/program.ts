/**
 * Runs a foreign program to its end, or starts one that keeps running; bytes in, bytes out, always with a limit on
 * time. It ends only the processes that it started, by their own handle.
 */
import { type ChildProcess, spawn } from 'node:child_process';

export interface ProgramOptions {
  readonly input?: Uint8Array | string;
  readonly timeoutMs?: number;
  readonly environment?: Readonly<Record<string, string>>;
  readonly workingDirectory?: string;
}

export interface ProgramResult {
  /** null when a signal ended it. */
  readonly exitCode: number | null;
  readonly stdout: Buffer;
  readonly stderr: string;
}

const DEFAULT_TIMEOUT_MS = 120_000;

/** Resolves with whatever exit code; rejects when the program cannot start or runs out of time. */
export function runProgram(
  command: string,
  parameters: readonly string[],
  options: ProgramOptions = {},
): Promise<ProgramResult> {
  const timeoutMs = options.timeoutMs ?? DEFAULT_TIMEOUT_MS;
  return new Promise((resolve, reject) => {
    const child = spawn(command, [...parameters], {
      cwd: options.workingDirectory,
      env: { ...process.env, ...options.environment },
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    const stdout: Buffer[] = [];
    const stderr: Buffer[] = [];
    child.stdout.on('data', (chunk: Buffer) => stdout.push(chunk));
    child.stderr.on('data', (chunk: Buffer) => stderr.push(chunk));
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      child.kill('SIGKILL');
    }, timeoutMs);
    child.on('error', (cause) => {
      clearTimeout(timer);
      reject(new Error(`cannot run ${command}`, { cause }));
    });
    child.on('close', (exitCode) => {
      clearTimeout(timer);
      const errors = Buffer.concat(stderr).toString();
      if (late) reject(new Error(`${describe(command, parameters)} ran longer than ${timeoutMs} ms\n${errors}`));
      else resolve({ exitCode, stdout: Buffer.concat(stdout), stderr: errors });
    });
    // A program may end without reading its input; its exit code then tells, not the broken pipe.
    child.stdin.on('error', () => undefined);
    child.stdin.end(options.input ?? '');
  });
}

/** As runProgram, and rejects with the program's own words when it fails. */
export async function runSuccessfully(
  command: string,
  parameters: readonly string[],
  options: ProgramOptions = {},
): Promise<ProgramResult> {
  const result = await runProgram(command, parameters, options);
  if (result.exitCode === 0) return result;
  throw new Error(
    `${describe(command, parameters)} ended with ${result.exitCode}\n${result.stderr}\n${result.stdout.subarray(0, 4000)}`,
  );
}

const living = new Set<ChildProcess>();
process.once('exit', () => {
  for (const child of living) child.kill('SIGKILL');
});

/** Takes the child along should this process end without having ended it. */
export function endWithThisProcess(child: ChildProcess): void {
  living.add(child);
  child.once('exit', () => living.delete(child));
}

/** Ends a child: asks first, insists after `graceMs`. Resolves when it is gone. */
export async function endChild(child: ChildProcess, graceMs: number): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  await new Promise<void>((resolve) => {
    const timer = setTimeout(() => child.kill('SIGKILL'), graceMs);
    child.once('exit', () => {
      clearTimeout(timer);
      resolve();
    });
    child.kill('SIGTERM');
  });
}

function describe(command: string, parameters: readonly string[]): string {
  return `${command} ${parameters.join(' ').slice(0, 300)}`;
}
