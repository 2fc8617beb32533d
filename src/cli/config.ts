/** `sluice config`: the effective configuration of a broker and where each value comes from. */
import type { Command } from 'commander';
import type { ConfigurationOptions } from './configuration.ts';
import { jsonOption } from './connection-options.ts';
import { printRows } from './output.ts';
import { addConfigurationOptions } from './start.ts';

export function addConfigCommand(program: Command): void {
  addConfigurationOptions(program.command('config'))
    .description('print the effective value of every option and where it comes from')
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
