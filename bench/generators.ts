/**
 * The load generators of the comparison, all native: Apache Kafka's ProducerPerformance, kcat, and two C programs, one on
 * librdkafka, one that speaks Fetch by itself.
 */
import { runSuccessfully } from '../test/compat/harness/program.ts';
import { findCommand } from '../test/compat/harness/toolchain.ts';
import { compiled, numbersOf } from './native-program.ts';

export interface ProduceLoad {
  readonly classPath: string;
  readonly bootstrap: string;
  readonly topic: string;
  readonly records: number;
  /** Sent first and not counted in the rate. */
  readonly warmUpRecords: number;
  readonly recordBytes: number;
  readonly acks: '1' | 'all';
  /** false sends one record a request. */
  readonly batched: boolean;
  /** Records a second to hold; as many as go where it is left out. */
  readonly pace?: number;
  /** How long a batch waits for company: 5 by default, where there are batches. */
  readonly lingerMs?: number;
}

export interface Produced {
  readonly recordsPerSecond: number;
  /** From sending to acknowledgement. */
  readonly meanMs: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

const RUN_TIMEOUT_MS = 300_000;
const JAVA = ['-Xmx512m', '-Xms512m', '-Dorg.slf4j.simpleLogger.defaultLogLevel=error'];
const REPORT =
  /steady state records sent, ([\d.]+) records\/sec .* ([\d.]+) ms avg latency.* (\d+) ms 50th.* (\d+) ms 99th,/;

/** What the generator saw once warm. */
export async function produce(load: ProduceLoad): Promise<Produced> {
  const { lingerMs = load.batched ? 5 : 0, pace = -1 } = load;
  const settings = [`batch.size=${load.batched ? 131_072 : 0}`, `linger.ms=${lingerMs}`];
  const { stdout } = await runSuccessfully(
    'java',
    [
      ...[...JAVA, '-cp', load.classPath, 'org.apache.kafka.tools.ProducerPerformance', '--topic', load.topic],
      ...['--num-records', String(load.records + load.warmUpRecords), '--warmup-records', String(load.warmUpRecords)],
      ...['--record-size', String(load.recordBytes), '--throughput', String(pace), '--reporting-interval', '600000'],
      ...['--command-property', `bootstrap.servers=${load.bootstrap}`, `acks=${load.acks}`, ...settings],
    ],
    { timeoutMs: RUN_TIMEOUT_MS },
  );
  const found = REPORT.exec(stdout.toString());
  if (found === null) throw new Error(`ProducerPerformance told no rate: ${stdout.toString()}`);
  const [recordsPerSecond, meanMs, p50Ms, p99Ms] = found.slice(1).map(Number) as [number, number, number, number];
  return { recordsPerSecond, meanMs, p50Ms, p99Ms };
}

export interface ReadLoad {
  readonly bootstrap: string;
  readonly topic: string;
  readonly partitions: number;
  readonly records: number;
}

export interface ReadResult {
  readonly recordsPerSecond: number;
  readonly bytesPerSecond: number;
  readonly bytes: number;
  /** What reading cost the generator itself. */
  readonly cpuSeconds: number;
}
export type Reader = (load: ReadLoad) => Promise<ReadResult>;

/** librdkafka's consumer; throws where there is no compiler or no librdkafka. */
export async function findConsumer(): Promise<Reader> {
  const program = await compiled('consume', ['-lrdkafka']);
  return ({ bootstrap, topic, partitions, records }) =>
    read(program, [bootstrap, topic, String(partitions), String(records)]);
}

/** Bare Fetch requests that leave the records alone: the broker's own limit. */
export async function findDrain(): Promise<Reader> {
  const program = await compiled('drain');
  return ({ bootstrap, topic, partitions, records }) =>
    read(program, [bootstrap.split(':')[1]!, topic, String(partitions), String(records)]);
}

async function read(program: string, parameters: readonly string[]): Promise<ReadResult> {
  const numbers = await numbersOf(program, parameters);
  const [count, bytes, seconds] = numbers as [number, number, number];
  return { recordsPerSecond: count / seconds, bytesPerSecond: bytes / seconds, bytes, cpuSeconds: numbers.at(-1)! };
}

/** Bytes a second of `kcat -C -o beginning -e` into nothing, start included; undefined without kcat. */
export async function readWithKcat(load: ReadLoad & { readonly bytes: number }): Promise<number | undefined> {
  const kcat = findCommand('kcat', 'kafkacat');
  if (kcat === undefined) return undefined;
  const started = performance.now();
  const command = '"$0" -b "$1" -C -t "$2" -o beginning -e -q -D "" > /dev/null';
  await runSuccessfully('sh', ['-c', command, kcat, load.bootstrap, load.topic], { timeoutMs: RUN_TIMEOUT_MS });
  return load.bytes / ((performance.now() - started) / 1000);
}
