/** How a record becomes output: its value, key and value, JSON, or a template in kcat's notation. */
import { SluiceError } from '../base/errors.ts';
import type { ConsumedRecord } from '../client/consumer/fetched-batch.ts';

/** The bytes that stand for a record, its line end included. */
export type RecordFormatter = (record: ConsumedRecord) => Uint8Array;

const NEWLINE = Buffer.from('\n');
const TAB = Buffer.from('\t');
const NOTHING = Buffer.alloc(0);

type Piece = (record: ConsumedRecord) => Uint8Array;

const TOKENS: Readonly<Record<string, Piece>> = {
  t: ({ topic }) => Buffer.from(topic),
  p: ({ partition }) => Buffer.from(String(partition)),
  o: ({ offset }) => Buffer.from(String(offset)),
  T: ({ timestamp }) => Buffer.from(String(timestamp)),
  k: ({ key }) => key ?? NOTHING,
  v: ({ value }) => value ?? NOTHING,
  h: ({ headers }) => Buffer.from(headers.map(({ key, value }) => `${key}=${value?.toString() ?? ''}`).join(',')),
  '%': () => Buffer.from('%'),
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
  for (const part of format.match(/%.?|\\[nt\\]|[^%\\]+|\\/gs) ?? []) {
    if (part.startsWith('%')) pieces.push(tokenOf(part));
    else {
      const text = Buffer.from(part === '\\n' ? '\n' : part === '\\t' ? '\t' : part === '\\\\' ? '\\' : part);
      pieces.push(() => text);
    }
  }
  if (!pieces.length || !/%[^%]/.test(format)) {
    throw new SluiceError(
      'INVALID_ARGUMENT',
      `--format ${format}: value, key-value, json, or a template with % tokens`,
    );
  }
  return (record) => Buffer.concat(pieces.map((piece) => piece(record)));
}

function tokenOf(part: string): Piece {
  const piece = TOKENS[part.slice(1)];
  if (piece !== undefined) return piece;
  const allowed = Object.keys(TOKENS).map((name) => `%${name}`);
  throw new SluiceError('INVALID_ARGUMENT', `--format: ${part} is not known; allowed: ${allowed.join(' ')}`);
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
    headers: headers.map(({ key, value }) => ({ key, value: jsonValue(value) })),
  };
  return Buffer.from(`${JSON.stringify(line)}\n`);
}

/** Text where the bytes are UTF-8, otherwise `{"base64": ...}`: nothing is lost. */
export function jsonValue(bytes: Buffer | null): string | { readonly base64: string } | null {
  if (bytes === null) return null;
  const text = bytes.toString('utf8');
  return Buffer.from(text, 'utf8').equals(bytes) ? text : { base64: bytes.toString('base64') };
}
