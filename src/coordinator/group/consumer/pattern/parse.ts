/**
 * Reads a pattern in RE2's syntax, as Kafka's broker does with RE2/J: what Perl has, less what cannot be matched in
 * linear time (references back, looking ahead and behind, possessive repetition). Whether a repetition is greedy and
 * what a group captures does not matter where only whole names are matched.
 */
import { parseBrackets } from './brackets.ts';
import { parseClassEscape, parseEscape } from './escape.ts';
import { Source } from './source.ts';
import { type Expression, type Place, setOf, singleton } from './syntax.ts';

const MAX_DEPTH = 500;
export const MAX_REPEAT = 1000;

interface Flags {
  readonly ignoreCase: boolean;
  readonly dotMatchesAll: boolean;
}

const EMPTY: Expression = { kind: 'empty' };
const PLACES: Readonly<Record<string, Place>> = {
  A: 'begin',
  z: 'end',
  b: 'word boundary',
  B: 'no word boundary',
};

/** Throws PatternSyntaxError. */
export function parsePattern(text: string): Expression {
  const parser = new Parser(text);
  return parser.parse();
}

class Parser {
  readonly #source: Source;
  readonly #names = new Set<string>();
  #flags: Flags = { ignoreCase: false, dotMatchesAll: false };
  #depth = 0;

  constructor(text: string) {
    this.#source = new Source(text);
  }

  parse(): Expression {
    const expression = this.#choice();
    if (!this.#source.done) throw this.#source.error('unexpected )');
    return expression;
  }

  #choice(): Expression {
    const branches = [this.#sequence()];
    while (this.#source.take('|')) branches.push(this.#sequence());
    return branches.length === 1 ? branches[0]! : { kind: 'choice', branches };
  }

  #sequence(): Expression {
    const source = this.#source;
    const parts: Expression[] = [];
    // Where the last repetition ended: another one right there is an error, not one of the repeated.
    let repeatedAt = -1;
    while (!source.done && !source.sees('|') && !source.sees(')')) {
      const at = source.at;
      const times = this.#repetition();
      if (times === undefined) {
        this.#atom(parts);
        continue;
      }
      const inner = parts.pop();
      if (inner === undefined) throw source.error('missing argument to repetition operator');
      if (repeatedAt === at) throw source.error('invalid nested repetition operator');
      parts.push({ kind: 'repeat', inner, ...times });
      repeatedAt = source.at;
    }
    if (parts.length === 0) return EMPTY;
    return parts.length === 1 ? parts[0]! : { kind: 'sequence', parts };
  }

  /** How often what stands in front is repeated; undefined where something else stands here. */
  #repetition(): { least: number; most: number | undefined } | undefined {
    const source = this.#source;
    let times: { least: number; most: number | undefined } | undefined;
    if (source.take('*')) times = { least: 0, most: undefined };
    else if (source.take('+')) times = { least: 1, most: undefined };
    else if (source.take('?')) times = { least: 0, most: 1 };
    else times = this.#braces();
    if (times !== undefined) source.take('?');
    return times;
  }

  /** `{n}`, `{n,}` or `{n,m}`; anything else that begins with a brace is a brace. */
  #braces(): { least: number; most: number | undefined } | undefined {
    const source = this.#source;
    const match = source.takeMatch(/\{(\d+)(?:(,)(\d*))?\}/y);
    if (match === undefined) return undefined;
    const least = Number(match[1]);
    const most = match[2] === undefined ? least : match[3] === '' ? undefined : Number(match[3]);
    if (least > MAX_REPEAT || (most !== undefined && (most > MAX_REPEAT || most < least))) {
      throw source.error('invalid repeat count');
    }
    return { least, most };
  }

  #atom(parts: Expression[]): void {
    const source = this.#source;
    const { ignoreCase, dotMatchesAll } = this.#flags;
    if (source.take('(')) this.#group(parts);
    else if (source.take('[')) parts.push({ kind: 'set', set: parseBrackets(source, ignoreCase) });
    else if (source.take('^')) parts.push({ kind: 'place', place: 'begin' });
    else if (source.take('$')) parts.push({ kind: 'place', place: 'end' });
    else if (source.take('.')) parts.push({ kind: 'set', set: setOf((code) => dotMatchesAll || code !== 0x0a) });
    else if (source.sees('\\')) this.#escape(parts);
    else parts.push({ kind: 'set', set: singleton(source.next(), ignoreCase) });
  }

  #escape(parts: Expression[]): void {
    const source = this.#source;
    const { ignoreCase } = this.#flags;
    const place = PLACES[source.text[source.at + 1] ?? ''];
    if (place !== undefined) {
      source.at += 2;
      parts.push({ kind: 'place', place });
    } else if (source.take('\\Q')) {
      this.#quoted(parts);
    } else {
      const set = parseClassEscape(source, ignoreCase) ?? singleton(parseEscape(source), ignoreCase);
      parts.push({ kind: 'set', set });
    }
  }

  /** All up to `\E`, or to the end, stands for itself. */
  #quoted(parts: Expression[]): void {
    const source = this.#source;
    while (!source.done && !source.take('\\E')) {
      parts.push({ kind: 'set', set: singleton(source.next(), this.#flags.ignoreCase) });
    }
  }

  #group(parts: Expression[]): void {
    const source = this.#source;
    const outer = this.#flags;
    if (source.take('?')) {
      const opens = this.#groupHead();
      // `(?i)` changes how the rest of the enclosing group is read.
      if (!opens) return;
    }
    this.#depth++;
    if (this.#depth > MAX_DEPTH) throw source.error('nested too deeply');
    parts.push(this.#choice());
    if (!source.take(')')) throw source.error('missing closing )');
    this.#depth--;
    this.#flags = outer;
  }

  /** What stands behind `(?`; false where the group ends with it. */
  #groupHead(): boolean {
    const source = this.#source;
    const named = source.takeMatch(/P?<([A-Za-z0-9_]+)>/y);
    if (named !== undefined) {
      if (this.#names.has(named[1]!)) throw source.error('duplicate capture group name');
      this.#names.add(named[1]!);
      return true;
    }
    const head = source.takeMatch(/([imsU]*)(-[imsU]+)?([:)])/y);
    if (head === undefined) throw source.error('invalid or unsupported Perl syntax');
    this.#flags = withFlags(withFlags(this.#flags, head[1]!, true), head[2] ?? '', false);
    return head[3] === ':';
  }
}

function withFlags(flags: Flags, letters: string, value: boolean): Flags {
  return {
    ignoreCase: letters.includes('i') ? value : flags.ignoreCase,
    dotMatchesAll: letters.includes('s') ? value : flags.dotMatchesAll,
  };
}
