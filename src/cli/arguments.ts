/** Reads values of command line arguments; what does not fit gives a SluiceError that says what would. */
import { SluiceError } from '../base/errors.ts';

/** Gathers the values of an option that may be given several times. */
export function collect(value: string, previous: readonly string[]): readonly string[] {
  return [...previous, value];
}

/** A whole number of at least `least`. */
export function wholeNumber(option: string, text: string, least = 0): number {
  const value = Number(text);
  if (Number.isSafeInteger(value) && value >= least && text.trim() !== '') return value;
  throw invalid(option, text, `give a whole number of at least ${least}`);
}

/** `KEY=VALUE`; the value may hold further equals signs. */
export function keyAndValue(option: string, text: string): readonly [key: string, value: string] {
  const at = text.indexOf('=');
  if (at < 1) throw invalid(option, text, 'give it as KEY=VALUE');
  return [text.slice(0, at).trim(), text.slice(at + 1).trim()];
}

const HIGHEST_PORT = 65_535;

/** A port to listen on; 0 asks for a free one. */
export function portNumber(text: string): number {
  const port = wholeNumber('--port', text);
  if (port <= HIGHEST_PORT) return port;
  throw invalid('--port', text, `give a number from 0 to ${HIGHEST_PORT}`);
}

const MOST_NUMBERS = 1_000_000;

/** `0`, `0,2` or `0-3,7`: numbers and ranges of them, in ascending order and each once. */
export function numberList(option: string, text: string): number[] {
  const numbers = new Set<number>();
  for (const part of text.split(',')) {
    const range = /^\s*(\d+)(?:\s*-\s*(\d+))?\s*$/.exec(part);
    const [from, to] = [Number(range?.[1]), Number(range?.[2] ?? range?.[1])];
    if (range === null || to < from || to - from + numbers.size >= MOST_NUMBERS) {
      throw invalid(option, text, 'give numbers and ranges, as in 0,2 or 0-3');
    }
    for (let number = from; number <= to; number++) numbers.add(number);
  }
  return [...numbers].sort((left, right) => left - right);
}

const UNITS: Readonly<Record<string, number>> = {
  ...{ '': 1, b: 1, k: 2 ** 10, m: 2 ** 20, g: 2 ** 30, t: 2 ** 40 },
  ...{ kb: 1e3, mb: 1e6, gb: 1e9, tb: 1e12, kib: 2 ** 10, mib: 2 ** 20, gib: 2 ** 30, tib: 2 ** 40 },
};

/** `1048576`, `50MiB`, `1.5GB`: at least one byte. */
export function byteCount(option: string, text: string): number {
  const match = /^(\d+(?:\.\d+)?)\s*([a-z]*)$/i.exec(text.trim());
  const unit = UNITS[match?.[2]?.toLowerCase() ?? ''];
  const bytes = match === null || unit === undefined ? 0 : Math.floor(Number(match[1]) * unit);
  if (Number.isSafeInteger(bytes) && bytes >= 1) return bytes;
  throw invalid(option, text, 'give bytes, as in 1048576 or 50MiB');
}

/** A regular expression in JavaScript's notation. */
export function pattern(option: string, text: string): RegExp {
  try {
    return new RegExp(text, 'u');
  } catch (error) {
    throw invalid(option, text, error instanceof Error ? error.message : 'give a regular expression');
  }
}

export function invalid(option: string, text: string, allowed: string): SluiceError {
  return new SluiceError('INVALID_ARGUMENT', `${option} ${text}: ${allowed}`);
}
