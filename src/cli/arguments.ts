/** Reads values of command line arguments; what does not fit gives a SluiceError that says what would. */
import { SluiceError } from '../base/errors.ts';

/** A whole number of at least `least`. */
export function wholeNumber(option: string, text: string, least = 0): number {
  const value = Number(text);
  if (Number.isSafeInteger(value) && value >= least && text.trim() !== '') return value;
  throw new SluiceError('INVALID_ARGUMENT', `${option} ${text}: give a whole number of at least ${least}`);
}

/** `KEY=VALUE`; the value may hold further equals signs. */
export function keyAndValue(option: string, text: string): readonly [key: string, value: string] {
  const at = text.indexOf('=');
  if (at < 1) throw new SluiceError('INVALID_ARGUMENT', `${option} ${text}: give it as KEY=VALUE`);
  return [text.slice(0, at).trim(), text.slice(at + 1).trim()];
}

const HIGHEST_PORT = 65_535;

/** A port to listen on; 0 asks for a free one. */
export function portNumber(text: string): number {
  const port = wholeNumber('--port', text);
  if (port <= HIGHEST_PORT) return port;
  throw new SluiceError('INVALID_ARGUMENT', `--port ${text}: give a number from 0 to ${HIGHEST_PORT}`);
}
