/** `sluice consume`: records of topics on standard output. */
import { type Command, Option } from 'commander';
import type { Isolation } from '../client/list-offsets.ts';
import { collect } from './arguments.ts';
import { addClientOptions, type ClientOptions } from './connection-options.ts';
import type { FilterOptions } from './record-filter.ts';

export interface ConsumeOptions extends ClientOptions, FilterOptions {
  readonly regex: boolean;
  readonly partition: readonly string[];
  readonly offset?: string;
  readonly fromBeginning: boolean;
  readonly max?: string;
  readonly exit: boolean;
  readonly idle?: string;
  readonly format: string;
  readonly unpack: readonly string[];
  readonly output: string;
  readonly isolation: Isolation;
  readonly group?: string;
  readonly groupProtocol: 'classic' | 'consumer';
  readonly instanceId?: string;
  readonly commit: boolean;
  readonly rack?: string;
}

const HELP = `
Offsets:
  start, end       the first record that is there; what comes from now on
  42, +10, -10     this offset; the tenth record from the start; ten records before the end
  @TIME            the first record of a time: 2026-05-01, 2026-05-01T12:00:00Z (UTC where no zone is given),
                   @1795161433842 (milliseconds, or seconds with 9 or 10 digits), @-1h (an hour ago)
  FROM:UNTIL       from one of these up to, not including, another; FROM: stops at the present end, :UNTIL begins at the start

Formats: value, key-value, json, or a template of
  %t topic   %p partition   %o offset   %k key   %v value   %T timestamp (ms)   %h headers (name=value,...)
  %K bytes of the key   %S bytes of the value   %H number of headers   %e leader epoch   %i count, from 1   %% a percent sign
  %k{hex} %v{base64} %v{json} %T{iso} %h{json}   \\n \\r \\t \\0 \\x1f \\\\
  %s is %v, %R its length in four bytes, as in kcat.

Packed keys and values: --unpack 'key=i' --unpack 'value=>q s', with b B h H i I q Q for integers of 1, 2, 4 and 8 bytes (capitals
  without a sign), c for a character, s for the rest, $ for the end, < and > for the byte order (> unless told), and spaces.

Examples:
  sluice consume orders --offset start --exit --json | jq .value
  sluice consume orders --offset @-1h:@-30m --grep-key '^eu-' --format '%T{iso} %k %v\\n'
  sluice consume 'eu-.*' --regex --group billing --max 100`;

export function addConsumeCommand(program: Command): void {
  addClientOptions(
    program
      .command('consume')
      .argument('<topics...>')
      .description('print the records of topics; without an offset, those that come from now on'),
  )
    .option('-o, --offset <offset>', 'where to start, or a range (see Offsets)')
    .option('--from-beginning', 'the same as --offset start', false)
    .option('-p, --partition <list>', 'only these partitions, as in 0,2 or 0-3; repeatable', collect, [])
    .option('-n, --max <count>', 'stop after so many records')
    .option('-e, --exit', 'stop at the end instead of waiting for more', false)
    .option('--idle <duration>', 'stop when nothing came for so long')
    .option('-f, --format <format>', 'how to print a record (see Formats)', 'value')
    .option(
      '-s, --unpack <[key|value=]format>',
      'show packed numbers as text, in the notation of kcat (see Formats); repeatable',
      collect,
      [],
    )
    .option('-O, --output <file>', 'write to a file; - is standard output', '-')
    .option('--grep <regex>', 'only records whose key or value matches')
    .option('--grep-key <regex>', 'only records whose key matches')
    .option('--grep-value <regex>', 'only records whose value matches')
    .option('--invert-match', 'only records that do not match', false)
    .option('-r, --regex', 'topics are regular expressions that the whole name matches', false)
    .addOption(
      new Option('--isolation <level>', 'whether to print records of open and aborted transactions')
        .choices(['read_uncommitted', 'read_committed'])
        .default('read_uncommitted'),
    )
    .option('--rack <rack>', 'read from replicas in this rack where the cluster allows it')
    .optionsGroup('Group:')
    .option('-g, --group <group>', 'read as a member of a group, from where it is; --offset counts where it is nowhere')
    .addOption(
      new Option('--group-protocol <protocol>', 'who assigns partitions: a member, or the broker (KIP-848)')
        .choices(['classic', 'consumer'])
        .default('classic'),
    )
    .option('--instance-id <id>', 'be a static member of this name')
    .option('--no-commit', 'leave the group where it is')
    .addHelpText('after', HELP)
    .action(async (topics: readonly string[], options: ConsumeOptions) => {
      const { consumeRecords } = await import('./consume-records.ts');
      await consumeRecords(topics, options);
    });
}
