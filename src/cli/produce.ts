/** `sluice produce`: lines of a file or of standard input become records. */
import { type Command, Option } from 'commander';
import type { CodecName } from '../records/compression/codecs.ts';
import { brokersOption } from './brokers.ts';

export interface ProduceOptions {
  readonly brokers: string;
  readonly compression: CodecName;
  readonly keySeparator?: string;
  readonly partition?: string;
  readonly acks: string;
  readonly header: readonly string[];
  readonly tombstones: boolean;
}

const collect = (value: string, previous: readonly string[]): readonly string[] => [...previous, value];

export function addProduceCommand(program: Command): void {
  program
    .command('produce')
    .argument('<topic>')
    .argument('[file]', 'file to read; - or nothing: standard input', '-')
    .description('send each line of a file as a record')
    .addOption(brokersOption())
    .addOption(
      new Option('--compression <codec>', 'codec of the batches')
        .choices(['none', 'gzip', 'snappy', 'lz4', 'zstd'])
        .default('none'),
    )
    .option('--key-separator <text>', 'what stands between key and value in a line; without it records have no key')
    .option('--tombstones', 'a line with a key and an empty value becomes a tombstone', false)
    .option('--header <key=value>', 'header of every record; may be given several times', collect, [])
    .option('--partition <number>', 'send to this partition only')
    .addOption(new Option('--acks <acks>', 'who must have a record').choices(['all', '1', '0']).default('all'))
    .action(async (topic: string, file: string, options: ProduceOptions) => {
      const { produceLines } = await import('./produce-lines.ts');
      await produceLines(topic, file, options);
    });
}
