/** The options that every command has which contacts a cluster, and what they come to. */
import { type Command, Option } from 'commander';
import type { ClusterOptions } from '../client/options.ts';
import { currentProfile, namedProfile } from './profiles.ts';
import { duration } from './times.ts';

export interface ConnectionOptions {
  readonly brokers?: string;
  readonly profile?: string;
  readonly timeout?: string;
}

export interface JsonOptions {
  readonly json: boolean;
}

export type ClientOptions = ConnectionOptions & JsonOptions;

const DEFAULT_BROKERS = 'localhost:9092';
/** As long as a broker may hang before another one is tried: somebody waits. A shorter timeout shortens it. */
const CONNECT_TIMEOUT_MS = 4000;

/** `--brokers`, `--profile`, `--timeout`. */
export function addConnectionOptions(command: Command): Command {
  return command
    .optionsGroup('Connection:')
    .option('-b, --brokers <list>', 'HOST:PORT of one or more brokers, with commas between')
    .option('--profile <profile>', 'take the brokers from a profile')
    .option('--timeout <duration>', 'give up an operation after this time, as in 5s (default: 60s)')
    .optionsGroup('Options:');
}

/** Those, and `--json`. */
export function addClientOptions(command: Command): Command {
  return addConnectionOptions(command.addOption(jsonOption()));
}

export function jsonOption(): Option {
  return new Option('--json', 'print JSON').default(false);
}

/** What is said most explicitly counts: an option, then the environment, then the profile in use, then the default. */
export function brokersOf(options: ConnectionOptions, environment: NodeJS.ProcessEnv = process.env): string {
  if (options.brokers !== undefined) return options.brokers;
  if (options.profile !== undefined) return namedProfile(options.profile, environment).brokers;
  if (environment['SLUICE_BROKERS']) return environment['SLUICE_BROKERS'];
  if (environment['SLUICE_PROFILE']) return namedProfile(environment['SLUICE_PROFILE'], environment).brokers;
  return currentProfile(environment)?.brokers ?? DEFAULT_BROKERS;
}

export function clusterOptionsOf(options: ConnectionOptions, clientId: string): ClusterOptions {
  const bootstrapServers = brokersOf(options);
  if (options.timeout === undefined) return { bootstrapServers, clientId, connectTimeoutMs: CONNECT_TIMEOUT_MS };
  const timeoutMs = Math.max(1, duration('--timeout', options.timeout));
  return {
    bootstrapServers,
    clientId,
    connectTimeoutMs: Math.min(timeoutMs, CONNECT_TIMEOUT_MS),
    requestTimeoutMs: timeoutMs,
    operationTimeoutMs: timeoutMs,
  };
}
