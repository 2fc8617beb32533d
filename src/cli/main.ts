#!/usr/bin/env node
/** The `sluice` command. Each subcommand loads what it needs only when it runs; see program.ts. */
import { CommanderError } from 'commander';
import { disk } from '../base/disk.ts';
import { COMPLETE } from './completion-scripts.ts';
import { ExitCode } from './exit-codes.ts';
import { behindTheCommand } from './leading-options.ts';
import { fail, tellErrorsAsJson, watchOutput } from './output.ts';
import { packageFile } from './package-file.ts';
import { createProgram } from './program.ts';

const manifest: { readonly version: string } = JSON.parse(disk.readFile(packageFile('package.json')).toString('utf8'));

watchOutput();
const program = createProgram(manifest.version).hook('preAction', (_, command) => {
  if (command.opts()['json'] === true) tellErrorsAsJson();
});
if (process.argv[2] === COMPLETE) {
  const { printCompletions } = await import('./complete-names.ts');
  await printCompletions(program, process.argv.slice(3));
} else {
  await program.parseAsync(behindTheCommand(process.argv.slice(2)), { from: 'user' }).catch((error: unknown) => {
    if (!(error instanceof CommanderError)) fail(error);
    else if (error.exitCode !== 0) process.exitCode = ExitCode.USAGE;
  });
}
