/** `sluice config`: of topics, brokers and whatever else has one in a cluster; and of a broker that is to be started. */
import { type Command, Option } from 'commander';
import { RESOURCE_TYPES, type ResourceType } from '../client/admin/configs.ts';
import { collect } from './arguments.ts';
import type { ConfigurationOptions } from './configuration.ts';
import { addClientOptions, type ClientOptions, jsonOption } from './connection-options.ts';
import { printRows } from './output.ts';
import { addConfigurationOptions } from './start.ts';

export interface DescribeConfigOptions extends ClientOptions {
  readonly all: boolean;
  readonly option: readonly string[];
  readonly synonyms: boolean;
}

export interface AlterConfigOptions extends ClientOptions {
  readonly set: readonly string[];
  readonly reset: readonly string[];
  readonly append: readonly string[];
  readonly subtract: readonly string[];
  readonly dryRun: boolean;
}

export const CONFIG_TYPES = Object.keys(RESOURCE_TYPES) as ResourceType[];

const HELP = `
TYPE is one of ${CONFIG_TYPES.join(', ')}. Without a name, \`broker\` means what holds for all brokers; of the other types, all
that there are are described.`;

export function addConfigCommand(program: Command): void {
  const config = program.command('config').description('configs: describe, alter and list those of a cluster; explain');
  const type = (command: Command): Command =>
    addClientOptions(command.addArgument(command.createArgument('<type>').choices(CONFIG_TYPES)).argument('[name]'));

  type(config.command('describe'))
    .description('configs of a topic, a broker, a group, ...')
    .option('--all', 'defaults as well', false)
    .option('--option <name>', 'only this one; repeatable', collect, [])
    .option('--synonyms', 'what each value was chosen from', false)
    .addHelpText('after', HELP)
    .action(async (kind: ResourceType, name: string | undefined, options: DescribeConfigOptions) => {
      const { describeConfig } = await import('./cluster-configs.ts');
      await describeConfig(kind, name, options);
    });

  type(config.command('alter'))
    .description('change configs while everything runs')
    .option('--set <key=value>', 'sets one; repeatable', collect, [])
    .option('--reset <key>', 'takes one back to its default; repeatable', collect, [])
    .option('--append <key=value>', 'adds to one that is a list; repeatable', collect, [])
    .option('--subtract <key=value>', 'takes from one that is a list; repeatable', collect, [])
    .option('--dry-run', 'check only', false)
    .addHelpText('after', HELP)
    .action(async (kind: ResourceType, name: string | undefined, options: AlterConfigOptions) => {
      const { alterConfig } = await import('./cluster-configs.ts');
      await alterConfig(kind, name, options);
    });

  addClientOptions(config.command('list'))
    .description('everything that has configs of its own')
    .addOption(
      new Option('--type <type>', 'only these; repeatable').choices(CONFIG_TYPES).argParser(collect).default([]),
    )
    .action(async (options: ClientOptions & { readonly type: readonly ResourceType[] }) => {
      const { listConfigs } = await import('./cluster-configs.ts');
      await listConfigs(options);
    });

  addExplainCommand(config);
}

function addExplainCommand(config: Command): void {
  addConfigurationOptions(config.command('explain', { isDefault: true }))
    .description('every option of a broker that is to be started here: its value, and where that comes from')
    .option('--changed', 'only options that differ from their default', false)
    .addOption(jsonOption())
    .action(async (options: ConfigurationOptions & { readonly json: boolean; readonly changed: boolean }) => {
      const { configurationFrom } = await import('./configuration.ts');
      const rows = configurationFrom(options)
        .explain()
        .filter(({ source }) => !options.changed || source !== 'default')
        .map(({ name, value, source, origin, inert }) => ({
          name,
          value,
          source,
          origin: origin === '' ? null : origin,
          effect: inert === undefined ? 'yes' : inert === 'later' ? 'not yet' : 'none',
        }));
      printRows(rows, { json: options.json, columns: ['name', 'value', 'source', 'origin', 'effect'] });
    });
}
