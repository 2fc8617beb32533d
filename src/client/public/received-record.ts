/** Records as a program gets them: keys and values are translated when they are looked at, and once. */
import type { LeaderEpoch, Offset, Timestamp } from '../../base/units.ts';
import { type RecordHeader, viewHeaders } from '../../records/reader.ts';
import type { RecordCursor } from '../../records/record-cursor.ts';
import type { FetchedBatch } from '../consumer/fetched-batch.ts';
import { type Deserializer, deserialized } from './serializers.ts';

/** How one consumer reads keys and values. */
export interface Deserializers<K, V> {
  readonly key: Deserializer<K>;
  readonly value: Deserializer<V>;
}

/**
 * A record. `key` and `value` throw DESERIALIZATION_FAILED where they are not what was expected: reading goes on with the
 * next record all the same, and the bytes are in `rawKey` and `rawValue`.
 */
export class ReceivedRecord<K, V> {
  readonly topic: string;
  readonly partition: number;
  /** Milliseconds since the epoch; -1 where the record has none. */
  readonly timestamp: Timestamp;
  readonly leaderEpoch: LeaderEpoch;
  readonly headers: readonly RecordHeader[];
  readonly #deserializers: Deserializers<K, V>;
  /** Where key and value are: most records are asked for one of the two, if at all. */
  readonly #bytes: Buffer;
  readonly #keyAt: number;
  readonly #keyLength: number;
  readonly #valueAt: number;
  readonly #valueLength: number;
  readonly #offset: Offset;
  #key: K | null | undefined;
  #value: V | null | undefined;

  /** The record on which the cursor stands. */
  constructor(batch: FetchedBatch, cursor: RecordCursor, deserializers: Deserializers<K, V>) {
    this.topic = batch.topic;
    this.partition = batch.partition;
    this.timestamp = cursor.timestamp;
    this.leaderEpoch = batch.leaderEpoch;
    this.headers = viewHeaders(cursor);
    this.#deserializers = deserializers;
    this.#bytes = cursor.bytes;
    this.#keyAt = cursor.keyAt;
    this.#keyLength = cursor.keyLength;
    this.#valueAt = cursor.valueAt;
    this.#valueLength = cursor.valueLength;
    this.#offset = cursor.offset;
  }

  get offset(): bigint {
    return BigInt(this.#offset);
  }

  /** The value of the last header of that name, as the last one counts; undefined where there is none. */
  header(name: string): Buffer | null | undefined {
    return this.headers.findLast(({ key }) => key === name)?.value;
  }

  get rawKey(): Buffer | null {
    return view(this.#bytes, this.#keyAt, this.#keyLength);
  }

  get rawValue(): Buffer | null {
    return view(this.#bytes, this.#valueAt, this.#valueLength);
  }

  get key(): K | null {
    if (this.#key === undefined) {
      this.#key = deserialized(this.#deserializers.key, this.rawKey, this.topic, 'key');
    }
    return this.#key;
  }

  /** Null is a tombstone where the topic is compacted. */
  get value(): V | null {
    if (this.#value === undefined) {
      this.#value = deserialized(this.#deserializers.value, this.rawValue, this.topic, 'value');
    }
    return this.#value;
  }

  /** As JSON can hold it: the offset as text, bytes as base64. */
  toJSON(): Record<string, unknown> {
    const { topic, partition, timestamp, headers } = this;
    const shown = headers.map(({ key, value }) => ({ key, value: forJson(value) }));
    const contents = { key: forJson(this.key), value: forJson(this.value) };
    return { topic, partition, offset: String(this.offset), timestamp, ...contents, headers: shown };
  }

  /** What `console.log` shows. */
  [Symbol.for('nodejs.util.inspect.custom')](): object {
    const { topic, partition, offset, timestamp, headers } = this;
    return { topic, partition, offset, timestamp, key: this.#shown('key'), value: this.#shown('value'), headers };
  }

  /** Looking at a record must not fail. */
  #shown(part: 'key' | 'value'): unknown {
    try {
      return this[part];
    } catch {
      return part === 'key' ? this.rawKey : this.rawValue;
    }
  }
}

function view(bytes: Buffer, at: number, length: number): Buffer | null {
  return length < 0 ? null : bytes.subarray(at, at + length);
}

function forJson(content: unknown): unknown {
  if (content instanceof Uint8Array) return Buffer.from(content).toString('base64');
  return typeof content === 'bigint' ? String(content) : content;
}
