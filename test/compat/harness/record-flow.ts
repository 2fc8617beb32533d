import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { OffsetSet } from './offset-set.ts';
import { clientsDirectory } from './paths.ts';
import { endWithThisProcess } from './program.ts';
import type { Invocation } from './toolchain.ts';

/** A producer (load.py) that writes until it is told to end, and what of it was acknowledged. */
export class RecordFlow {
  readonly written = new OffsetSet();
  readonly #child: ChildProcess;
  readonly #ended: Promise<unknown>;

  /** `python` is what finds confluent-kafka; its program is put in place of the client's. */
  constructor(python: Invocation, parameters: readonly string[]) {
    const program = join(clientsDirectory, 'python', 'load.py');
    const child = spawn(python.command, [program, ...parameters], {
      env: { ...process.env, ...python.environment },
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    endWithThisProcess(child);
    const lines = createInterface({ input: child.stdout }).on('line', (line) => {
      const [partition, , offset] = line.split(' ');
      if (offset !== undefined && partition !== 'failed') this.written.add(Number(partition), Number(offset));
    });
    this.#child = child;
    this.#ended = new Promise((resolve) => lines.once('close', resolve));
  }

  /** Acknowledged records, all flushed. */
  async end(): Promise<OffsetSet> {
    this.#child.stdin?.end();
    await this.#ended;
    return this.written;
  }
}
