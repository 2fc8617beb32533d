/** `sluice cluster`: who is there, who leads; moving replicas onto brokers and off them. */
import type { Command } from 'commander';
import { collect } from './arguments.ts';
import { addClientOptions, type ClientOptions } from './connection-options.ts';

export type ClusterOptions = ClientOptions;

export interface MoveOptions extends ClusterOptions {
  readonly execute: boolean;
  readonly watch: boolean;
  readonly cancel: boolean;
  /** Bytes a second for each broker, as text with an optional unit. */
  readonly throttle?: string;
}

export interface RebalanceOptions extends MoveOptions {
  readonly topic: readonly string[];
}

export interface ReassignOptions extends MoveOptions {
  readonly fromFile: string;
}

export interface FeaturesOptions extends ClusterOptions {
  readonly upgrade: readonly string[];
  readonly downgrade: readonly string[];
  readonly disable: readonly string[];
  readonly unsafe: boolean;
  readonly dryRun: boolean;
}

export interface LogDirsOptions extends ClusterOptions {
  readonly broker: readonly string[];
  readonly topic: readonly string[];
  readonly replicas: boolean;
}

export interface MoveLogDirsOptions extends ClusterOptions {
  readonly topic: readonly string[];
  readonly from?: string;
  readonly execute: boolean;
  readonly watch: boolean;
}

export interface ApiVersionsOptions extends ClusterOptions {
  readonly broker: readonly string[];
}

export interface UnregisterOptions extends ClusterOptions {
  readonly force: boolean;
}

export interface ElectOptions extends ClusterOptions {
  readonly unclean: boolean;
  readonly topic: readonly string[];
}

export function addClusterCommand(program: Command): void {
  const cluster = program.command('cluster').description('brokers: describe, rebalance, drain, elect leaders');
  const command = (usage: string, description: string): Command =>
    addClientOptions(cluster.command(usage).description(description));
  command('describe', 'brokers with what they hold, the controller, what is short of replicas or leaders').action(
    async (options: ClusterOptions) => {
      const { describeCluster } = await import('./describe-cluster.ts');
      await describeCluster(options);
    },
  );

  addMovingCommands(command);
  addLookingCommands(command);

  command('elect-leaders', 'let preferred replicas lead again, where they are in sync')
    .option('--unclean', 'where nobody leads, take any replica that is up; records may be lost', false)
    .option(
      '--topic <name[:partitions]>',
      'a topic, or some of its partitions as in orders:0,2; repeatable',
      collect,
      [],
    )
    .action(async (options: ElectOptions) => {
      const { electLeaders } = await import('./elect-leaders.ts');
      await electLeaders(options);
    });

  command('unregister <broker>', 'strike a broker that is gone for good off the list')
    .option('--force', 'even where it still holds replicas, which then lack it for good', false)
    .action(async (broker: string, options: UnregisterOptions) => {
      const { unregister } = await import('./elect-leaders.ts');
      await unregister(broker, options);
    });
}

type AddCommand = (usage: string, description: string) => Command;

function addMovingCommands(command: AddCommand): void {
  const move = (usage: string, description: string): Command =>
    command(usage, description)
      .option('--execute', 'do it', false)
      .option('--throttle <bytes>', 'at most so many bytes a second to and from each broker, as in 50MiB')
      .option('--watch', 'stay until everything has moved, and lift the throttle then', false)
      .option('--cancel', 'take back what is moving, and lift the throttle', false);

  move('rebalance', 'spread replicas and leaders evenly over brokers and racks; shows the plan only, unless --execute')
    .option('--topic <name>', 'a topic to move; all but internal ones where none is given; repeatable', collect, [])
    .action(async (options: RebalanceOptions) => {
      const { rebalance } = await import('./move-replicas.ts');
      await rebalance(options);
    });

  move('drain <broker>', 'move everything off a broker that is to go; shows the plan only, unless --execute').action(
    async (broker: string, options: MoveOptions) => {
      const { drain } = await import('./move-replicas.ts');
      await drain(broker, options);
    },
  );

  move('reassign', 'move replicas as a file says; shows the plan only, unless --execute')
    .requiredOption(
      '--from-file <file>',
      'JSON as kafka-reassign-partitions or rebalance --json have it; - is standard input',
    )
    .action(async (options: ReassignOptions) => {
      const { reassign } = await import('./move-replicas.ts');
      await reassign(options);
    });

  command(
    'move-log-dirs <broker> <directory>',
    'move replicas of a broker into another log directory of it; shows the plan only, unless --execute',
  )
    .option(
      '--topic <name[:partitions]>',
      'a topic, or some of its partitions as in orders:0,2; repeatable',
      collect,
      [],
    )
    .option('--from <directory>', 'what lies in this directory, all of it where no topic is given')
    .option('--execute', 'do it', false)
    .option('--watch', 'stay until everything has moved', false)
    .action(async (broker: string, directory: string, options: MoveLogDirsOptions) => {
      const { moveLogDirectories } = await import('./move-log-dirs.ts');
      await moveLogDirectories(broker, directory, options);
    });

  command('reassignments', 'what is being moved').action(async (options: ClusterOptions) => {
    const { showReassignments } = await import('./move-replicas.ts');
    await showReassignments(options);
  });
}

function addLookingCommands(command: AddCommand): void {
  command('log-dirs', 'directories of brokers: room, and what lies there')
    .option('--broker <list>', 'only these brokers, as in 1,2; repeatable', collect, [])
    .option('--topic <topic>', 'only replicas of this topic; repeatable', collect, [])
    .option('--replicas', 'each replica', false)
    .action(async (options: LogDirsOptions) => {
      const { showLogDirectories } = await import('./show-brokers.ts');
      await showLogDirectories(options);
    });

  command('api-versions', 'which versions of the protocol brokers speak')
    .option('--broker <list>', 'only these brokers, as in 1,2; repeatable', collect, [])
    .action(async (options: ApiVersionsOptions) => {
      const { showApiVersions } = await import('./show-brokers.ts');
      await showApiVersions(options);
    });

  command('features', 'features and their levels; or change those')
    .option('--upgrade <name=level>', 'raise a feature to a level; repeatable', collect, [])
    .option('--downgrade <name=level>', 'lower a feature to a level; repeatable', collect, [])
    .option('--disable <name>', 'switch a feature off; repeatable', collect, [])
    .option('--unsafe', 'lower features even where something is lost by it', false)
    .option('--dry-run', 'check only', false)
    .action(async (options: FeaturesOptions) => {
      const { features } = await import('./show-features.ts');
      await features(options);
    });
}
