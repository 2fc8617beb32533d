/** `sluice demo`: a broker, and the main job shown on a real file: bytes in, bytes on disk, bytes out. */
import type { Command } from 'commander';
import type { StartOptions } from './start.ts';

export interface DemoOptions extends StartOptions {
  readonly exit: boolean;
}

export function addDemoCommand(program: Command): void {
  program
    .command('demo')
    .argument('[file]', 'text file to stream through the broker (default: a log of this machine)')
    .description('start a broker, stream a real file through it, and keep it running')
    .option('--host <host>', 'address to listen on (default: localhost)')
    .option('--port <port>', 'port to listen on (default: 9092)')
    .option('--data-dir <dir>', 'where data is kept (default: ./sluice-data)')
    .option('--exit', 'stop the broker at the end', false)
    .action(async (file: string | undefined, options: Omit<DemoOptions, 'set' | 'logLevel'>) => {
      const { runDemo } = await import('./run-demo.ts');
      await runDemo(file, { ...options, set: [], logLevel: 'warn' });
    });
}
