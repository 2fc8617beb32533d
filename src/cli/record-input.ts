/** How input becomes records: cut by a delimiter, and each piece read by a template, as JSON, or as a value. */
import { SluiceError } from '../base/errors.ts';
import type { ProducerRecord } from '../client/producer/producer.ts';
import { unescaped } from './record-format.ts';

/** A record as the input tells it; the rest comes from options. */
export type InputRecord = Pick<ProducerRecord, 'key' | 'value'> &
  Partial<Pick<ProducerRecord, 'topic' | 'partition' | 'headers' | 'timestamp'>>;

export interface RecordInput {
  /** What ends a record in the input. */
  readonly delimiter: Buffer;
  /** Throws SluiceError BAD_INPUT for a piece that is no such record. */
  readonly read: (piece: Buffer) => InputRecord;
  /** Whether records go to topics that they name themselves. */
  readonly namesTopics: boolean;
}

export interface InputOptions {
  readonly format?: string;
  readonly delimiter?: string;
  readonly keySeparator?: string;
}

const NEWLINE = Buffer.from('\n');

/** Throws SluiceError INVALID_ARGUMENT. */
export function recordInput(options: InputOptions): RecordInput {
  const { format, delimiter, keySeparator } = options;
  const end = delimiter === undefined ? NEWLINE : unescaped('--delimiter', delimiter);
  if (end.length === 0) throw new SluiceError('INVALID_ARGUMENT', '--delimiter: give at least one character');
  if (format === undefined) {
    return { delimiter: end, read: keySeparator === undefined ? asValue : split(keySeparator), namesTopics: false };
  }
  if (keySeparator !== undefined) throw new SluiceError('INVALID_ARGUMENT', 'give one of --format and --key-separator');
  if (format === 'value') return { delimiter: end, read: asValue, namesTopics: false };
  if (format === 'json') return { delimiter: end, read: fromJson, namesTopics: false };
  const template = templateOf(format);
  return { ...template, delimiter: template.end.length === 0 ? end : template.end };
}

const asValue = (value: Buffer): InputRecord => ({ value });

function split(keySeparator: string): (line: Buffer) => InputRecord {
  const separator = unescaped('--key-separator', keySeparator);
  if (separator.length === 0) throw new SluiceError('INVALID_ARGUMENT', '--key-separator: give at least one character');
  return (line) => {
    const at = line.indexOf(separator);
    if (at === -1) {
      throw new SluiceError('KEY_SEPARATOR_MISSING', `a line has no "${keySeparator}": ${shown(line)}`, {
        remedy: 'Give the separator that the lines have, or leave --key-separator out.',
      });
    }
    return { key: line.subarray(0, at), value: line.subarray(at + separator.length) };
  };
}

/** Fields of a record that a template may name. */
export const INPUT_TOKENS: Readonly<Record<string, string>> = {
  k: 'key',
  v: 'value',
  s: 'value',
  t: 'topic',
  p: 'partition',
  T: 'timestamp in milliseconds',
};

interface Template {
  /** What stands behind the last field. */
  readonly end: Buffer;
  readonly read: (piece: Buffer) => InputRecord;
  readonly namesTopics: boolean;
}

/** `%k=%v\n`: fields with text between them, by which they are told apart. */
function templateOf(format: string): Template {
  const parts = format.match(/%.?|(?:[^%])+/gs) ?? [];
  const fields: string[] = [];
  /** Before each field, and behind the last. */
  const texts: Buffer[] = [Buffer.alloc(0)];
  for (const part of parts) {
    const isField = part.startsWith('%') && part !== '%%';
    if (isField) {
      fields.push(fieldOf(part));
      texts.push(Buffer.alloc(0));
    } else
      texts[texts.length - 1] = Buffer.concat([
        texts.at(-1)!,
        part === '%%' ? Buffer.from('%') : unescaped('--format', part),
      ]);
  }
  if (!fields.includes('v')) {
    throw new SluiceError('INVALID_ARGUMENT', `--format ${format}: give value, json, or a template with %v`);
  }
  const untold = texts.slice(1, -1).findIndex((text) => text.length === 0);
  if (untold !== -1) {
    throw new SluiceError('INVALID_ARGUMENT', `--format ${format}: there must be text between one field and the next`);
  }
  const read = (piece: Buffer): InputRecord => recordOf(cut(piece, texts, fields, format));
  return { end: texts.at(-1)!, read, namesTopics: fields.includes('t') };
}

function fieldOf(part: string): string {
  const name = part.slice(1);
  if (Object.hasOwn(INPUT_TOKENS, name)) return name === 's' ? 'v' : name;
  const allowed = Object.keys(INPUT_TOKENS).map((each) => `%${each}`);
  throw new SluiceError('INVALID_ARGUMENT', `--format: ${part} is not known; allowed: ${allowed.join(' ')} %%`);
}

function cut(piece: Buffer, texts: readonly Buffer[], fields: readonly string[], format: string): Map<string, Buffer> {
  const found = new Map<string, Buffer>();
  const before = texts[0]!;
  if (!piece.subarray(0, before.length).equals(before)) throw unlike(piece, format);
  let from = before.length;
  for (const [index, name] of fields.entries()) {
    const isLast = index === fields.length - 1;
    const behind = texts[index + 1]!;
    const end = isLast ? piece.length : piece.indexOf(behind, from);
    if (end === -1) throw unlike(piece, format);
    found.set(name, piece.subarray(from, end));
    from = end + behind.length;
  }
  return found;
}

function recordOf(fields: ReadonlyMap<string, Buffer>): InputRecord {
  const number = (name: 'p' | 'T'): number | undefined => {
    const bytes = fields.get(name);
    if (bytes === undefined) return undefined;
    const value = Number(bytes.toString());
    if (bytes.length > 0 && Number.isSafeInteger(value) && value >= 0) return value;
    throw badInput(`%${name}: "${bytes}" is no ${INPUT_TOKENS[name]}`);
  };
  return {
    ...(fields.has('t') && { topic: fields.get('t')!.toString() }),
    ...(fields.has('p') && { partition: number('p')! }),
    ...(fields.has('T') && { timestamp: number('T')! }),
    key: fields.get('k') ?? null,
    value: fields.get('v')!,
  };
}

/** A line of `consume --json`, of which `value` alone must be there. */
function fromJson(line: Buffer): InputRecord {
  let parsed: unknown;
  try {
    parsed = JSON.parse(line.toString('utf8'));
  } catch {
    throw badInput(`a line is no JSON: ${shown(line)}`);
  }
  if (typeof parsed !== 'object' || parsed === null || !('value' in parsed)) {
    throw badInput(`a line is no object with a value: ${shown(line)}`);
  }
  const { topic, partition, timestamp, key, value, headers } = parsed as Readonly<Record<string, unknown>>;
  return {
    ...(typeof topic === 'string' && { topic }),
    ...(Number.isSafeInteger(partition) && { partition: partition as number }),
    ...(Number.isSafeInteger(timestamp) && (timestamp as number) >= 0 && { timestamp: timestamp as number }),
    key: bytesOf(key),
    value: bytesOf(value),
    ...(Array.isArray(headers) && { headers: headers.map(headerOf) }),
  };
}

function headerOf(header: unknown): { key: string; value: Buffer | null } {
  const { key, value } = (header ?? {}) as Readonly<Record<string, unknown>>;
  if (typeof key !== 'string') throw badInput('a header has no key');
  return { key, value: bytesOf(value) };
}

/** Text, `{"base64": ...}`, null; anything else is taken as the JSON that it is. */
function bytesOf(value: unknown): Buffer | null {
  if (value === null || value === undefined) return null;
  if (typeof value === 'string') return Buffer.from(value);
  const { base64 } = value as { readonly base64?: unknown };
  if (typeof base64 === 'string' && Object.keys(value as object).length === 1) return Buffer.from(base64, 'base64');
  return Buffer.from(JSON.stringify(value));
}

function unlike(piece: Buffer, format: string): SluiceError {
  return badInput(`a record is not as --format ${format} says: ${shown(piece)}`);
}

function badInput(message: string): SluiceError {
  return new SluiceError('BAD_INPUT', message, { remedy: 'Mend the input, or give the format that it has.' });
}

function shown(bytes: Buffer): string {
  return bytes.subarray(0, 60).toString('utf8');
}
