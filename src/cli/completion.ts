/** `sluice completion`: scripts by which shells complete command lines of `sluice`. */
import { type Command, Option } from 'commander';
import { printLine } from './output.ts';

export const SHELLS = ['bash', 'zsh', 'fish'] as const;
export type Shell = (typeof SHELLS)[number];

const HELP = `
Load it where your shell starts:
  bash   source <(sluice completion bash)        in ~/.bashrc
  zsh    source <(sluice completion zsh)         in ~/.zshrc, behind compinit
  fish   sluice completion fish | source         in ~/.config/fish/config.fish

It completes commands, options and their values, and names of topics, groups, brokers and profiles. Where no broker answers
within a second it stays silent.`;

export function addCompletionCommand(program: Command): void {
  const completion = program.command('completion').description('print a script that lets a shell complete commands');
  for (const shell of SHELLS) {
    completion
      .command(shell)
      .description(`for ${shell}`)
      .addHelpText('after', HELP)
      .addOption(new Option('--name <command>', 'what the command is called').default('sluice').hideHelp())
      .action(async ({ name }: { readonly name: string }) => {
        const { completionScript } = await import('./completion-scripts.ts');
        printLine(completionScript(shell, name));
      });
  }
}
