/** Keys and values that are packed numbers, as text: `--unpack key=i` in the notation of kcat's `-s`. */

import { SluiceError } from '../base/errors.ts';
import { partitionName } from '../base/units.ts';
import type { ConsumedRecord } from '../client/consumer/fetched-batch.ts';
import { invalid } from './arguments.ts';

/** A record whose key and value are text by now; the lengths told of it are those of `packed`. */
export type UnpackedRecord = ConsumedRecord & { readonly packed?: ConsumedRecord };
export type RecordUnpacker = (record: ConsumedRecord) => UnpackedRecord;

interface Field {
  readonly bytes: number;
  readonly read: (bytes: Buffer, at: number, isLittle: boolean) => number | bigint | string;
}

const FIELDS: Readonly<Record<string, Field>> = {
  b: { bytes: 1, read: (bytes, at) => bytes.readInt8(at) },
  B: { bytes: 1, read: (bytes, at) => bytes.readUInt8(at) },
  h: { bytes: 2, read: (bytes, at, isLittle) => (isLittle ? bytes.readInt16LE(at) : bytes.readInt16BE(at)) },
  H: { bytes: 2, read: (bytes, at, isLittle) => (isLittle ? bytes.readUInt16LE(at) : bytes.readUInt16BE(at)) },
  i: { bytes: 4, read: (bytes, at, isLittle) => (isLittle ? bytes.readInt32LE(at) : bytes.readInt32BE(at)) },
  I: { bytes: 4, read: (bytes, at, isLittle) => (isLittle ? bytes.readUInt32LE(at) : bytes.readUInt32BE(at)) },
  q: { bytes: 8, read: (bytes, at, isLittle) => (isLittle ? bytes.readBigInt64LE(at) : bytes.readBigInt64BE(at)) },
  Q: { bytes: 8, read: (bytes, at, isLittle) => (isLittle ? bytes.readBigUInt64LE(at) : bytes.readBigUInt64BE(at)) },
  c: { bytes: 1, read: (bytes, at) => bytes.toString('latin1', at, at + 1) },
};

const ALLOWED = 'give bBhHiIqQ, c (a character), s (the rest), $ (the end), < or > (byte order), and spaces';

/** `key=FORMAT`, `value=FORMAT`, or a format for both. Undefined where none is given. Throws INVALID_ARGUMENT. */
export function recordUnpacker(options: readonly string[]): RecordUnpacker | undefined {
  if (options.length === 0) return undefined;
  const formats: { key?: string; value?: string } = {};
  for (const text of options) {
    const [, part, format = text] = /^(key|value)=(.*)$/s.exec(text) ?? [];
    const wrong = [...format].find((token) => !Object.hasOwn(FIELDS, token) && !' <>s$'.includes(token));
    if (format === '' || wrong !== undefined) throw invalid('--unpack', text, ALLOWED);
    if (part !== 'value') formats.key = format;
    if (part !== 'key') formats.value = format;
  }
  const { key, value } = formats;
  return (record) => ({
    ...record,
    key: key === undefined || record.key === null ? record.key : text(record, 'key', record.key, key),
    value: value === undefined || record.value === null ? record.value : text(record, 'value', record.value, value),
    packed: record,
  });
}

function text(record: ConsumedRecord, what: string, bytes: Buffer, format: string): Buffer {
  const found = unpacked(bytes, format);
  if (typeof found !== 'string') return found;
  const place = `${partitionName(record.topic, record.partition)} at offset ${record.offset}`;
  throw new SluiceError('BAD_RECORD', `the ${what} of ${place} is not as --unpack ${format} says: ${found}`, {
    remedy: 'Give the format that it has; without $ more may follow.',
  });
}

/** The text, or where the bytes are unlike the format. */
function unpacked(bytes: Buffer, format: string): Buffer | string {
  const parts: Buffer[] = [];
  let at = 0;
  let isLittle = false;
  for (const token of format) {
    const field = FIELDS[token];
    const left = bytes.length - at;
    if (field !== undefined) {
      if (left < field.bytes) return `${token} needs ${field.bytes} bytes, and ${left} are left`;
      parts.push(Buffer.from(String(field.read(bytes, at, isLittle)), token === 'c' ? 'latin1' : 'utf8'));
      at += field.bytes;
    } else if (token === 's') {
      parts.push(bytes.subarray(at));
      at = bytes.length;
    } else if (token === ' ') parts.push(Buffer.from(' '));
    else if (token !== '$') isLittle = token === '<';
    else if (left > 0) return `${left} bytes are left at the end`;
  }
  return Buffer.concat(parts);
}
