/**
 * How one option is declared: type, default, range, documentation and how it may be changed at run time. Values are
 * kept as text (what a user wrote, what Kafka's tools show); `parseValue` gives the typed form. Nothing here knows
 * which options exist.
 */

/** Kafka's ConfigDef types. A `password` is never shown. */
export type OptionType = 'boolean' | 'short' | 'int' | 'long' | 'double' | 'string' | 'list' | 'class' | 'password';

/** Whether a running broker takes a new value, and for whom (KIP-226). */
export type UpdateMode = 'read-only' | 'cluster-wide' | 'per-broker';

/**
 * Why an option changes nothing: `later` belongs to a part of the product that does not exist yet, `never` tunes a
 * mechanism that this broker has no equivalent of (thread pools, Java classes).
 */
export type Inert = 'later' | 'never';

/** Another option that gives the value where this one is unset: its number is multiplied by `times`. */
export interface Fallback {
  readonly option: string;
  readonly times: number;
}

export type OptionValue = boolean | number | string | readonly string[] | null;

declare const valueType: unique symbol;

/** One declared option. `Value` is what `parseValue` yields for it. */
export interface Option<Value extends OptionValue = OptionValue> {
  readonly [valueType]?: Value;
  readonly type: OptionType;
  /** The default as text; null where the option is unset unless given. */
  readonly default: string | null;
  /** One line in our own words. */
  readonly doc: string;
  readonly mode: UpdateMode;
  readonly inert: Inert | undefined;
  readonly fallbacks: readonly Fallback[];
  readonly min: number | undefined;
  readonly max: number | undefined;
  /** The only values allowed (each element, for a list). */
  readonly allowed: readonly string[] | undefined;
  /** Compares `allowed` without regard to case. */
  readonly ignoreCase: boolean;
  /** Lists only: whether it may be empty. */
  readonly mayBeEmpty: boolean;
  /** A rule of its own, with what it allows in words. */
  readonly check: { readonly accepts: (text: string) => boolean; readonly allowed: string } | undefined;
  /** For tests of this program: taken, but neither listed nor documented. */
  readonly internal: boolean;
}

/** The value of an option after parsing. */
export type ValueOf<O> = O extends Option<infer Value> ? Value : never;

interface Shared {
  readonly mode?: UpdateMode;
  readonly inert?: Inert;
  readonly fallbacks?: readonly Fallback[];
  readonly check?: { readonly accepts: (text: string) => boolean; readonly allowed: string };
  readonly internal?: boolean;
}

interface NumberSpec extends Shared {
  readonly default: number | null;
  readonly min?: number;
  readonly max?: number;
}

interface TextSpec extends Shared {
  readonly default: string | null;
  readonly allowed?: readonly string[];
  readonly ignoreCase?: boolean;
}

interface ListSpec extends Shared {
  readonly default: string | null;
  readonly allowed?: readonly string[];
  readonly mayBeEmpty?: boolean;
}

/** A number where the option has a default or a fallback, else it may be null. */
type NumberOf<S extends NumberSpec> = S['default'] extends null
  ? S extends { readonly fallbacks: readonly Fallback[] }
    ? number
    : number | null
  : number;
type TextOf<S extends TextSpec> = S['default'] extends null
  ? string | null
  : S extends { readonly allowed: readonly (infer A extends string)[] }
    ? A
    : string;
type ListOf<S extends ListSpec> = S['default'] extends null
  ? S extends { readonly fallbacks: readonly Fallback[] }
    ? readonly string[]
    : readonly string[] | null
  : readonly string[];

/** Java's Long.MAX_VALUE, which Kafka uses for "no limit". As a number it is the nearest double. */
export const LONG_MAX = 2 ** 63;
const LONG_MAX_TEXT = '9223372036854775807';
const LONG_MIN_TEXT = '-9223372036854775808';
export const INT_MAX = 2 ** 31 - 1;
export const DOUBLE_MAX = Number.MAX_VALUE;

function declare<Value extends OptionValue>(
  type: OptionType,
  defaultText: string | null,
  spec: Shared & Partial<Pick<Option, 'min' | 'max' | 'allowed' | 'ignoreCase' | 'mayBeEmpty'>>,
  doc: string,
): Option<Value> {
  return {
    type,
    default: defaultText,
    doc,
    mode: spec.mode ?? 'read-only',
    inert: spec.inert,
    fallbacks: spec.fallbacks ?? [],
    min: spec.min,
    max: spec.max,
    allowed: spec.allowed,
    ignoreCase: spec.ignoreCase ?? false,
    mayBeEmpty: spec.mayBeEmpty ?? false,
    check: spec.check,
    internal: spec.internal ?? false,
  };
}

export function bool(spec: Shared & { readonly default: boolean }, doc: string): Option<boolean> {
  return declare('boolean', String(spec.default), spec, doc);
}

export function short<const S extends NumberSpec>(spec: S, doc: string): Option<NumberOf<S>> {
  return declare('short', numberText('short', spec.default), spec, doc);
}

export function int<const S extends NumberSpec>(spec: S, doc: string): Option<NumberOf<S>> {
  return declare('int', numberText('int', spec.default), spec, doc);
}

export function long<const S extends NumberSpec>(spec: S, doc: string): Option<NumberOf<S>> {
  return declare('long', numberText('long', spec.default), spec, doc);
}

export function double<const S extends NumberSpec>(spec: S, doc: string): Option<NumberOf<S>> {
  return declare('double', numberText('double', spec.default), spec, doc);
}

export function string<const S extends TextSpec>(spec: S, doc: string): Option<TextOf<S>> {
  return declare('string', spec.default, spec, doc);
}

export function list<const S extends ListSpec>(spec: S, doc: string): Option<ListOf<S>> {
  return declare('list', spec.default, spec, doc);
}

/** A Java class name in Kafka: accepted so that existing files start, without effect unless a room says otherwise. */
export function className(spec: Shared & { readonly default: string | null }, doc: string): Option<string | null> {
  return declare('class', spec.default, spec, doc);
}

export function password(spec: Shared, doc: string): Option<string | null> {
  return declare('password', null, spec, doc);
}

/** Whether the value must not be shown to anybody. */
export const isSensitive = (option: Option): boolean => option.type === 'password';

const BOUNDS: Partial<Record<OptionType, { readonly min: bigint; readonly max: bigint }>> = {
  short: { min: -32768n, max: 32767n },
  int: { min: -(2n ** 31n), max: 2n ** 31n - 1n },
  long: { min: BigInt(LONG_MIN_TEXT), max: BigInt(LONG_MAX_TEXT) },
};

/** Either a parsed value or what is wrong with the text, as the words that follow "allowed: ". */
export type Parsed =
  | { readonly ok: true; readonly value: OptionValue }
  | { readonly ok: false; readonly allowed: string };

/** Reads and checks the text of a value. Numbers beyond the safe integers become the nearest double. */
export function parseValue(option: Option, raw: string): Parsed {
  const text = option.type === 'password' ? raw : raw.trim();
  const value = typedValue(option, text);
  if (value === undefined || !withinRange(option, value)) return { ok: false, allowed: describeAllowed(option) };
  if (option.check !== undefined && !option.check.accepts(text)) return { ok: false, allowed: option.check.allowed };
  return { ok: true, value };
}

function typedValue(option: Option, text: string): OptionValue | undefined {
  switch (option.type) {
    case 'boolean':
      return /^true$/i.test(text) ? true : /^false$/i.test(text) ? false : undefined;
    case 'short':
    case 'int':
    case 'long':
      return wholeNumber(option.type, text);
    case 'double':
      return /^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/.test(text) ? Number(text) : undefined;
    case 'list':
      // An element that stands twice counts once, as in Kafka.
      return [...new Set(splitList(text))];
    default:
      return canonicalWord(option, text);
  }
}

function wholeNumber(type: OptionType, text: string): number | undefined {
  if (!/^[+-]?\d{1,20}$/.test(text)) return undefined;
  const exact = BigInt(text.replace(/^\+/, ''));
  const bounds = BOUNDS[type]!;
  return exact < bounds.min || exact > bounds.max ? undefined : Number(exact);
}

/** Splits at commas with white space around them; the empty text is the empty list. */
export function splitList(text: string): readonly string[] {
  return text.trim() === '' ? [] : text.trim().split(/\s*,\s*/);
}

function canonicalWord(option: Option, text: string): string {
  if (option.allowed === undefined || !option.ignoreCase) return text;
  return option.allowed.find((word) => word.toLowerCase() === text.toLowerCase()) ?? text;
}

function withinRange(option: Option, value: OptionValue): boolean {
  if (typeof value === 'number') {
    if (option.check !== undefined) return true;
    return (option.min === undefined || value >= option.min) && (option.max === undefined || value <= option.max);
  }
  if (typeof value === 'string') {
    return option.allowed === undefined || option.allowed.includes(value);
  }
  if (Array.isArray(value)) {
    if (value.length === 0) return option.mayBeEmpty;
    if (value.includes('')) return false;
    return option.allowed === undefined || value.every((item) => option.allowed!.includes(item));
  }
  return true;
}

const TYPE_WORDS: Record<OptionType, string> = {
  boolean: 'true or false',
  short: 'a whole number',
  int: 'a whole number',
  long: 'a whole number',
  double: 'a number',
  string: 'text',
  list: 'a comma-separated list',
  class: 'text',
  password: 'text',
};

/** What an option accepts, in words. */
export function describeAllowed(option: Option): string {
  if (option.check !== undefined) return option.check.allowed;
  if (option.allowed !== undefined) {
    const words = option.allowed.join(', ');
    return option.type === 'list' ? `a list of: ${words}` : `one of: ${words}`;
  }
  const words = TYPE_WORDS[option.type];
  if (option.type === 'list') return option.mayBeEmpty ? `${words}` : `${words}, not empty`;
  if (option.min !== undefined && option.max !== undefined) return `${words} from ${option.min} to ${option.max}`;
  if (option.min !== undefined) return `${words} of at least ${option.min}`;
  return words;
}

/**
 * The text that Kafka shows for a value it has parsed: numbers and booleans in their plain form, lists joined by a bare
 * comma. Text that is no value of the option comes back as it is.
 */
export function canonicalText(option: Option, raw: string): string {
  const parsed = parseValue(option, raw);
  if (!parsed.ok || parsed.value === null) return raw;
  if (typeof parsed.value === 'number') {
    return option.type === 'double' ? doubleText(parsed.value) : BigInt(raw.trim().replace(/^\+/, '')).toString();
  }
  return typeof parsed.value === 'object' ? parsed.value.join(',') : String(parsed.value);
}

/** Numbers as Java prints them; what is beyond the range of a long is its limit. */
export function numberText(type: OptionType, value: number | null): string | null {
  if (value === null) return null;
  if (type === 'double') return doubleText(value);
  if (value >= LONG_MAX) return LONG_MAX_TEXT;
  if (value <= -LONG_MAX) return LONG_MIN_TEXT;
  return BigInt(value).toString();
}

/** Java's Double.toString: plain between 1e-3 and 1e7, else with an exponent; always with a fraction. */
function doubleText(value: number): string {
  const size = Math.abs(value);
  if (value === 0 || (size >= 1e-3 && size < 1e7)) {
    const plain = String(value);
    return plain.includes('.') ? plain : `${plain}.0`;
  }
  const [digits, exponent] = value.toExponential().split('e') as [string, string];
  return `${digits.includes('.') ? digits : `${digits}.0`}E${Number(exponent)}`;
}
