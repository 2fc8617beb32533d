/** What a backslash begins, inside and outside of brackets. */

import type { Source } from './source.ts';
import { type CharacterSet, foldCase, invert, PERL_CLASSES, setOf } from './syntax.ts';

const CONTROLS: Readonly<Record<string, number>> = { a: 7, f: 12, n: 10, r: 13, t: 9, v: 11 };
const MAX_CODE_POINT = 0x10ffff;

/** `\d`, `\W`, `\pL`, `\P{Greek}`, ...; undefined where none stands here. */
export function parseClassEscape(source: Source, ignoreCase: boolean): CharacterSet | undefined {
  const perl = source.takeMatch(/\\([dDsSwW])/y);
  if (perl !== undefined) {
    const set = PERL_CLASSES[perl[1]!.toLowerCase()]!;
    return perl[1] === perl[1]!.toLowerCase() ? set : invert(set);
  }
  const unicode = source.takeMatch(/\\([pP])(?:\{(\^?)([^{}]*)\}|([^{]))/y);
  if (unicode === undefined) {
    if (source.sees('\\p') || source.sees('\\P')) throw source.error('invalid character class range');
    return undefined;
  }
  const set = unicodeClass(source, unicode[3] ?? unicode[4]!);
  const isInverted = (unicode[1] === 'P') !== (unicode[2] === '^');
  const folded = ignoreCase ? foldCase(set) : set;
  return isInverted ? invert(folded) : folded;
}

function unicodeClass(source: Source, name: string): CharacterSet {
  if (name === 'Any') return setOf(() => true);
  if (!/^[A-Za-z_]+$/.test(name)) throw source.error('invalid character class range');
  for (const property of name.length <= 2 ? [name] : [`Script=${name}`]) {
    try {
      const matcher = new RegExp(`^\\p{${property}}$`, 'u');
      return setOf((code) => matcher.test(String.fromCharCode(code)));
    } catch {
      // The engine knows no such class; what follows tells so.
    }
  }
  throw source.error('invalid character class range');
}

/** One escaped character; the backslash stands here. */
export function parseEscape(source: Source): number {
  source.at++;
  if (source.done) throw source.error('trailing backslash at end of expression');
  const octal = source.takeMatch(/0[0-7]{0,2}|[1-7][0-7]{1,2}/y);
  if (octal !== undefined) return Number.parseInt(octal[0], 8);
  const hex = source.takeMatch(/x(?:([0-9A-Fa-f]{2})|\{([0-9A-Fa-f]+)\})/y);
  if (hex !== undefined) {
    const code = Number.parseInt(hex[1] ?? hex[2]!, 16);
    if (code <= MAX_CODE_POINT) return code;
    throw source.error('invalid escape sequence');
  }
  const code = source.next();
  const character = String.fromCodePoint(code);
  const control = CONTROLS[character];
  if (control !== undefined) return control;
  // Letters and digits without a meaning are kept for meanings to come.
  if (/[0-9A-Za-z]/.test(character)) throw source.error('invalid escape sequence');
  return code;
}
