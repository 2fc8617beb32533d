/**
 * kcat behind the suites' operations: every operation becomes one or a few runs of the unmodified command.
 *
 * kcat takes headers per run and has no way to send a null value beside an empty one, so records are sent in runs
 * that share partition, headers and emptiness.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Client, Operation, OperationName, Result } from './client.ts';
import { type ProgramResult, runProgram } from './program.ts';
import type { ConsumedRecord, TestRecord } from './records.ts';

export const KCAT_OPERATIONS: ReadonlySet<OperationName> = new Set<OperationName>([
  'describeTopics',
  'listTopics',
  'produce',
  'consume',
  'listOffsets',
]);

export interface KcatOptions {
  readonly command: string;
  readonly bootstrap: string;
  readonly settings?: Readonly<Record<string, string>>;
}

/** Never part of a test record. */
const KEY_DELIMITER = '\u0001\u0002KEY\u0002\u0001';
const MESSAGE_DELIMITER = '\u0001\u0002END\u0002\u0001';
/** Below it records go through stdin; kcat reads larger ones from files of their own. */
const LARGEST_LINE_BYTES = 100_000;
const RUN_TIMEOUT_MS = 60_000;

export function kcatClient(options: KcatOptions): Client {
  const run = (parameters: readonly string[], input?: Buffer) =>
    runProgram(options.command, ['-b', options.bootstrap, ...flags(options.settings ?? {}), ...parameters], {
      timeoutMs: RUN_TIMEOUT_MS,
      ...(input === undefined ? {} : { input }),
    });
  return {
    name: 'kcat',
    can: KCAT_OPERATIONS,
    codecs: ['none', 'gzip', 'snappy', 'lz4', 'zstd'],
    acks: [0, 1, -1],
    idempotence: true,
    headers: 'text',
    run: async (operations) => {
      const results: Result[] = [];
      for (const operation of operations) {
        try {
          results.push({ ok: await perform(operation, run) });
        } catch (error) {
          results.push({ error: (error as Error).message });
        }
      }
      return results;
    },
  };
}

type Run = (parameters: readonly string[], input?: Buffer) => Promise<ProgramResult>;

async function perform(operation: Operation, run: Run): Promise<unknown> {
  switch (operation.op) {
    case 'describeTopics':
      return describeTopics(operation.names, run);
    case 'listTopics':
      return (await metadata([], run)).topics.map((topic) => topic.topic);
    case 'produce':
      return produce(operation, run);
    case 'consume':
      return consume(operation, run);
    case 'listOffsets':
      return listOffsets(operation, run);
    default:
      throw new Error(`kcat cannot ${operation.op}`);
  }
}

function flags(settings: Readonly<Record<string, string>>): string[] {
  return Object.entries({ 'client.id': 'kcat', 'topic.metadata.refresh.fast.interval.ms': '50', ...settings }).flatMap(
    ([key, value]) => ['-X', `${key}=${value}`],
  );
}

interface KcatMetadata {
  readonly topics: readonly {
    topic: string;
    error?: string;
    partitions: readonly { partition: number; leader: number }[];
  }[];
}

async function metadata(parameters: readonly string[], run: Run): Promise<KcatMetadata> {
  const { stdout } = demandSuccess(await run(['-L', '-J', ...parameters]));
  return JSON.parse(stdout.toString()) as KcatMetadata;
}

async function describeTopics(names: readonly string[], run: Run): Promise<unknown> {
  const described: Record<string, unknown> = {};
  for (const name of names) {
    const topic = (await metadata(['-t', name], run)).topics[0]!;
    described[name] =
      topic.error === undefined
        ? { partitions: topic.partitions.length, leaders: topic.partitions.map((each) => each.leader) }
        : { error: topic.error };
  }
  return described;
}

function demandSuccess(result: ProgramResult): ProgramResult {
  if (result.exitCode !== 0) throw new Error(`kcat ended with ${result.exitCode}: ${result.stderr}`);
  return result;
}

type Produce = Extract<Operation, { op: 'produce' }>;

async function produce(operation: Produce, run: Run): Promise<unknown> {
  const directory = mkdtempSync(join(tmpdir(), 'compat-kcat-'));
  try {
    for (const group of groupsOf(operation.records)) await produceGroup(operation, group, run, directory);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
  return { written: [] };
}

/** Consecutive records of one partition that kcat can send in one run; the order in a partition is kept. */
function groupsOf(records: readonly TestRecord[]): TestRecord[][] {
  const groups: TestRecord[][] = [];
  const open = new Map<number, { traits: string; group: TestRecord[] }>();
  for (const record of records) {
    const traits = JSON.stringify([
      record.headers.map(([name, value]) => [name, value?.toString('hex')]),
      record.value === null || isLarge(record) ? 'special' : 'plain',
      record.key === null,
    ]);
    const current = open.get(record.partition);
    if (current !== undefined && current.traits === traits && !traits.includes('special')) {
      current.group.push(record);
    } else {
      const group = [record];
      groups.push(group);
      open.set(record.partition, { traits, group });
    }
  }
  return groups;
}

function isLarge(record: TestRecord): boolean {
  return record.value !== null && record.value.length > LARGEST_LINE_BYTES;
}

async function produceGroup(
  operation: Produce,
  group: readonly TestRecord[],
  run: Run,
  directory: string,
): Promise<void> {
  const first = group[0]!;
  const parameters = ['-P', '-t', operation.topic, '-p', String(first.partition), '-z', operation.codec];
  parameters.push('-X', `acks=${operation.acks}`, '-X', 'message.max.bytes=8000000');
  if (operation.idempotent === true) parameters.push('-X', 'enable.idempotence=true');
  for (const [name, value] of first.headers) parameters.push('-H', value === null ? name : `${name}=${value}`);
  if (isLarge(first)) {
    const file = join(directory, 'value');
    writeFileSync(file, first.value!);
    demandSuccess(await run([...parameters, ...keyFlag(first), file]));
    return;
  }
  const delimiters = ['-D', MESSAGE_DELIMITER, '-K', KEY_DELIMITER];
  if (first.key === null) {
    // Without a key delimiter kcat sends null keys.
    const lines = group.flatMap((record) => [record.value ?? Buffer.alloc(0), Buffer.from(MESSAGE_DELIMITER)]);
    demandSuccess(await run([...parameters, ...nullFlag(first), '-D', MESSAGE_DELIMITER], Buffer.concat(lines)));
    return;
  }
  const lines = group.flatMap((record) => [
    record.key!,
    Buffer.from(KEY_DELIMITER),
    record.value ?? Buffer.alloc(0),
    Buffer.from(MESSAGE_DELIMITER),
  ]);
  demandSuccess(await run([...parameters, ...nullFlag(first), ...delimiters], Buffer.concat(lines)));
}

function keyFlag(record: TestRecord): string[] {
  return record.key === null ? [] : ['-k', record.key.toString()];
}

/** With -Z kcat turns what is empty into null. */
function nullFlag(record: TestRecord): string[] {
  return record.value === null ? ['-Z'] : [];
}

const FIELD_FORMAT = '%p %o %T %K %S %R\\n';

async function consume(operation: Extract<Operation, { op: 'consume' }>, run: Run): Promise<ConsumedRecord[]> {
  const records: ConsumedRecord[] = [];
  for (const { partition, offset, count } of operation.partitions) {
    const parameters = [
      '-C',
      '-q',
      '-t',
      operation.topic,
      '-p',
      String(partition),
      '-o',
      String(offset),
      '-c',
      String(count),
    ];
    parameters.push('-X', 'check.crcs=true', '-X', `isolation.level=${operation.isolation ?? 'read_uncommitted'}`);
    if (operation.fetchBytes !== undefined) parameters.push('-X', `fetch.message.max.bytes=${operation.fetchBytes}`);
    const format = `${FIELD_FORMAT.replace(' %R', '')}%k%s\\n%h${MESSAGE_DELIMITER}`;
    const { stdout } = demandSuccess(await run([...parameters, '-f', format]));
    records.push(...parseRecords(stdout));
  }
  return records;
}

function parseRecords(bytes: Buffer): ConsumedRecord[] {
  const records: ConsumedRecord[] = [];
  for (let at = 0; at < bytes.length; ) {
    const lineEnd = bytes.indexOf('\n', at);
    const [partition, offset, timestamp, keyBytes, valueBytes] = bytes
      .toString('latin1', at, lineEnd)
      .split(' ')
      .map(Number);
    const keyEnd = lineEnd + 1 + Math.max(0, keyBytes!);
    const valueEnd = keyEnd + Math.max(0, valueBytes!);
    const end = bytes.indexOf(MESSAGE_DELIMITER, valueEnd);
    records.push({
      partition: partition!,
      offset: offset!,
      timestamp: timestamp!,
      key: keyBytes === -1 ? null : Buffer.from(bytes.subarray(lineEnd + 1, keyEnd)),
      value: valueBytes === -1 ? null : Buffer.from(bytes.subarray(keyEnd, valueEnd)),
      headers: parseHeaders(bytes.subarray(valueEnd + 1, end)),
    });
    at = end + MESSAGE_DELIMITER.length;
  }
  return records;
}

/** kcat prints "name=value,name=value"; the suites give kcat no header with a comma or an equals sign in it. */
function parseHeaders(bytes: Buffer): [string, Buffer | null][] {
  if (bytes.length === 0) return [];
  return bytes
    .toString('latin1')
    .split(',')
    .map((each) => {
      const at = each.indexOf('=');
      const value = each.slice(at + 1);
      return [
        Buffer.from(each.slice(0, at), 'latin1').toString(),
        value === 'NULL' ? null : Buffer.from(value, 'latin1'),
      ];
    });
}

/** kcat's -Q answers the offset only. */
async function listOffsets(operation: Extract<Operation, { op: 'listOffsets' }>, run: Run): Promise<unknown> {
  const names = { earliest: -2, latest: -1, maxTimestamp: -3 } as const;
  const at = typeof operation.at === 'number' ? operation.at : names[operation.at];
  const { stdout } = demandSuccess(await run(['-Q', '-t', `${operation.topic}:${operation.partition}:${at}`]));
  return { offset: Number(/offset (-?\d+)/.exec(stdout.toString())?.[1]), timestamp: -1 };
}
