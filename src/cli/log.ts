/** `sluice log`: looks into files of a data directory, and checks them. */
import type { Command } from 'commander';
import type { LogVerifyOptions } from './log-verify.ts';
import { printLine } from './output.ts';

export interface DumpOptions {
  readonly json: boolean;
  readonly records: boolean;
  readonly max?: string;
}

export function addLogCommand(program: Command): void {
  const log = program.command('log').description('look into the files of a data directory, and check them');
  addVerifyCommand(log);
  log
    .command('dump')
    .argument(
      '<files...>',
      'segments (.log), indexes (.index, .timeindex, .txnindex), .snapshot, .checkpoint, checkpoints, meta.properties',
    )
    .description('print what a file of a data directory holds, one line an entry')
    .option('--records', 'records of each batch as well', false)
    .option('--max <count>', 'stop after so many entries of each file')
    .option('--json', 'one JSON object a line', false)
    .addHelpText('after', '\nEnds with 1 where a batch does not match its checksum, or bytes are no batch.')
    .action(async (files: readonly string[], options: DumpOptions) => {
      const { dumpFile } = await import('./log-dump.ts');
      const limit = options.max === undefined ? Number.POSITIVE_INFINITY : Number(options.max);
      for (const file of files) {
        let left = limit;
        for await (const entry of dumpFile(file, options)) {
          if (left-- <= 0) break;
          if (entry.type === 'invalid' || entry['valid'] === false) process.exitCode = 1;
          printLine(options.json ? JSON.stringify({ file, ...entry }) : lineOf(entry));
        }
      }
    });
}

function addVerifyCommand(log: Command): void {
  log
    .command('verify')
    .argument('<directories...>', 'data directories, or directories of single partitions')
    .description('check everything in a data directory that no broker uses: batches, indexes, snapshots, checkpoints')
    .option('--json', 'one JSON object a finding, and a summary', false)
    .option('--force', 'look even while a broker uses the directory', false)
    .addHelpText('after', '\nEnds with 1 where an error or a warning was found; notes are no faults.')
    .action(async (directories: readonly string[], options: LogVerifyOptions) => {
      const { verifyDirectories } = await import('./log-verify.ts');
      if (!(await verifyDirectories(directories, options))) process.exitCode = 1;
    });
}

/** `batch baseOffset=0 lastOffset=9 ...`: greppable, in the order of the fields. */
function lineOf({ type, ...fields }: Readonly<Record<string, unknown>>): string {
  const texts = Object.entries(fields).map(([name, value]) => {
    return `${name}=${typeof value === 'object' && value !== null ? JSON.stringify(value) : String(value)}`;
  });
  return [type, ...texts].join(' ');
}
