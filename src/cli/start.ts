/** `sluice start`: a broker in the foreground, until SIGINT or SIGTERM. */
import { type Command, Option } from 'commander';
import type { LogLevel } from '../base/logger.ts';
import { collect, wholeNumber } from './arguments.ts';
import type { ConfigurationOptions } from './configuration.ts';
import { printJsonLine, printLine } from './output.ts';
import type { ForegroundBroker } from './run-broker.ts';

export interface StartOptions extends ConfigurationOptions {
  readonly logLevel: LogLevel;
  readonly brokers?: string;
  readonly json: boolean;
}

/** The options that decide a broker's configuration, shared by the commands that start or explain one. */
export function addConfigurationOptions(command: Command): Command {
  return command
    .option('--config <file>', 'server.properties with options by their Kafka names')
    .option('--host <host>', 'address to listen on; 0.0.0.0 for all (default: localhost)')
    .option('--port <port>', 'port to listen on; 0 for a free one (default: 9092)')
    .option('--data-dir <dir>', 'where data is kept (default: ./sluice-data)')
    .option('--set <key=value>', 'sets one option; may be given several times', collect, []);
}

export function addStartCommand(program: Command): void {
  addConfigurationOptions(program.command('start'))
    .description('start a broker in the foreground')
    .addOption(
      new Option('--log-level <level>', 'what to log on standard error')
        .choices(['debug', 'info', 'warn', 'error', 'silent'])
        .default('info'),
    )
    .option(
      '--brokers <count>',
      'start several brokers of one cluster on this machine, on ports that follow each other',
    )
    .addOption(new Option('--json', 'print the line that says that it is ready as JSON').default(false))
    .action(async (options: StartOptions) => {
      const { brokers } = options;
      const count = brokers === undefined ? 1 : wholeNumber('--brokers', brokers, 1);
      const broker = count === 1 ? await startOne(options) : await startSeveral(count, options);
      const { addresses, readyMs, dataDirectories } = broker;
      if (options.json) printJsonLine({ ready: true, addresses: addresses.split(','), dataDirectories, readyMs });
      else printLine(broker.readyLine);
      process.send?.({ ready: broker.addresses });
    });
}

async function startOne(options: StartOptions): Promise<ForegroundBroker> {
  const { runBroker } = await import('./run-broker.ts');
  return runBroker(options);
}

async function startSeveral(count: number, options: StartOptions): Promise<ForegroundBroker> {
  const { runBrokers } = await import('./run-brokers.ts');
  return runBrokers(count, options);
}
