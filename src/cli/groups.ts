/** `sluice groups`: who reads what, how far, how far behind; and where a group shall read on. */
import type { Command } from 'commander';
import { collect } from './arguments.ts';
import { addClientOptions, type ClientOptions } from './connection-options.ts';

export type GroupsOptions = ClientOptions;

export interface ListOptions extends GroupsOptions {
  readonly state: readonly string[];
  readonly type: readonly string[];
}

export interface DescribeOptions extends GroupsOptions {
  readonly all: boolean;
  readonly members: boolean;
  readonly state: boolean;
  /** Seconds between two looks; true for the default. */
  readonly watch?: string | true;
}

export interface ResetOptions extends GroupsOptions {
  readonly topic: readonly string[];
  readonly allTopics: boolean;
  readonly toEarliest: boolean;
  readonly toLatest: boolean;
  readonly toCurrent: boolean;
  readonly toOffset?: string;
  readonly toDatetime?: string;
  readonly byDuration?: string;
  readonly shiftBy?: string;
  readonly fromFile?: string;
  readonly execute: boolean;
  readonly export: boolean;
}

export interface DeleteOffsetsOptions extends GroupsOptions {
  readonly topic: readonly string[];
  readonly execute: boolean;
}

export function addGroupsCommand(program: Command): void {
  const groups = program.command('groups').description('consumer groups: list, describe with lag, reset, delete');
  const command = (usage: string, description: string): Command =>
    addClientOptions(groups.command(usage).description(description));

  command('list', 'list groups')
    .option(
      '--state <state>',
      'only groups in this state (empty, stable, ...); may be given several times',
      collect,
      [],
    )
    .option('--type <type>', 'only groups of this type (classic, consumer); may be given several times', collect, [])
    .action(async (options: ListOptions) => {
      const { listGroups } = await import('./show-groups.ts');
      await listGroups(options);
    });

  command('describe [groups...]', 'what a group has read of each partition, how far it is behind, and who reads it')
    .option('--all', 'all groups', false)
    .option('--members', 'members with their partitions instead', false)
    .option('--state', 'state, coordinator and size instead', false)
    .option('--watch [seconds]', 'look again and again, every 2 seconds where no time is given')
    .action(async (names: readonly string[], options: DescribeOptions) => {
      const { describeGroups } = await import('./show-groups.ts');
      await describeGroups(names, options);
    });

  command('delete <groups...>', 'delete groups without members, with their offsets').action(
    async (names: readonly string[], options: GroupsOptions) => {
      const { deleteGroups } = await import('./show-groups.ts');
      await deleteGroups(names, options);
    },
  );

  addOffsetCommands(command);
}

function addOffsetCommands(command: (usage: string, description: string) => Command): void {
  command('reset-offsets <group>', 'say where a group without members shall read on; shows only, unless --execute')
    .option(
      '--topic <name[:partitions]>',
      'a topic, or some of its partitions as in orders:0,2; repeatable',
      collect,
      [],
    )
    .option('--all-topics', 'every topic that the group has read', false)
    .option('--to-earliest', 'to the first record that is there', false)
    .option('--to-latest', 'behind the last record', false)
    .option('--to-current', 'to where it is, as far as that still exists', false)
    .option('--to-offset <offset>', 'to this offset')
    .option('--to-datetime <time>', 'to the first record at or after a time (ISO 8601, or milliseconds since 1970)')
    .option('--by-duration <duration>', 'to the first record not older than this (PT1H30M, 90m, 2d)')
    .option('--shift-by <count>', 'so many records further, or back where negative')
    .option('--from-file <file>', 'to the offsets in a file of lines TOPIC,PARTITION,OFFSET; - is standard input')
    .option('--export', 'print TOPIC,PARTITION,OFFSET lines, which --from-file takes, and do nothing', false)
    .option('--execute', 'do it', false)
    .action(async (group: string, options: ResetOptions) => {
      const { resetOffsets } = await import('./reset-offsets.ts');
      await resetOffsets(group, options);
    });

  command(
    'delete-offsets <group>',
    'forget where a group is in topics that it no longer reads; shows only, unless --execute',
  )
    .option(
      '--topic <name[:partitions]>',
      'a topic, or some of its partitions as in orders:0,2; repeatable',
      collect,
      [],
    )
    .option('--execute', 'do it', false)
    .action(async (group: string, options: DeleteOffsetsOptions) => {
      const { deleteOffsets } = await import('./delete-offsets.ts');
      await deleteOffsets(group, options);
    });
}
