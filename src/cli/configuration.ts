/** Turns the options of a command line into a broker's configuration. */
import { resolve } from 'node:path';
import { disk } from '../base/disk.ts';
import { messageOf, SluiceError } from '../base/errors.ts';
import { type BrokerConfig, loadBrokerConfig } from '../config/broker-config.ts';
import { keyAndValue, portNumber } from './arguments.ts';

export interface ConfigurationOptions {
  readonly config?: string;
  readonly host?: string;
  readonly port?: string;
  readonly dataDir?: string;
  readonly set: readonly string[];
}

/**
 * What holds when nobody said otherwise. Data goes beside the work, not to /tmp as Kafka's default has it; and without
 * authentication a broker is for this machine alone, until somebody names an address.
 */
const DEFAULT_DATA_DIRECTORY = 'sluice-data';
const DEFAULT_HOST = 'localhost';
const DEFAULT_PORT = '9092';

export function configurationFrom(options: ConfigurationOptions): BrokerConfig {
  const overrides: Record<string, string> = {};
  if (options.port !== undefined) portNumber(options.port);
  const listener = `PLAINTEXT://${options.host ?? DEFAULT_HOST}:${options.port ?? DEFAULT_PORT}`;
  if (options.port !== undefined || options.host !== undefined) overrides['listeners'] = listener;
  // resolve('') is the working directory: an unset variable in a script must not fill that with logs.
  if (options.dataDir === '') throw new SluiceError('INVALID_ARGUMENT', '--data-dir is empty: give a directory');
  if (options.dataDir !== undefined) overrides['log.dirs'] = resolve(options.dataDir);
  for (const assignment of options.set) {
    const [name, value] = keyAndValue('--set', assignment);
    overrides[name] = value;
  }
  const sources = {
    environment: process.env,
    ...(options.config === undefined ? {} : { file: readConfigFile(options.config) }),
  };
  const config = loadBrokerConfig({ ...sources, overrides });
  const defaults: Record<string, string> = {};
  if (config.sourceOf('listeners') === 'default') defaults['listeners'] = listener;
  if (config.sourceOf('log.dirs') === 'default' && config.sourceOf('log.dir') === 'default') {
    defaults['log.dirs'] = resolve(DEFAULT_DATA_DIRECTORY);
  }
  return loadBrokerConfig({ ...sources, overrides: { ...defaults, ...overrides } });
}

function readConfigFile(path: string): { readonly path: string; readonly text: string } {
  try {
    return { path, text: disk.readFile(path).toString('utf8') };
  } catch (error) {
    throw new SluiceError('CONFIG_UNREADABLE', `cannot read ${path}: ${messageOf(error)}`, { cause: error });
  }
}
