/** `sluice consume`: records of a topic on standard output. */
import type { Command } from 'commander';
import { brokersOption } from './brokers.ts';

export interface ConsumeOptions {
  readonly brokers: string;
  readonly partition?: string;
  readonly fromBeginning: boolean;
  readonly offset?: string;
  readonly timestamp?: string;
  readonly last?: string;
  readonly max?: string;
  readonly exit: boolean;
  readonly format: string;
  readonly json: boolean;
  readonly committed: boolean;
}

const FORMATS = `value, key-value, json, or a template:
  %t topic  %p partition  %o offset  %T timestamp  %k key  %v value  %h headers  \\n \\t %%`;

export function addConsumeCommand(program: Command): void {
  program
    .command('consume')
    .argument('<topic>')
    .description('print the records of a topic; without a start, those that come from now on')
    .addOption(brokersOption())
    .option('--partition <number>', 'only this partition')
    .option('--from-beginning', 'start at the first record', false)
    .option('--offset <offset>', 'start here: a number, start, end, -10 (ten before the end), @TIMESTAMP')
    .option('--timestamp <time>', 'start at the first record of this time: ISO 8601 or milliseconds')
    .option('--last <count>', 'start so many records before the end of each partition')
    .option('--max <count>', 'stop after so many records')
    .option('-e, --exit', 'stop at the end instead of waiting for more', false)
    .option('--format <format>', FORMATS, 'value')
    .option('--json', 'the same as --format json', false)
    .option('--committed', 'skip records of open and aborted transactions', false)
    .action(async (topic: string, options: ConsumeOptions) => {
      const { consumeRecords } = await import('./consume-records.ts');
      await consumeRecords(topic, options);
    });
}
