/**
 * One foreign client as the suites see it: a list of operations in, a list of results out, run in as few processes as
 * the client allows. What a client cannot do is told by `can`, never found out by failing.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runSuccessfully } from './program.ts';
import { type ConsumedRecord, type HeaderKinds, readRecords, type TestRecord, writeRecords } from './records.ts';
import type { Invocation } from './toolchain.ts';

export type CodecName = 'none' | 'gzip' | 'snappy' | 'lz4' | 'zstd';
export type Acks = 0 | 1 | -1;

export interface TopicSpec {
  readonly name: string;
  readonly partitions: number;
  readonly configs?: Readonly<Record<string, string>>;
}

export interface ReadPosition {
  readonly partition: number;
  readonly offset: number | 'beginning';
  /** Not every client can read to what was the end when it began. */
  readonly count: number | 'end';
}

export type Operation =
  | { readonly op: 'createTopics'; readonly topics: readonly TopicSpec[]; readonly validateOnly?: boolean }
  | { readonly op: 'deleteTopics'; readonly names: readonly string[] }
  | { readonly op: 'describeTopics'; readonly names: readonly string[] }
  | { readonly op: 'listTopics' }
  | { readonly op: 'describeCluster' }
  | {
      readonly op: 'produce';
      readonly topic: string;
      readonly records: readonly TestRecord[];
      readonly codec: CodecName;
      readonly acks: Acks;
      readonly idempotent?: boolean;
    }
  | {
      readonly op: 'consume';
      readonly topic: string;
      readonly partitions: readonly ReadPosition[];
      readonly isolation?: 'read_committed' | 'read_uncommitted';
      /** How much the client asks of one partition in one fetch. */
      readonly fetchBytes?: number;
    }
  | {
      readonly op: 'listOffsets';
      readonly topic: string;
      readonly partition: number;
      readonly at: 'earliest' | 'latest' | 'maxTimestamp' | number;
      /** Not every client can ask for the end of what is committed. */
      readonly isolation?: 'read_committed' | 'read_uncommitted';
    }
  | { readonly op: 'describeConfigs'; readonly type: 'topic' | 'broker'; readonly name: string }
  | {
      readonly op: 'alterConfigs';
      readonly type: 'topic' | 'broker';
      readonly name: string;
      readonly set?: Readonly<Record<string, string>>;
      readonly delete?: readonly string[];
    }
  | { readonly op: 'createPartitions'; readonly topic: string; readonly total: number }
  | { readonly op: 'deleteRecords'; readonly topic: string; readonly partition: number; readonly before: number }
  | { readonly op: 'describeProducers'; readonly topic: string; readonly partition: number }
  | { readonly op: 'describeLogDirs' }
  | { readonly op: 'listConfigResources' }
  | { readonly op: 'tool'; readonly main: string; readonly parameters: readonly string[]; readonly input?: string }
  /** A producer that stays open until the script ends, which leaves its transaction open. */
  | { readonly op: 'openProducer'; readonly name: string; readonly codec: CodecName; readonly transactionalId?: string }
  /** Of an open producer; begins a transaction where it needs one. */
  | { readonly op: 'send'; readonly name: string; readonly topic: string; readonly records: readonly TestRecord[] }
  | { readonly op: 'endTransaction'; readonly name: string; readonly commit: boolean }
  /** Creates the file `done` and waits for the file `await`: the test does something in between. */
  | { readonly op: 'handOver'; readonly done: string; readonly await: string };

export type OperationName = Operation['op'];

export interface ToolOutcome {
  readonly exit: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** What each operation answers. Error names are the protocol's ('NONE' for success). */
export interface Answers {
  createTopics: Record<string, string>;
  deleteTopics: Record<string, string>;
  describeTopics: Record<string, { partitions?: number; leaders?: number[]; error?: string }>;
  listTopics: string[];
  describeCluster: { clusterId: string; controller: number; brokers: { id: number; host: string; port: number }[] };
  /** [partition, offset] of each record in order; offset -1 where acks=0 hides it. */
  produce: { written: [number, number][] };
  consume: ConsumedRecord[];
  listOffsets: { offset: number; timestamp: number };
  describeConfigs: Record<string, { value: string | null; default: boolean; synonyms: number }>;
  alterConfigs: string;
  createPartitions: string;
  deleteRecords: { lowWatermark: number };
  describeProducers: {
    producerId: number;
    producerEpoch: number;
    lastSequence: number;
    /** -1 where none is open; not every client tells. */
    transactionStart?: number;
  }[];
  describeLogDirs: { path: string; error: string; partitions: Record<string, number> }[];
  listConfigResources: string[];
  tool: ToolOutcome;
  openProducer: string;
  send: { written: [number, number][] };
  endTransaction: string;
  handOver: string;
}

type AnswerTo<O> = O extends { readonly op: infer Name extends OperationName } ? Answers[Name] : never;

/** Either `ok`, an answer, or the protocol's name of the error. */
export interface Result {
  readonly ok?: unknown;
  readonly error?: string;
  readonly message?: string;
}

export interface Client {
  readonly name: string;
  readonly can: ReadonlySet<OperationName>;
  readonly codecs: readonly CodecName[];
  readonly acks: readonly Acks[];
  readonly idempotence: boolean;
  readonly headers: HeaderKinds;
  run(operations: readonly Operation[]): Promise<Result[]>;
}

export interface ProgramClientOptions extends Omit<Client, 'run'> {
  readonly invocation: Invocation;
  readonly bootstrap: string;
  /** The client's own settings, passed through. */
  readonly settings?: Readonly<Record<string, string>>;
}

const RUN_TIMEOUT_MS = 180_000;

/** A client whose program takes the operations as JSON on stdin (all in one process). */
export function programClient(options: ProgramClientOptions): Client {
  const { invocation, bootstrap, settings = {} } = options;
  return {
    ...options,
    run: async (operations) => {
      const directory = mkdtempSync(join(tmpdir(), 'compat-records-'));
      try {
        const script = { bootstrap, settings, operations: operations.map((each, i) => withFile(each, directory, i)) };
        const { stdout } = await runSuccessfully(invocation.command, invocation.parameters, {
          input: JSON.stringify(script),
          environment: invocation.environment ?? {},
          timeoutMs: RUN_TIMEOUT_MS,
        });
        const results = JSON.parse(stdout.toString()) as Result[];
        return results.map((result, i) =>
          operations[i]!.op === 'consume' && result.ok !== undefined
            ? { ok: readRecords(fileOf(directory, i)) }
            : result,
        );
      } finally {
        rmSync(directory, { recursive: true, force: true });
      }
    },
  };
}

function withFile(operation: Operation, directory: string, index: number): object {
  const file = fileOf(directory, index);
  if (operation.op === 'consume') return { ...operation, file };
  if (operation.op !== 'produce' && operation.op !== 'send') return operation;
  const { records, ...rest } = operation;
  writeRecords(file, records);
  return { ...rest, file };
}

function fileOf(directory: string, index: number): string {
  return join(directory, `${index}.jsonl`);
}

/** Runs one operation; throws its error. */
export async function runOne<O extends Operation>(client: Client, operation: O): Promise<AnswerTo<O>> {
  const [answer] = await runAll(client, [operation]);
  return answer as AnswerTo<O>;
}

/** Runs all in one process where the client can; throws the first error. */
export async function runAll<const O extends readonly Operation[]>(
  client: Client,
  operations: O,
): Promise<{ -readonly [K in keyof O]: AnswerTo<O[K]> }> {
  const results = await client.run(operations);
  const answers = results.map((result, i) => succeeded(client, operations[i]!, result));
  return answers as { -readonly [K in keyof O]: AnswerTo<O[K]> };
}

function succeeded(client: Client, operation: Operation, result: Result): unknown {
  if (result.error === undefined) return result.ok;
  const { records: _, ...shown } = operation as Operation & { records?: unknown };
  throw new Error(`${client.name}: ${JSON.stringify(shown)}: ${result.error} ${result.message ?? ''}`);
}

export async function consumeAll(
  client: Client,
  topic: string,
  expected: readonly TestRecord[],
): Promise<ConsumedRecord[]> {
  return runOne(client, { op: 'consume', topic, partitions: positionsFor(expected) });
}

/** From the beginning of every partition that `expected` names, as many as it holds. */
export function positionsFor(expected: readonly TestRecord[]): ReadPosition[] {
  const counts = new Map<number, number>();
  for (const { partition } of expected) counts.set(partition, (counts.get(partition) ?? 0) + 1);
  return [...counts].map(([partition, count]) => ({ partition, offset: 'beginning', count }));
}
