/** How a record becomes output: its value, key and value, JSON, or a template in the notation of kcat and rpk. */
import { SluiceError } from '../base/errors.ts';
import type { ConsumedRecord } from '../client/consumer/fetched-batch.ts';
import type { UnpackedRecord } from './record-unpack.ts';

/** The bytes that stand for a record, its line end included; `index` counts printed records from 0. */
export type RecordFormatter = (record: UnpackedRecord, index: number) => Uint8Array;

const NEWLINE = Buffer.from('\n');
const TAB = Buffer.from('\t');
const NOTHING = Buffer.alloc(0);
const PERCENT = Buffer.from('%');

type Piece = RecordFormatter;

interface Token {
  readonly meaning: string;
  /** How to write it without a modifier, and with each that there is: `%v`, `%v{hex}`. */
  readonly as: Readonly<Record<string, Piece>>;
}

const text = (of: (record: UnpackedRecord, index: number) => string | number): Piece => {
  return (record, index) => Buffer.from(String(of(record, index)));
};

function bytesToken(meaning: string, of: (record: ConsumedRecord) => Buffer | null): Token {
  const as = {
    '': (record: ConsumedRecord) => of(record) ?? NOTHING,
    hex: text((record) => of(record)?.toString('hex') ?? ''),
    base64: text((record) => of(record)?.toString('base64') ?? ''),
    json: text((record) => JSON.stringify(jsonValue(of(record)))),
  };
  return { meaning, as };
}

/** Length in bytes, -1 for null; also as kcat's binary form. */
function lengthToken(meaning: string, of: (record: ConsumedRecord) => Buffer | null): Token {
  const stored = (record: UnpackedRecord): Buffer | null => of(record.packed ?? record);
  return {
    meaning,
    as: { '': text((record) => stored(record)?.length ?? -1), big32: (record) => int32(stored(record)) },
  };
}

function int32(bytes: Buffer | null): Buffer {
  const length = Buffer.alloc(4);
  length.writeInt32BE(bytes?.length ?? -1);
  return length;
}

const ofValue = ({ value }: ConsumedRecord): Buffer | null => value;
const ofKey = ({ key }: ConsumedRecord): Buffer | null => key;

/** Every token of a template. `%s`, `%S` and `%R` are kcat's names. */
export const TOKENS: Readonly<Record<string, Token>> = {
  t: { meaning: 'topic', as: { '': text(({ topic }) => topic) } },
  p: { meaning: 'partition', as: { '': text(({ partition }) => partition) } },
  o: { meaning: 'offset', as: { '': text(({ offset }) => offset) } },
  k: bytesToken('key', ofKey),
  v: bytesToken('value', ofValue),
  s: bytesToken('value', ofValue),
  K: lengthToken('bytes of the key', ofKey),
  S: lengthToken('bytes of the value', ofValue),
  V: lengthToken('bytes of the value', ofValue),
  R: {
    meaning: 'bytes of the value as a big-endian 32-bit number',
    as: { '': (record) => int32((record.packed ?? record).value) },
  },
  T: {
    meaning: 'timestamp in milliseconds',
    as: {
      '': text(({ timestamp }) => timestamp),
      s: text(({ timestamp }) => Math.floor(timestamp / 1000)),
      iso: text(({ timestamp }) => (timestamp < 0 ? '-' : new Date(timestamp).toISOString())),
    },
  },
  h: {
    meaning: 'headers as name=value,...',
    as: {
      '': text(({ headers }) => headers.map(({ key, value }) => `${key}=${value?.toString() ?? ''}`).join(',')),
      json: text(({ headers }) => JSON.stringify(jsonHeaders(headers))),
    },
  },
  H: { meaning: 'number of headers', as: { '': text(({ headers }) => headers.length) } },
  e: { meaning: 'leader epoch', as: { '': text(({ leaderEpoch }) => leaderEpoch) } },
  i: { meaning: 'count of printed records, from 1', as: { '': text((_, index) => index + 1) } },
  '%': { meaning: 'a percent sign', as: { '': () => PERCENT } },
};

/** Throws SluiceError INVALID_ARGUMENT for a template with an unknown token. */
export function recordFormatter(format: string): RecordFormatter {
  switch (format) {
    case 'value':
      return ({ value }) => Buffer.concat([value ?? NOTHING, NEWLINE]);
    case 'key-value':
      return ({ key, value }) => Buffer.concat([key ?? NOTHING, TAB, value ?? NOTHING, NEWLINE]);
    case 'json':
      return jsonLine;
    default:
      return template(format);
  }
}

function template(format: string): RecordFormatter {
  const pieces: Piece[] = [];
  for (const part of format.match(/%(?:.(?:\{[^}]*\})?)?|[^%]+/gs) ?? []) {
    if (part.startsWith('%')) pieces.push(tokenOf(part));
    else {
      const literal = unescaped('--format', part);
      pieces.push(() => literal);
    }
  }
  if (!/%[^%]/.test(format)) {
    throw new SluiceError(
      'INVALID_ARGUMENT',
      `--format ${format}: give value, key-value, json, or a template with % tokens`,
    );
  }
  return (record, index) => Buffer.concat(pieces.map((piece) => piece(record, index)));
}

function tokenOf(part: string): Piece {
  const [, name = '', modifier = ''] = /^%(.)(?:\{([^}]*)\})?$/s.exec(part) ?? [];
  const token = Object.hasOwn(TOKENS, name) ? TOKENS[name] : undefined;
  const piece = token !== undefined && Object.hasOwn(token.as, modifier) ? token.as[modifier] : undefined;
  if (piece !== undefined) return piece;
  const known = token === undefined ? Object.keys(TOKENS).map((each) => `%${each}`) : writtenAs(name, token);
  throw new SluiceError('INVALID_ARGUMENT', `--format: ${part} is not known; allowed: ${known.join(' ')}`);
}

/** `%v %v{hex} ...` */
export function writtenAs(name: string, { as }: Token): string[] {
  return Object.keys(as).map((modifier) => (modifier === '' ? `%${name}` : `%${name}{${modifier}}`));
}

const ESCAPES: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t', '0': '\0', '\\': '\\' };

/** Text with `\n`, `\r`, `\t`, `\0`, `\\` and `\xHH` as bytes; another backslash stands for itself. */
export function unescaped(option: string, written: string): Buffer {
  const parts: Buffer[] = [];
  for (const part of written.match(/\\x[0-9a-f]{2}|\\x|\\[nrt0\\]|\\|[^\\]+/gi) ?? []) {
    if (part === '\\x' || part === '\\X') {
      throw new SluiceError('INVALID_ARGUMENT', `${option} ${written}: give two hexadecimal digits behind \\x`);
    }
    if (/^\\x/i.test(part)) parts.push(Buffer.from(part.slice(2), 'hex'));
    else parts.push(Buffer.from(part.length === 2 && part.startsWith('\\') ? (ESCAPES[part[1]!] ?? part) : part));
  }
  return Buffer.concat(parts);
}

function jsonLine(record: ConsumedRecord): Uint8Array {
  const { topic, partition, offset, timestamp, headers } = record;
  const line = {
    topic,
    partition,
    offset,
    timestamp,
    key: jsonValue(record.key),
    value: jsonValue(record.value),
    headers: jsonHeaders(headers),
  };
  return Buffer.from(`${JSON.stringify(line)}\n`);
}

function jsonHeaders(headers: ConsumedRecord['headers']) {
  return headers.map(({ key, value }) => ({ key, value: jsonValue(value) }));
}

/** Text where the bytes are UTF-8, otherwise `{"base64": ...}`: nothing is lost. */
export function jsonValue(bytes: Buffer | null): string | { readonly base64: string } | null {
  if (bytes === null) return null;
  const decoded = bytes.toString('utf8');
  return Buffer.from(decoded, 'utf8').equals(bytes) ? decoded : { base64: bytes.toString('base64') };
}
