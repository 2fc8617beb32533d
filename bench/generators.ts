/**
 * The load generators, none of them ours: Apache Kafka's ProducerPerformance, a C program on librdkafka (compiled at
 * run time), kcat.
 */
import { existsSync, mkdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { cacheDirectory, projectRoot } from '../test/compat/harness/paths.ts';
import { runSuccessfully } from '../test/compat/harness/program.ts';
import { findCommand } from '../test/compat/harness/toolchain.ts';

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
}

const RUN_TIMEOUT_MS = 300_000;
const JAVA = ['-Xmx512m', '-Xms512m', '-Dorg.slf4j.simpleLogger.defaultLogLevel=error'];

/** Records a second once warm. */
export async function produce(load: ProduceLoad): Promise<number> {
  const batching = load.batched ? ['batch.size=131072', 'linger.ms=5'] : ['batch.size=0', 'linger.ms=0'];
  const { stdout } = await runSuccessfully(
    'java',
    [
      ...[...JAVA, '-cp', load.classPath, 'org.apache.kafka.tools.ProducerPerformance', '--topic', load.topic],
      ...['--num-records', String(load.records + load.warmUpRecords), '--warmup-records', String(load.warmUpRecords)],
      ...['--record-size', String(load.recordBytes), '--throughput', '-1', '--reporting-interval', '600000'],
      ...['--command-property', `bootstrap.servers=${load.bootstrap}`, `acks=${load.acks}`, ...batching],
    ],
    { timeoutMs: RUN_TIMEOUT_MS },
  );
  const found = /steady state records sent, ([\d.]+) records\/sec/.exec(stdout.toString());
  if (found === null) throw new Error(`ProducerPerformance told no rate: ${stdout.toString()}`);
  return Number(found[1]);
}

export interface ReadLoad {
  readonly bootstrap: string;
  readonly topic: string;
  readonly partitions: number;
  readonly records: number;
}

export type Consumer = (load: ReadLoad) => Promise<{ readonly recordsPerSecond: number; readonly bytes: number }>;

/** Compiles the C consumer once; throws where there is no compiler or no librdkafka. */
export async function findConsumer(): Promise<Consumer> {
  const source = join(projectRoot, 'bench', 'native', 'consume.c');
  const program = join(cacheDirectory(), 'bench', 'consume');
  if (!existsSync(program) || statSync(program).mtimeMs < statSync(source).mtimeMs) {
    mkdirSync(join(cacheDirectory(), 'bench'), { recursive: true });
    await runSuccessfully('cc', ['-O2', '-o', program, source, '-lrdkafka']);
  }
  return async ({ bootstrap, topic, partitions, records }) => {
    const parameters = [bootstrap, topic, String(partitions), String(records)];
    const { stdout } = await runSuccessfully(program, parameters, { timeoutMs: RUN_TIMEOUT_MS });
    const [count, bytes, seconds] = stdout.toString().split(' ').map(Number) as [number, number, number];
    return { recordsPerSecond: count / seconds, bytes };
  };
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
