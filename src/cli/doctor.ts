/** `sluice doctor`: connects as a client would, looks around, and says what is wrong and what to do about it. */
import type { Command } from 'commander';
import { addClientOptions, type ClientOptions } from './connection-options.ts';

export interface DoctorOptions extends ClientOptions {
  readonly write: boolean;
  readonly verbose: boolean;
}

const HELP = `
It looks at this machine (Node, native parts, descriptors), at every address that was given and every one that brokers tell
(resolved, connected to, asked), at versions, features and clocks, at partitions (leaders, replicas in sync), at disks, and at
settings that lose data. It changes nothing, unless --write lets it create a topic, write and read a record at every broker, which
also shows how exact their clocks are, and delete the topic.

Ends with 1 where an error was found, with 3 where no broker answers; warnings alone do not count.`;

export function addDoctorCommand(program: Command): void {
  addClientOptions(
    program.command('doctor').description('connect as a client would, and say what is wrong and what to do about it'),
  )
    .option('--write', 'also write and read a record at every broker, in a topic that is deleted again', false)
    .option('-v, --verbose', 'show what is in order as well', false)
    .addHelpText('after', HELP)
    .action(async (options: DoctorOptions) => {
      const { runDoctor } = await import('./doctor/run-doctor.ts');
      await runDoctor(options);
    });
}
