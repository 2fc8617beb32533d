/** Records as a program gets them: keys and values are translated when they are looked at, and once. */
import type { LeaderEpoch, Timestamp } from '../../base/units.ts';
import type { RecordHeader } from '../../records/reader.ts';
import type { ConsumedRecord } from '../consumer/fetched-batch.ts';
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
  readonly #record: ConsumedRecord;
  readonly #deserializers: Deserializers<K, V>;
  #key: K | null | undefined;
  #value: V | null | undefined;

  constructor(record: ConsumedRecord, deserializers: Deserializers<K, V>) {
    this.#record = record;
    this.#deserializers = deserializers;
  }

  get topic(): string {
    return this.#record.topic;
  }

  get partition(): number {
    return this.#record.partition;
  }

  get offset(): bigint {
    return BigInt(this.#record.offset);
  }

  /** Milliseconds since the epoch; -1 where the record has none. */
  get timestamp(): Timestamp {
    return this.#record.timestamp;
  }

  get leaderEpoch(): LeaderEpoch {
    return this.#record.leaderEpoch;
  }

  get headers(): readonly RecordHeader[] {
    return this.#record.headers;
  }

  /** The value of the last header of that name, as the last one counts; undefined where there is none. */
  header(name: string): Buffer | null | undefined {
    return this.#record.headers.findLast(({ key }) => key === name)?.value;
  }

  get rawKey(): Buffer | null {
    return this.#record.key;
  }

  get rawValue(): Buffer | null {
    return this.#record.value;
  }

  get key(): K | null {
    if (this.#key === undefined) {
      const { topic, key } = this.#record;
      this.#key = deserialized(this.#deserializers.key, key, { topic, part: 'key' });
    }
    return this.#key;
  }

  /** Null is a tombstone where the topic is compacted. */
  get value(): V | null {
    if (this.#value === undefined) {
      const { topic, value } = this.#record;
      this.#value = deserialized(this.#deserializers.value, value, { topic, part: 'value' });
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
      return this.#record[part];
    }
  }
}

function forJson(content: unknown): unknown {
  if (content instanceof Uint8Array) return Buffer.from(content).toString('base64');
  return typeof content === 'bigint' ? String(content) : content;
}
