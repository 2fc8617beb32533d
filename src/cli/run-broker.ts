/** A broker as a process of its own: started from the options of a command line, ended by a signal. */
import { createLogger, type LogLevel } from '../base/logger.ts';
import { type Broker, createBroker } from '../broker/broker.ts';
import { colours } from './colours.ts';
import { type ConfigurationOptions, configurationFrom } from './configuration.ts';
import { letHeapGrow } from './heap-growth.ts';
import { fail, remark } from './output.ts';

export interface ForegroundBroker {
  readonly broker: Broker;
  /** `host:port,...` that clients will be told to connect to. */
  readonly addresses: string;
  /** The one line that says that the broker is up. */
  readonly readyLine: string;
  /** How long after the start of the process that was. */
  readonly readyMs: number;
  /** Of all brokers that were started. */
  readonly dataDirectories: readonly string[];
  /** Stops the broker and resolves once everything is on disk. */
  stop(): Promise<void>;
}

/** Milliseconds since this process began. */
export function processAgeMs(): number {
  return Math.round(process.uptime() * 1000);
}

/** `before` is done at a stop before the broker itself stops. */
export async function runBroker(
  options: ConfigurationOptions & { readonly logLevel: LogLevel; readonly brokers?: string },
  before: () => Promise<void> = () => Promise.resolve(),
): Promise<ForegroundBroker> {
  letHeapGrow();
  const config = configurationFrom(options);
  const onFailure = (): void => {
    process.exitCode = 1;
  };
  // Lines of several brokers come out of one terminal.
  const ofSeveral = options.brokers !== undefined || process.send !== undefined;
  const all = createLogger(options.logLevel);
  const logger = ofSeveral ? all.with({ node: config.get('node.id') }) : all;
  const broker = await createBroker({ config }, { logger, onFailure });
  const addresses = broker.advertised.map(({ host, port }) => `${host}:${port}`).join(',');
  let stopping: Promise<void> | undefined;
  const stop = (): Promise<void> => {
    stopping ??= before().then(() => broker.close());
    return stopping;
  };
  stopOnSignals(stop);
  // Not a consequence of input but a bug or a broken invariant: nothing is known for certain any more. What was
  // acknowledged is in the log; the next start recovers it.
  process.on('uncaughtException', (error) => {
    remark(`${colours.red('fatal:')} ${error.stack ?? error.message}`);
    process.exit(70);
  });
  const { dataDirectories } = broker;
  const where = dataDirectories.join(', ');
  const readyMs = processAgeMs();
  const readyLine = `Sluice is ready after ${readyMs} ms: clients will be told to connect to ${addresses} (data in ${where})`;
  return { broker, addresses, readyLine, readyMs, dataDirectories, stop };
}

/** The first signal stops in order, the second at once. */
function stopOnSignals(stop: () => Promise<void>): void {
  let signalled = false;
  const onSignal = (): void => {
    if (signalled) process.exit(130);
    signalled = true;
    stop().then(
      () => process.exit(process.exitCode ?? 0),
      (error: unknown) => {
        fail(error);
        process.exit(1);
      },
    );
  };
  process.on('SIGINT', onSignal);
  process.on('SIGTERM', onSignal);
  // The parent of a broker of several is gone.
  process.on('disconnect', () => {
    remark('the first broker is gone: stopping');
    onSignal();
  });
}
