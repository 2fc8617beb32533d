/** A broker inside another program, for tests above all: on a free port, in a temporary directory, gone when closed. */
import { disk } from '../base/disk.ts';
import { createLogger, type LogLevel, silentLogger } from '../base/logger.ts';
import { makeTemporaryDirectory } from '../base/temporary-directory.ts';
import { loadBrokerConfig } from '../config/broker-config.ts';
import { createBroker } from './broker.ts';

export interface EmbeddedBrokerOptions {
  /** Default: a free port. */
  readonly port?: number;
  /** Address to listen on; default `localhost`, which nobody else reaches. */
  readonly host?: string;
  /** Where to keep data. Default: a temporary directory that is removed when the broker closes. */
  readonly dataDir?: string;
  /** Options by Kafka's names, e.g. `{ 'num.partitions': '3' }`. */
  readonly config?: Readonly<Record<string, string>>;
  /** What to log on standard error; default nothing. */
  readonly logLevel?: LogLevel;
}

export interface EmbeddedBroker extends AsyncDisposable {
  readonly host: string;
  readonly port: number;
  /** `host:port`, as clients take it. */
  readonly bootstrapServers: string;
  readonly dataDir: string;
  /** Finishes requests in flight, makes everything durable and stops. */
  close(): Promise<void>;
}

/**
 * Starts a broker in this process.
 *
 * ```ts
 * await using broker = await startBroker();
 * const kafka = new Kafka({ brokers: [broker.bootstrapServers] });
 * ```
 */
export async function startBroker(options: EmbeddedBrokerOptions = {}): Promise<EmbeddedBroker> {
  const dataDir = options.dataDir ?? makeTemporaryDirectory('sluice');
  const removeData = async (): Promise<void> => {
    if (options.dataDir === undefined) await disk.removeTree(dataDir);
  };
  try {
    const config = loadBrokerConfig({
      overrides: {
        listeners: `PLAINTEXT://${options.host ?? 'localhost'}:${options.port ?? 0}`,
        'log.dirs': dataDir,
        ...options.config,
      },
    });
    const logger = options.logLevel === undefined ? silentLogger : createLogger(options.logLevel);
    const broker = await createBroker({ config }, { logger });
    const { host, port } = broker.advertised[0]!;
    let closing: Promise<void> | undefined;
    const close = (): Promise<void> => {
      closing ??= broker.close().finally(removeData);
      return closing;
    };
    return { host, port, bootstrapServers: `${host}:${port}`, dataDir, close, [Symbol.asyncDispose]: close };
  } catch (error) {
    await removeData();
    throw error;
  }
}
