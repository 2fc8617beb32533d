/** What a record takes in a batch, and whether it is one: what slips through here would fail only when it is written. */
import { SluiceError } from '../../base/errors.ts';
import { mostRecordBytes } from '../../records/builder.ts';
import type { ProducerRecord } from './producer.ts';

const FIXED_BYTES = mostRecordBytes({ key: null, value: null });
const MOST_HEADER_BYTES = 10;
/** Kafka's "no timestamp". */
const NO_TIMESTAMP = -1;

/** Upper bound of a record's size in a batch. Throws UNSENDABLE_RECORD, which callers without types run into. */
export function recordBytes({ topic, key, value, headers, timestamp }: ProducerRecord): number {
  if (typeof topic !== 'string' || topic === '') throw unsendable(`its topic is ${String(topic)}`);
  if (timestamp !== undefined && !(Number.isInteger(timestamp) && timestamp >= NO_TIMESTAMP && timestamp < 2 ** 63)) {
    throw unsendable(`its timestamp is ${String(timestamp)}, not milliseconds`);
  }
  let bytes = FIXED_BYTES + contentBytes(key ?? null, 'key') + contentBytes(value ?? null, 'value');
  if (headers === undefined) return bytes;
  for (const header of headers) {
    if (typeof header?.key !== 'string') throw unsendable('a header has no name');
    bytes +=
      MOST_HEADER_BYTES + Buffer.byteLength(header.key) + contentBytes(header.value ?? null, 'value of a header');
  }
  return bytes;
}

function contentBytes(content: Uint8Array | string | null, what: string): number {
  if (content === null) return 0;
  if (typeof content === 'string') return Buffer.byteLength(content);
  if (content instanceof Uint8Array) return content.length;
  throw unsendable(`the ${what} is ${typeof content}, neither bytes nor text`);
}

function unsendable(why: string): SluiceError {
  return new SluiceError('UNSENDABLE_RECORD', `a record cannot be sent: ${why}`, {
    remedy: 'Give a topic, bytes or text (or null), and milliseconds since 1970.',
  });
}
