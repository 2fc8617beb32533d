import { runSuccessfully } from '../test/compat/harness/program.ts';

const PATIENCE_MS = 180_000;

/** Resolves once nothing waits to be written to disks: that slows everybody down, whoever left it there. */
export async function writtenBack(): Promise<void> {
  await runSuccessfully('sync', [], { timeoutMs: PATIENCE_MS });
}
