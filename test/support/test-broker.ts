/**
 * A broker for tests that look inside: in this process, on a free port, with its log lines kept and its file system and
 * clock replaceable.
 */
import { rmSync } from 'node:fs';
import type { Clock } from '../../src/base/clock.ts';
import type { FileSystem } from '../../src/base/file-system.ts';
import type { LogFields, Logger } from '../../src/base/logger.ts';
import { makeTemporaryDirectory } from '../../src/base/temporary-directory.ts';
import { createBroker } from '../../src/broker/broker.ts';
import { loadBrokerConfig } from '../../src/config/broker-config.ts';
import { createTopics } from '../../src/protocol/apis/create-topics.ts';
import { metadata } from '../../src/protocol/apis/metadata.ts';
import { type Body, Wire } from './wire.ts';

export interface LogLine {
  readonly level: 'debug' | 'info' | 'warn' | 'error';
  readonly message: string;
  readonly fields: LogFields;
}

export interface TestBrokerOptions {
  readonly dataDirectory?: string;
  readonly config?: Readonly<Record<string, string>>;
  readonly fileSystem?: FileSystem;
  readonly clock?: Clock;
}

export interface TestBroker extends AsyncDisposable {
  readonly port: number;
  readonly dataDirectory: string;
  /** All lines of level info and above, oldest first. */
  readonly lines: LogLine[];
  /** A new connection. */
  wire(): Wire;
  /** Stops the broker; a temporary directory goes with it. */
  close(): Promise<void>;
}

export async function startTestBroker(options: TestBrokerOptions = {}): Promise<TestBroker> {
  const dataDirectory = options.dataDirectory ?? makeTemporaryDirectory('sluice-test');
  const removeData = (): void => {
    if (options.dataDirectory === undefined) rmSync(dataDirectory, { recursive: true, force: true });
  };
  const lines: LogLine[] = [];
  const config = loadBrokerConfig({
    overrides: { listeners: 'PLAINTEXT://127.0.0.1:0', 'log.dirs': dataDirectory, 'node.id': '1', ...options.config },
  });
  try {
    const { fileSystem, clock } = options;
    const replaced = { ...(fileSystem && { fileSystem }), ...(clock && { clock }) };
    const broker = await createBroker({ config }, { logger: collect(lines), ...replaced });
    const { port } = broker.advertised[0]!;
    const close = (): Promise<void> => broker.close().finally(removeData);
    return { port, dataDirectory, lines, wire: () => new Wire(port), close, [Symbol.asyncDispose]: close };
  } catch (error) {
    removeData();
    throw error;
  }
}

/** A logger that keeps lines. */
export function collect(lines: LogLine[], inherited: LogFields = {}): Logger {
  const add = (level: LogLine['level']) => (message: string, fields?: LogFields) => {
    lines.push({ level, message, fields: { ...inherited, ...fields } });
  };
  return {
    debug: () => undefined,
    info: add('info'),
    warn: add('warn'),
    error: add('error'),
    with: (fields) => collect(lines, { ...inherited, ...fields }),
  };
}

/** Creates a topic; rejects where that fails. Resolves to its id. */
export async function makeTopic(
  wire: Wire,
  name: string,
  options: { readonly partitions?: number; readonly configs?: Readonly<Record<string, string>> } = {},
): Promise<string> {
  const configs = Object.entries(options.configs ?? {}).map(([key, value]) => ({ name: key, value }));
  const topic = { name, numPartitions: options.partitions ?? 1, replicationFactor: 1, assignments: [], configs };
  const { topics } = await wire.reply(createTopics, 7, { topics: [topic], timeoutMs: 5000 });
  const [made] = topics as { errorCode: number; errorMessage: string | null; topicId: string }[];
  if (made!.errorCode !== 0) throw new Error(`topic ${name}: ${made!.errorCode} ${made!.errorMessage}`);
  return made!.topicId;
}

/** Whether the broker answers a plain question within the time. */
export async function answers(wire: Wire, timeoutMs = 2000): Promise<boolean> {
  const body: Body = { topics: [], allowAutoTopicCreation: false };
  return (await wire.ask(metadata, 12, body, timeoutMs)).kind === 'reply';
}
