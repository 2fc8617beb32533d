/** `sluice topics`: create, list, describe, alter, delete. */
import type { Command } from 'commander';
import { collect } from './arguments.ts';
import { addClientOptions, type ClientOptions } from './connection-options.ts';

export type TopicsOptions = ClientOptions;

export interface CreateOptions extends TopicsOptions {
  readonly partitions?: string;
  readonly replicationFactor?: string;
  readonly config: readonly string[];
  readonly dryRun: boolean;
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

  command('create <names...>', 'create topics')
    .option('--partitions <count>', "how many partitions (default: the broker's)")
    .option('--replication-factor <count>', "how many replicas of each (default: the broker's)")
    .option('--config <key=value>', 'a config of the topic; may be given several times', collect, [])
    .option('--dry-run', 'check only', false)
    .action(async (names: readonly string[], options: CreateOptions) => {
      const { createTopics } = await import('./manage-topics.ts');
      await createTopics(names, options);
    });

  command('list', 'list topics')
    .option('--internal', 'those of the brokers themselves as well', false)
    .action(async (options: TopicsOptions & { readonly internal: boolean }) => {
      const { listTopics } = await import('./show-topics.ts');
      await listTopics(options);
    });

  command('describe <topics...>', 'partitions, leaders, offsets and configs of topics')
    .option('--all-configs', 'defaults as well', false)
    .action(async (names: readonly string[], options: TopicsOptions & { readonly allConfigs: boolean }) => {
      const { describeTopics } = await import('./show-topics.ts');
      await describeTopics(names, options);
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
    .action(async (names: readonly string[], options: TopicsOptions & { readonly yes: boolean }) => {
      const { deleteTopics } = await import('./manage-topics.ts');
      await deleteTopics(names, options);
    });
}
