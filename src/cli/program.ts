/** The grammar of the command line: every command with its options. Building it loads nothing that runs them. */
import { Command, Help } from 'commander';
import { addClusterCommand } from './cluster.ts';
import { addCompletionCommand } from './completion.ts';
import { addConfigCommand } from './config.ts';
import { addConsumeCommand } from './consume.ts';
import { addDemoCommand } from './demo.ts';
import { addDoctorCommand } from './doctor.ts';
import { addGroupsCommand } from './groups.ts';
import { addLogCommand } from './log.ts';
import { addPerfCommand } from './perf.ts';
import { addProduceCommand } from './produce.ts';
import { addProfileCommand } from './profile.ts';
import { addStartCommand } from './start.ts';
import { addTopicsCommand } from './topics.ts';

const GROUPS: readonly (readonly [string, readonly ((program: Command) => void)[]])[] = [
  ['Records:', [addProduceCommand, addConsumeCommand]],
  ['Cluster:', [addTopicsCommand, addGroupsCommand, addClusterCommand, addConfigCommand]],
  ['Broker:', [addStartCommand, addDemoCommand, addLogCommand]],
  ['Tools:', [addDoctorCommand, addPerfCommand, addProfileCommand, addCompletionCommand]],
];

const FOOTER = `
Brokers are found by --brokers, --profile, SLUICE_BROKERS, SLUICE_PROFILE, the profile in use, or at localhost:9092.
Ends with 0 when all is well, 1 when something failed, 2 for a command line that makes no sense, 3 when no broker answers.`;

/** Errors of the command line are thrown as CommanderError, help and version likewise. */
export function createProgram(version: string): Command {
  const help = new Help();
  const program = new Command('sluice')
    .exitOverride()
    .configureHelp({
      // That a switch is off unless it is given goes without saying, and so does an empty list.
      optionDescription: (option) =>
        option.defaultValue === false || isEmptyList(option.defaultValue)
          ? option.description
          : help.optionDescription(option),
    })
    .description('A Kafka-compatible streaming log: broker, clients and tools.')
    .version(version)
    .helpCommand('help [command]', 'tell about a command')
    .configureOutput({ outputError: (text, write) => write(text) })
    .addHelpText('after', FOOTER);
  for (const [title, commands] of GROUPS) {
    program.commandsGroup(title);
    for (const add of commands) add(program);
  }
  for (const command of commandsOf(program)) {
    const path = pathOf(command);
    command.showHelpAfterError(`try: ${path} --help`);
  }
  return program;
}

function isEmptyList(value: unknown): boolean {
  return Array.isArray(value) && value.length === 0;
}

/** A command with all commands below it, the hidden ones left out. */
export function commandsOf(command: Command): Command[] {
  return [command, ...command.commands.flatMap(commandsOf)];
}

/** `sluice topics create` */
export function pathOf(command: Command): string {
  return command.parent === null ? command.name() : `${pathOf(command.parent)} ${command.name()}`;
}
