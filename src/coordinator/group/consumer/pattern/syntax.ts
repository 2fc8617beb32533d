/** What a pattern is made of, once parsed. Only ASCII is told apart: names of topics have no other characters. */

export const ALPHABET = 128;

/** By character code: 1 where the character is in the set. */
export type CharacterSet = Uint8Array;

/** Places between characters. */
export type Place = 'begin' | 'end' | 'word boundary' | 'no word boundary';

export type Expression =
  | { readonly kind: 'empty' }
  | { readonly kind: 'set'; readonly set: CharacterSet }
  | { readonly kind: 'place'; readonly place: Place }
  | { readonly kind: 'sequence'; readonly parts: readonly Expression[] }
  | { readonly kind: 'choice'; readonly branches: readonly Expression[] }
  /** `most` undefined: any number of times. */
  | { readonly kind: 'repeat'; readonly inner: Expression; readonly least: number; readonly most: number | undefined };

/** The pattern is none; the message tells why and where. */
export class PatternSyntaxError extends Error {
  override readonly name = 'PatternSyntaxError';
}

export function setOf(contains: (code: number) => boolean): CharacterSet {
  const set = new Uint8Array(ALPHABET);
  for (let code = 0; code < ALPHABET; code++) set[code] = contains(code) ? 1 : 0;
  return set;
}

export function invert(set: CharacterSet): CharacterSet {
  return setOf((code) => set[code] === 0);
}

const range = (from: string, to: string) => (code: number) => code >= from.charCodeAt(0) && code <= to.charCodeAt(0);
const isDigit = range('0', '9');
const isLower = range('a', 'z');
const isUpper = range('A', 'Z');
const isAlpha = (code: number): boolean => isLower(code) || isUpper(code);
const isAlnum = (code: number): boolean => isAlpha(code) || isDigit(code);
export const isWord = (code: number): boolean => isAlnum(code) || code === 0x5f;
const isGraphic = range('!', '~');
const oneOf = (characters: string) => (code: number) => characters.includes(String.fromCharCode(code));

/** `\d`, `\s`, `\w`; the capital letters are the rest. */
export const PERL_CLASSES: Readonly<Record<string, CharacterSet>> = {
  d: setOf(isDigit),
  s: setOf(oneOf('\t\n\f\r ')),
  w: setOf(isWord),
};

/** `[:name:]` inside of brackets. */
export const POSIX_CLASSES: Readonly<Record<string, CharacterSet>> = {
  alnum: setOf(isAlnum),
  alpha: setOf(isAlpha),
  ascii: setOf(() => true),
  blank: setOf(oneOf('\t ')),
  cntrl: setOf((code) => code < 0x20 || code === 0x7f),
  digit: setOf(isDigit),
  graph: setOf(isGraphic),
  lower: setOf(isLower),
  print: setOf((code) => code === 0x20 || isGraphic(code)),
  punct: setOf((code) => isGraphic(code) && !isAlnum(code)),
  space: setOf(oneOf('\t\n\v\f\r ')),
  upper: setOf(isUpper),
  word: setOf(isWord),
  xdigit: setOf((code) => isDigit(code) || range('a', 'f')(code) || range('A', 'F')(code)),
};

/** Characters beyond ASCII that are the same as one within when case does not matter. */
const FOREIGN_CASES: Readonly<Record<number, string>> = { 383: 's', 8490: 'k' };

/** One character; empty for one beyond ASCII. */
export function singleton(code: number, ignoreCase: boolean): CharacterSet {
  const folded = ignoreCase ? FOREIGN_CASES[code] : undefined;
  const own = folded === undefined ? code : folded.charCodeAt(0);
  const set = new Uint8Array(ALPHABET);
  if (own < ALPHABET) set[own] = 1;
  return ignoreCase ? foldCase(set) : set;
}

/** Characters from `low` to `high`. */
export function span(low: number, high: number, ignoreCase: boolean): CharacterSet {
  const set = setOf((code) => code >= low && code <= high);
  if (!ignoreCase) return set;
  for (const [foreign, letter] of Object.entries(FOREIGN_CASES)) {
    if (Number(foreign) >= low && Number(foreign) <= high) set[letter.charCodeAt(0)] = 1;
  }
  return foldCase(set);
}

export function foldCase(set: CharacterSet): CharacterSet {
  const folded = Uint8Array.from(set);
  for (let code = 0; code < ALPHABET; code++) {
    if (set[code] === 1 && isAlpha(code)) folded[code ^ 0x20] = 1;
  }
  return folded;
}
