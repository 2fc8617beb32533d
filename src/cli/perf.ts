/** `sluice perf`: how fast a cluster takes and gives records, told as Kafka's own tools tell it. */
import { type Command, Option } from 'commander';
import type { CodecName } from '../records/compression/codecs.ts';
import { addClientOptions, type ClientOptions } from './connection-options.ts';

export interface PerfProduceOptions extends ClientOptions {
  readonly records?: string;
  readonly duration?: string;
  readonly size: string;
  readonly payloads?: string;
  readonly keys?: string;
  readonly rate?: string;
  readonly compression: CodecName;
  readonly acks: string;
  readonly linger: string;
  readonly batchSize: string;
  readonly partition?: string;
}

export interface PerfConsumeOptions extends ClientOptions {
  readonly records?: string;
  readonly offset: string;
  readonly idle: string;
  readonly group?: string;
}

export interface PerfLatencyOptions extends ClientOptions {
  readonly records: string;
  readonly size: string;
  readonly acks: string;
  readonly rate?: string;
}

const acksOption = (): Option =>
  new Option('--acks <acks>', 'who must have a record').choices(['all', '1', '0']).default('all');

const PRODUCE_HELP = `
The last line is that of kafka-producer-perf-test. Latency is the time from when a record is due to its acknowledgement: with
--rate what a stalled broker holds up counts in full. Records hold letters and digits at random unless --payloads says.`;

const CONSUME_HELP = '\nThe last two lines are those of kafka-consumer-perf-test.';

const LATENCY_HELP = `
A record is sent, and the next one only after a consumer has got it. The last two lines are those of kafka-e2e-latency.`;

export function addPerfCommand(program: Command): void {
  const perf = program.command('perf').description('measure how fast records come in, go out, and get through');
  addClientOptions(perf.command('produce').argument('<topic>').description('send records as fast as they are taken'))
    .option('-n, --records <count>', 'how many (default: 1000000, or as many as --duration allows)')
    .option('--duration <duration>', 'how long')
    .option('-s, --size <bytes>', 'bytes of a value', '1024')
    .option('--payloads <file>', 'take values from the lines of a file, in turn')
    .option('--keys <count>', 'give records so many different keys, in turn')
    .option('--rate <count>', 'records a second at most, evenly spread')
    .addOption(
      new Option('-z, --compression <codec>', 'codec of the batches')
        .choices(['none', 'gzip', 'snappy', 'lz4', 'zstd'])
        .default('none'),
    )
    .addOption(acksOption())
    .option('--linger <duration>', 'how long a batch waits for more records', '5ms')
    .option('--batch-size <bytes>', 'size at which a batch is sent', '256KiB')
    .option('-p, --partition <number>', 'send to this partition only')
    .addHelpText('after', PRODUCE_HELP)
    .action(async (topic: string, options: PerfProduceOptions) => {
      const { perfProduce } = await import('./perf/perf-produce.ts');
      await perfProduce(topic, options);
    });
  addClientOptions(perf.command('consume').argument('<topic>').description('read records as fast as they come'))
    .option('-n, --records <count>', 'how many (default: all up to the present end)')
    .option('-o, --offset <offset>', 'where to start, as in consume', 'start')
    .option('--idle <duration>', 'stop when nothing came for so long', '10s')
    .option('-g, --group <group>', 'read as a member of a group instead')
    .addHelpText('after', CONSUME_HELP)
    .action(async (topic: string, options: PerfConsumeOptions) => {
      const { perfConsume } = await import('./perf/perf-consume.ts');
      await perfConsume(topic, options);
    });
  addClientOptions(perf.command('latency').argument('<topic>').description('time records from producer to consumer'))
    .option('-n, --records <count>', 'how many', '10000')
    .option('-s, --size <bytes>', 'bytes of a value', '100')
    .option('--rate <count>', 'records a second at most')
    .addOption(acksOption())
    .addHelpText('after', LATENCY_HELP)
    .action(async (topic: string, options: PerfLatencyOptions) => {
      const { perfLatency } = await import('./perf/perf-latency.ts');
      await perfLatency(topic, options);
    });
}
