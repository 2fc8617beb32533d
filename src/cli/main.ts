#!/usr/bin/env node
/** The `sluice` command: one file a subcommand, each loading what it needs only when it runs. */
import { fileURLToPath } from 'node:url';
import { Command, Help } from 'commander';
import { disk } from '../base/disk.ts';
import { SluiceError } from '../base/errors.ts';
import { addClusterCommand } from './cluster.ts';
import { addConfigCommand } from './config.ts';
import { addConsumeCommand } from './consume.ts';
import { addDemoCommand } from './demo.ts';
import { addGroupsCommand } from './groups.ts';
import { addLogCommand } from './log.ts';
import { fail } from './output.ts';
import { addProduceCommand } from './produce.ts';
import { addStartCommand } from './start.ts';
import { addTopicsCommand } from './topics.ts';

const manifest: { readonly version: string } = JSON.parse(
  disk.readFile(fileURLToPath(new URL('../../../package.json', import.meta.url))).toString('utf8'),
);

const help = new Help();
const program = new Command('sluice')
  // That a switch is off unless it is given goes without saying.
  .configureHelp({
    optionDescription: (option) =>
      option.defaultValue === false ? option.description : help.optionDescription(option),
  })
  .description('A Kafka-compatible streaming log: broker, clients and tools.')
  .version(manifest.version)
  .showHelpAfterError('(sluice --help lists the commands and their options)');
for (const add of [
  addStartCommand,
  addDemoCommand,
  addConfigCommand,
  addTopicsCommand,
  addProduceCommand,
  addConsumeCommand,
  addGroupsCommand,
  addClusterCommand,
  addLogCommand,
]) {
  add(program);
}

process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  // A reader that has seen enough (`| head`) is no failure; a full disk behind a redirection is.
  if (error.code !== 'EPIPE') fail(new SluiceError('OUTPUT_FAILED', `cannot write the output: ${error.message}`));
  process.exit();
});

await program.parseAsync().catch(fail);
