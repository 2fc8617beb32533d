/** `sluice demo`: a broker, and what it is for, shown at work on a real file. */
import type { Command } from 'commander';
import type { StartOptions } from './start.ts';

export interface DemoOptions extends StartOptions {
  readonly exit: boolean;
  readonly speed: string;
}

const HELP = `
First the file goes through the broker as fast as it can, and every line that comes back is compared. Then lines keep coming, and
groups read them: one of several workers that share the partitions (a queue), and two that each get everything (publish and
subscribe). A worker is added, another one killed, a group is rewound; who owns which partition, and how far behind each group is,
is shown as it happens. Ctrl-C ends it.`;

export function addDemoCommand(program: Command): void {
  program
    .command('demo')
    .argument('[file]', 'text file to stream through the broker (default: a log of this machine)')
    .description('start a broker, and show groups at work on a real file')
    .option('--host <host>', 'address to listen on (default: localhost)')
    .option('--port <port>', 'port to listen on (default: 9092, or a free one)')
    .option('--data-dir <dir>', 'where data is kept (default: ./sluice-data)')
    .option('--exit', 'stop the broker at the end', false)
    .option('--speed <factor>', 'go through it faster, as in 3', '1')
    .addHelpText('after', HELP)
    .action(async (file: string | undefined, options: Omit<DemoOptions, 'set' | 'logLevel' | 'json'>) => {
      const { runDemo } = await import('./demo/run-demo.ts');
      await runDemo(file, { ...options, set: [], logLevel: 'warn', json: false });
    });
}
