/**
 * The records that the suites write and expect back, and the file in which they travel to and from the clients'
 * programs: one JSON object a line, { p: partition, o: offset, t: timestamp, k: key, v: value, h: [[name, value]] },
 * keys and values in base64 or null.
 */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';

export interface TestRecord {
  readonly partition: number;
  /** Milliseconds; absent lets the client choose. */
  readonly timestamp?: number;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers: readonly (readonly [string, Buffer | null])[];
}

export interface ConsumedRecord extends TestRecord {
  readonly offset: number;
  readonly timestamp: number;
}

const LARGE_VALUE_BYTES = 900_000;

/** What a client can send: anything, values of text only, or of text and each name only once. */
export type HeaderKinds = 'any' | 'text' | 'unique';

export interface CorpusOptions {
  readonly partitions: number;
  /** Small records beside the special ones. */
  readonly count: number;
  /** One 900 KB value in partition 0. */
  readonly large?: boolean;
  readonly headers?: HeaderKinds;
  /** Distinguishes one corpus from another in every value. */
  readonly label: string;
  /** The first record's timestamp; every next is 10 ms later. Absent leaves timestamps to the client. */
  readonly startTimestamp?: number;
}

/** Every kind of record a client may send; the same options give the same bytes. */
export function makeCorpus(options: CorpusOptions): TestRecord[] {
  const { label, partitions } = options;
  const text = (words: string) => Buffer.from(words);
  const headers: TestRecord['headers'] = [
    ['trace', text(`${label}-1`)],
    [options.headers === 'unique' ? 'second' : 'trace', text('twice')],
  ];
  const bytes = (options.headers ?? 'any') === 'any' ? Buffer.from([0, 1, 255]) : text('ü');
  const special: Omit<TestRecord, 'partition'>[] = [
    { key: text('key'), value: text(`${label} plain`), headers: [] },
    { key: null, value: text(`${label} without a key`), headers },
    { key: text('tombstone'), value: null, headers: [] },
    { key: text('empty'), value: Buffer.alloc(0), headers: [] },
    { key: Buffer.alloc(0), value: text(`${label} with an empty key`), headers: [] },
    { key: text('ключ-鍵-🔑'), value: text(`${label} Grüße, 世界, 🚀 \u0000 zero`), headers: [] },
    { key: Buffer.from([0, 255, 254, 128]), value: Buffer.from(Array.from({ length: 256 }, (_, i) => i)), headers: [] },
    {
      key: text('headers'),
      value: text('h'),
      headers: [
        ['ünï', bytes],
        ['empty', Buffer.alloc(0)],
      ],
    },
  ];
  const records: Omit<TestRecord, 'partition'>[] = [...special];
  for (let i = 0; i < options.count; i++) {
    records.push({
      key: text(`k${i % 17}`),
      value: text(`${label} record ${i} ${'abcdefghij'.repeat(i % 40)}`),
      headers: [],
    });
  }
  if (options.large === true) records.push({ key: text('large'), value: noise(LARGE_VALUE_BYTES), headers: [] });
  const start = options.startTimestamp;
  return records.map((record, i) => ({
    ...record,
    partition: record.value !== null && record.value.length === LARGE_VALUE_BYTES ? 0 : i % partitions,
    ...(start === undefined ? {} : { timestamp: start + i * 10 }),
  }));
}

/** Bytes that compress a little: half of them repeat. */
function noise(length: number): Buffer {
  const bytes = Buffer.alloc(length);
  let state = 12345;
  for (let i = 0; i < length; i++) {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    bytes[i] = i % 2048 < 1024 ? state >>> 24 : 0x61;
  }
  return bytes;
}

export function writeRecords(file: string, records: readonly TestRecord[]): void {
  const base64 = (bytes: Buffer | null) => (bytes === null ? null : bytes.toString('base64'));
  const lines = records.map((record) =>
    JSON.stringify({
      p: record.partition,
      t: record.timestamp,
      k: base64(record.key),
      v: base64(record.value),
      h: record.headers.map(([name, value]) => [name, base64(value)]),
    }),
  );
  writeFileSync(file, lines.map((line) => `${line}\n`).join(''));
}

interface RecordLine {
  p: number;
  o: number;
  t: number;
  k: string | null;
  v: string | null;
  h: [string, string | null][];
}

export function readRecords(file: string): ConsumedRecord[] {
  const bytes = (text: string | null) => (text === null ? null : Buffer.from(text, 'base64'));
  return readFileSync(file, 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const { p, o, t, k, v, h } = JSON.parse(line) as RecordLine;
      const headers = h.map(([name, value]) => [name, bytes(value)] as const);
      return { partition: p, offset: o, timestamp: t, key: bytes(k), value: bytes(v), headers };
    });
}

/** What `writeRecords` wrote, as it has to be sent. */
export function readWritten(file: string): TestRecord[] {
  return readRecords(file).map(({ offset: _, timestamp, ...rest }) => ({ ...rest, timestamp: timestamp ?? undefined }));
}

/** The records of each partition in their order. */
export function byPartition<R extends TestRecord>(records: readonly R[]): Map<number, R[]> {
  const partitions = new Map<number, R[]>();
  for (const record of records) {
    const list = partitions.get(record.partition) ?? [];
    list.push(record);
    partitions.set(record.partition, list);
  }
  return partitions;
}

export interface Comparison {
  /** Offset of each partition's first record; 0 unless told. */
  readonly firstOffsets?: ReadonlyMap<number, number>;
  /** What the reader cannot tell: compared with these replaced. */
  readonly forgive?: (record: TestRecord) => Pick<TestRecord, 'key' | 'value' | 'headers'>;
  readonly what: string;
}

/** Fails unless `actual` holds `expected` byte for byte, in order per partition, at consecutive offsets. */
export function assertSameRecords(
  actual: readonly ConsumedRecord[],
  expected: readonly TestRecord[],
  comparison: Comparison,
): void {
  const { what } = comparison;
  const forgive = comparison.forgive ?? ((record) => record);
  const got = byPartition(actual);
  for (const [partition, wanted] of byPartition(expected)) {
    const received = got.get(partition) ?? [];
    const first = comparison.firstOffsets?.get(partition) ?? 0;
    assert.equal(received.length, wanted.length, `${what}: count in partition ${partition}`);
    for (const [i, record] of wanted.entries()) {
      const other = received[i]!;
      const where = `${what}: partition ${partition}, record ${i}`;
      assert.equal(other.offset, first + i, `${where}: offset`);
      assertSameBytes(forgive(other).key, forgive(record).key, `${where}: key`);
      assertSameBytes(forgive(other).value, forgive(record).value, `${where}: value`);
      assert.deepEqual(headerText(forgive(other)), headerText(forgive(record)), `${where}: headers`);
      if (record.timestamp !== undefined) assert.equal(other.timestamp, record.timestamp, `${where}: timestamp`);
    }
  }
  assert.equal(actual.length, expected.length, `${what}: count`);
}

function headerText(record: Pick<TestRecord, 'headers'>): (string | null)[][] {
  return record.headers.map(([name, value]) => [name, value === null ? null : value.toString('hex')]);
}

function assertSameBytes(actual: Buffer | null, expected: Buffer | null, what: string): void {
  if (actual === null || expected === null) {
    assert.equal(actual === null, expected === null, `${what}: one is null, the other is not`);
  } else if (!actual.equals(expected)) {
    assert.equal(actual.toString('hex').slice(0, 400), expected.toString('hex').slice(0, 400), what);
    assert.fail(`${what}: differs after 200 bytes, lengths ${actual.length} and ${expected.length}`);
  }
}
