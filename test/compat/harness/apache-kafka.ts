/**
 * A real Apache Kafka, one node in KRaft mode, on free loopback ports in a temporary directory: the oracle that the
 * suites were written against, and the benchmark's peer.
 */
import { spawn } from 'node:child_process';
import { createWriteStream, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type RunningBroker, randomClusterId, unusedPorts, waitUntilServing } from './broker-process.ts';
import { endChild, endWithThisProcess, runSuccessfully } from './program.ts';

export interface ApacheKafkaOptions {
  readonly classPath: string;
  /** 'tests' starts fast with a small heap; 'benchmark' uses the flags of Kafka's own start script. */
  readonly flags?: 'tests' | 'benchmark';
  /** What clients are told to connect to: host:port. */
  readonly advertised?: string;
  readonly port?: number;
  readonly controllerPort?: number;
  readonly dataDirectory?: string;
  readonly settings?: Readonly<Record<string, string>>;
  /** false returns as soon as the process exists. */
  readonly waitUntilReady?: boolean;
}

export const JVM_FLAGS = {
  tests: ['-Xmx512m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-Xshare:auto'],
  benchmark: [
    '-Xmx1G',
    '-Xms1G',
    '-server',
    '-XX:+UseG1GC',
    '-XX:MaxGCPauseMillis=20',
    '-XX:InitiatingHeapOccupancyPercent=35',
    '-XX:+ExplicitGCInvokesConcurrent',
    '-Djava.awt.headless=true',
  ],
} as const;
const START_TIMEOUT_MS = 60_000;
const STOP_GRACE_MS = 20_000;
const LOG_LEVEL = '-Dorg.slf4j.simpleLogger.defaultLogLevel=warn';

export async function startApacheKafka(options: ApacheKafkaOptions): Promise<RunningBroker> {
  const [spare, other] = (await unusedPorts(2)) as [number, number];
  const { port = spare, controllerPort = other } = options;
  const home = mkdtempSync(join(tmpdir(), 'apache-kafka-'));
  const dataDirectory = options.dataDirectory ?? join(home, 'data');
  mkdirSync(dataDirectory, { recursive: true });
  const configFile = join(home, 'server.properties');
  writeFileSync(configFile, serverProperties({ ...options, port, controllerPort, dataDirectory }));
  if (!existsSync(join(dataDirectory, 'meta.properties'))) {
    const format = ['format', '--standalone', '-t', randomClusterId(), '-c', configFile];
    const tool = [...JVM_FLAGS.tests, LOG_LEVEL, '-cp', options.classPath, 'kafka.tools.StorageTool', ...format];
    await runSuccessfully('java', tool);
  }
  const startedAt = performance.now();
  const output = join(home, 'output.log');
  const child = spawn(
    'java',
    [...JVM_FLAGS[options.flags ?? 'tests'], LOG_LEVEL, '-cp', options.classPath, 'kafka.Kafka', configFile],
    {
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  );
  endWithThisProcess(child);
  const log = createWriteStream(output);
  child.stdout.pipe(log);
  child.stderr.pipe(log, { end: false });
  try {
    if (options.waitUntilReady !== false) await waitUntilServing({ child, port, timeoutMs: START_TIMEOUT_MS });
  } catch (error) {
    await endChild(child, 0);
    const words = readFileSync(output, 'utf8').slice(-4000);
    rmSync(home, { recursive: true, force: true });
    throw new Error(`Apache Kafka did not start:\n${words}`, { cause: error });
  }
  return {
    name: 'kafka',
    child,
    host: '127.0.0.1',
    port,
    bootstrap: `127.0.0.1:${port}`,
    dataDirectory,
    startedAt,
    output: () => readFileSync(output, 'utf8'),
    stop: async () => {
      await endChild(child, STOP_GRACE_MS);
    },
    remove: async () => {
      await endChild(child, STOP_GRACE_MS);
      rmSync(home, { recursive: true, force: true });
    },
  };
}

interface ServerSettings extends ApacheKafkaOptions {
  readonly port: number;
  readonly controllerPort: number;
  readonly dataDirectory: string;
}

function serverProperties(settings: ServerSettings): string {
  const advertised = settings.advertised ?? `127.0.0.1:${settings.port}`;
  const properties: Record<string, string> = {
    'process.roles': 'broker,controller',
    'node.id': '1',
    'controller.quorum.bootstrap.servers': `127.0.0.1:${settings.controllerPort}`,
    listeners: `PLAINTEXT://127.0.0.1:${settings.port},CONTROLLER://127.0.0.1:${settings.controllerPort}`,
    'advertised.listeners': `PLAINTEXT://${advertised},CONTROLLER://127.0.0.1:${settings.controllerPort}`,
    'controller.listener.names': 'CONTROLLER',
    'inter.broker.listener.name': 'PLAINTEXT',
    'log.dirs': settings.dataDirectory,
    'offsets.topic.replication.factor': '1',
    'transaction.state.log.replication.factor': '1',
    'transaction.state.log.min.isr': '1',
    'share.coordinator.state.topic.replication.factor': '1',
    'share.coordinator.state.topic.min.isr': '1',
    'group.initial.rebalance.delay.ms': '0',
    ...settings.settings,
  };
  return Object.entries(properties)
    .map(([key, value]) => `${key}=${value}\n`)
    .join('');
}
