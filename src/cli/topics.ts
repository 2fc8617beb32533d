/** `sluice topics`: create, list, describe, alter, delete. */
import type { Command } from 'commander';
import { collect } from './arguments.ts';
import { addClientOptions, type ClientOptions } from './connection-options.ts';

export type TopicsOptions = ClientOptions;

export interface CreateOptions extends TopicsOptions {
  readonly partitions?: string;
  readonly replicationFactor?: string;
  readonly replicaAssignment?: string;
  readonly config: readonly string[];
  readonly ifNotExists: boolean;
  readonly dryRun: boolean;
}

export interface DeleteOptions extends TopicsOptions {
  readonly yes: boolean;
  readonly ifExists: boolean;
}

export interface ListOptions extends TopicsOptions {
  readonly internal: boolean;
  readonly match?: string;
}

export interface DescribeOptions extends TopicsOptions {
  readonly allConfigs: boolean;
  readonly underReplicated: boolean;
  readonly unavailable: boolean;
  readonly underMinIsr: boolean;
  readonly atMinIsr: boolean;
}

export interface OffsetsOptions extends TopicsOptions {
  readonly at: string;
  readonly partition: readonly string[];
  readonly internal: boolean;
}

export interface DeleteRecordsOptions extends TopicsOptions {
  readonly before?: string;
  readonly partition: readonly string[];
  readonly fromFile?: string;
  readonly yes: boolean;
}

export interface AlterOptions extends TopicsOptions {
  readonly partitions?: string;
  readonly config: readonly string[];
  readonly reset: readonly string[];
}

export function addTopicsCommand(program: Command): void {
  const topics = program.command('topics').description('create, list, describe, alter and delete topics');
  const command = (usage: string, description: string): Command =>
    addClientOptions(topics.command(usage).description(description));

  addChangingCommands(command);
  addLookingCommands(command);
}

type AddCommand = (usage: string, description: string) => Command;

function addChangingCommands(command: AddCommand): void {
  command('create <names...>', 'create topics')
    .option('--partitions <count>', "how many partitions (default: the broker's)")
    .option('--replication-factor <count>', "how many replicas of each (default: the broker's)")
    .option(
      '--replica-assignment <list>',
      'brokers of each partition instead, the preferred leader first, as in 1:2,2:3 for two partitions',
    )
    .option('--config <key=value>', 'a config of the topic; may be given several times', collect, [])
    .option('--if-not-exists', 'leave topics alone that are there', false)
    .option('--dry-run', 'check only', false)
    .action(async (names: readonly string[], options: CreateOptions) => {
      const { createTopics } = await import('./manage-topics.ts');
      await createTopics(names, options);
    });

  command('alter <topic>', 'change configs or add partitions')
    .option('--partitions <count>', 'how many partitions it shall have; only more than now')
    .option('--config <key=value>', 'sets a config; may be given several times', collect, [])
    .option('--reset <key>', 'takes a config back to its default; may be given several times', collect, [])
    .action(async (name: string, options: AlterOptions) => {
      const { alterTopic } = await import('./manage-topics.ts');
      await alterTopic(name, options);
    });

  command('delete <topics...>', 'delete topics with all their records')
    .option('-y, --yes', 'do not ask; where input is no terminal nobody is asked', false)
    .option('--if-exists', 'pass over topics that are not there', false)
    .action(async (names: readonly string[], options: DeleteOptions) => {
      const { deleteTopics } = await import('./manage-topics.ts');
      await deleteTopics(names, options);
    });

  command('delete-records [topics...]', 'delete the records before an offset for good')
    .option('--before <offset>', 'the first one that stays: 42, end, -1000, @-7d, ... as in consume')
    .option('-p, --partition <list>', 'only these partitions; repeatable', collect, [])
    .option(
      '--from-file <file>',
      'JSON as kafka-delete-records takes it: {"partitions": [{"topic", "partition", "offset"}]}',
    )
    .option('-y, --yes', 'do not ask; where input is no terminal nobody is asked', false)
    .action(async (names: readonly string[], options: DeleteRecordsOptions) => {
      const { deleteRecords } = await import('./delete-records.ts');
      await deleteRecords(names, options);
    });
}

function addLookingCommands(command: AddCommand): void {
  command('list', 'list topics')
    .option('--internal', 'those of the brokers themselves as well', false)
    .option('--match <regex>', 'only those whose name matches')
    .action(async (options: ListOptions) => {
      const { listTopics } = await import('./show-topics.ts');
      await listTopics(options);
    });

  command('describe [topics...]', 'partitions, leaders, offsets and configs of topics')
    .option('--all-configs', 'defaults as well', false)
    .option('--under-replicated', 'only partitions with replicas out of sync, of all topics where none is named', false)
    .option('--unavailable', 'only partitions without a leader', false)
    .option('--under-min-isr', 'only partitions with fewer in sync than min.insync.replicas', false)
    .option('--at-min-isr', 'only partitions with no more in sync than min.insync.replicas', false)
    .action(async (names: readonly string[], options: DescribeOptions) => {
      const { describeTopics } = await import('./show-topics.ts');
      await describeTopics(names, options);
    });

  command('offsets [topics...]', 'the offset of a place in each partition, of all topics where none is named')
    .option('--at <offset>', 'start, end, max-timestamp, @TIME, -10, ... as in consume', 'end')
    .option('-p, --partition <list>', 'only these partitions, as in 0,2 or 0-3; repeatable', collect, [])
    .option('--internal', 'topics of the brokers themselves as well', false)
    .action(async (names: readonly string[], options: OffsetsOptions) => {
      const { showOffsets } = await import('./show-offsets.ts');
      await showOffsets(names, options);
    });

  command('producers <topics...>', 'producers that the leaders remember, with transactions that are open').action(
    async (names: readonly string[], options: TopicsOptions) => {
      const { showProducers } = await import('./show-offsets.ts');
      await showProducers(names, options);
    },
  );
}
