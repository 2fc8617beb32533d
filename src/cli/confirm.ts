import { createInterface } from 'node:readline/promises';
import { SluiceError } from '../base/errors.ts';

/**
 * Asks whoever is at the terminal, unless the answer was given with the command; a script, whose input is no terminal, is
 * taken at its word. Throws a SluiceError NOT_CONFIRMED.
 */
export async function confirm(question: string, { yes }: { readonly yes: boolean }): Promise<void> {
  if (yes || !process.stdin.isTTY) return;
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  const answer = await terminal.question(`${question} [y/N] `);
  terminal.close();
  if (!/^y(es)?$/i.test(answer.trim())) throw new SluiceError('NOT_CONFIRMED', 'nothing was changed');
}
