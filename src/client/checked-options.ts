/** Values of options that a compiler would refuse: programs without one would meet them later, as a timer that never ends. */
import { SluiceError } from '../base/errors.ts';

export interface OptionRules {
  /** Options that are numbers, with the least each may be. */
  readonly atLeast?: Readonly<Record<string, number>>;
  /** Options that are one of a few values. */
  readonly oneOf?: Readonly<Record<string, readonly unknown[]>>;
}

/** Options that are left out are none of this one's business. Throws INVALID_OPTION. */
export function checkOptions(options: object, { atLeast = {}, oneOf = {} }: OptionRules): void {
  const given: Readonly<Record<string, unknown>> = { ...options };
  for (const [name, least] of Object.entries(atLeast)) {
    const value = given[name];
    if (value === undefined || (typeof value === 'number' && value >= least)) continue;
    throw refused(name, value, `Give a number of at least ${least}.`);
  }
  for (const [name, allowed] of Object.entries(oneOf)) {
    const value = given[name];
    if (value === undefined || allowed.includes(value)) continue;
    throw refused(name, value, `Give one of ${allowed.map((each) => JSON.stringify(each)).join(', ')}.`);
  }
}

function refused(name: string, value: unknown, remedy: string): SluiceError {
  const shown = typeof value === 'string' ? `"${value}"` : String(value);
  return new SluiceError('INVALID_OPTION', `${name} cannot be ${shown}`, { remedy });
}
