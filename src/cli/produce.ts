/** `sluice produce`: lines of files or of standard input become records. */
import { type Command, Option } from 'commander';
import type { CodecName } from '../records/compression/codecs.ts';
import { collect } from './arguments.ts';
import { addClientOptions, type ClientOptions } from './connection-options.ts';
import type { InputOptions } from './record-input.ts';

export interface ProduceOptions extends ClientOptions, InputOptions {
  readonly compression: CodecName;
  readonly partition?: string;
  readonly keepPartitions: boolean;
  readonly partitioner: 'default' | 'round-robin';
  readonly acks: string;
  readonly key?: string;
  readonly header: readonly string[];
  readonly tombstones: boolean;
  readonly whole: boolean;
  readonly linger?: string;
  readonly batchSize?: string;
  readonly report: boolean;
}

const HELP = `
Each line is the value of a record, unless
  --key-separator :       a line is KEY:VALUE
  --format '%k %v\\n'      a record is fields with text between them: %k key, %v value, %t topic, %p partition, %T timestamp
  --format json           a line is what consume --json prints; headers and timestamps are kept
  --whole                 a file is one record

Examples:
  sluice produce logs /var/log/syslog --compression zstd
  printf 'a:1\\nb:2\\n' | sluice produce orders --key-separator :
  sluice consume orders --offset :end --json | sluice produce orders-copy --format json`;

export function addProduceCommand(program: Command): void {
  addClientOptions(
    program
      .command('produce')
      .argument('<topic>')
      .argument('[files...]', 'files to read; - or nothing is standard input')
      .description('send each line of a file as a record'),
  )
    .option('-K, --key-separator <text>', 'what stands between key and value in a line; without it records have no key')
    .option('-f, --format <format>', 'value, json, or a template (see the help)')
    .option('-D, --delimiter <text>', 'what ends a record instead of a newline, as in \\0')
    .option('-w, --whole', 'send each file as one record', false)
    .option('-k, --key <text>', 'key of every record that has none')
    .option('-H, --header <key=value>', 'header of every record; repeatable', collect, [])
    .option('-Z, --tombstones', 'an empty value becomes null', false)
    .option('-p, --partition <number>', 'send to this partition only')
    .option('--keep-partitions', 'with --format json: send to the partition that the input tells', false)
    .addOption(
      new Option('--partitioner <name>', 'by key and otherwise in batches, or each record to the next partition')
        .choices(['default', 'round-robin'])
        .default('default'),
    )
    .addOption(
      new Option('-z, --compression <codec>', 'codec of the batches')
        .choices(['none', 'gzip', 'snappy', 'lz4', 'zstd'])
        .default('none'),
    )
    .addOption(new Option('--acks <acks>', 'who must have a record').choices(['all', '1', '0']).default('all'))
    .option('--linger <duration>', 'how long a batch waits for more records', '5ms')
    .option('--batch-size <bytes>', 'size at which a batch is sent', '256KiB')
    .option('--report', 'print TOPIC PARTITION OFFSET TIMESTAMP of each record once it is acknowledged', false)
    .addHelpText('after', HELP)
    .action(async (topic: string, files: readonly string[], options: ProduceOptions) => {
      const { produceFiles } = await import('./produce-lines.ts');
      await produceFiles(topic, files, options);
    });
}
