/** `[...]`: sets of characters. */
import { parseClassEscape, parseEscape } from './escape.ts';
import type { Source } from './source.ts';
import { ALPHABET, type CharacterSet, foldCase, invert, POSIX_CLASSES, span } from './syntax.ts';

/** The opening bracket has been read. */
export function parseBrackets(source: Source, ignoreCase: boolean): CharacterSet {
  const isInverted = source.take('^');
  const set = new Uint8Array(ALPHABET);
  let first = true;
  while (first || !source.sees(']')) {
    if (source.done) throw source.error('missing closing ]');
    first = false;
    add(set, parseNamed(source, ignoreCase) ?? parseClassEscape(source, ignoreCase) ?? parseRange(source, ignoreCase));
  }
  source.at++;
  return isInverted ? invert(set) : set;
}

function add(set: CharacterSet, more: CharacterSet): void {
  for (let code = 0; code < ALPHABET; code++) if (more[code] === 1) set[code] = 1;
}

/** `[:alpha:]` or `[:^alpha:]`. */
function parseNamed(source: Source, ignoreCase: boolean): CharacterSet | undefined {
  const named = source.takeMatch(/\[:(\^?)([^\]]*?):\]/y);
  if (named === undefined) return undefined;
  const set = POSIX_CLASSES[named[2]!];
  if (set === undefined) throw source.error('invalid character class range');
  const folded = ignoreCase ? foldCase(set) : set;
  return named[1] === '^' ? invert(folded) : folded;
}

function parseRange(source: Source, ignoreCase: boolean): CharacterSet {
  const low = parseOne(source);
  let high = low;
  if (source.sees('-') && source.at + 1 < source.text.length && source.text[source.at + 1] !== ']') {
    source.at++;
    high = parseOne(source);
  }
  if (high < low) throw source.error('invalid character class range');
  return span(low, high, ignoreCase);
}

function parseOne(source: Source): number {
  if (source.done) throw source.error('missing closing ]');
  return source.sees('\\') ? parseEscape(source) : source.next();
}
