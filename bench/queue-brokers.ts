/**
 * RabbitMQ and ActiveMQ as Debian packages them, started for a benchmark: processes of this one, on free loopback ports,
 * with everything they write in a temporary directory, configured as their own documentation recommends for
 * throughput with persistent messages (docs/performance.md tells what and why).
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { createWriteStream, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { makeTemporaryDirectory } from '../src/base/temporary-directory.ts';
import { JVM_FLAGS } from '../test/compat/harness/apache-kafka.ts';
import { unusedPorts } from '../test/compat/harness/broker-process.ts';
import { endChild, endWithThisProcess } from '../test/compat/harness/program.ts';
import { findCommand } from '../test/compat/harness/toolchain.ts';

export interface QueueBroker {
  readonly pid: number;
  readonly port: number;
  /** Ends its processes and removes what they wrote. */
  remove(): Promise<void>;
}

export interface QueueSystem {
  readonly label: string;
  /** Why it cannot be started here; undefined where it can. */
  missing(): string | undefined;
  start(): Promise<QueueBroker>;
}

/** The package's own script for one node, without the wrapper that changes the user. */
const RABBITMQ_SERVER = '/usr/lib/rabbitmq/bin/rabbitmq-server';
const ACTIVEMQ_HOME = '/usr/share/activemq';
const ACTIVEMQ_LAUNCHER = join(ACTIVEMQ_HOME, 'bin', 'activemq.jar');
const START_TIMEOUT_MS = 60_000;
const STOP_GRACE_MS = 15_000;
const POLL_MS = 50;

export const rabbitMq: QueueSystem = {
  label: 'RabbitMQ',
  missing: () => {
    if (!existsSync(RABBITMQ_SERVER)) return 'RabbitMQ is not installed: apt-get install rabbitmq-server';
    return findCommand('epmd') === undefined ? 'there is no epmd, which Erlang needs' : undefined;
  },
  start: startRabbitMq,
};

export const activeMq: QueueSystem = {
  label: 'ActiveMQ',
  missing: () => (existsSync(ACTIVEMQ_LAUNCHER) ? undefined : 'ActiveMQ is not installed: apt-get install activemq'),
  start: startActiveMq,
};

async function startRabbitMq(): Promise<QueueBroker> {
  const [port, distributionPort, nameServerPort] = (await unusedPorts(3)) as [number, number, number];
  const home = makeTemporaryDirectory('sluice-bench-rabbitmq');
  writeFileSync(join(home, 'rabbitmq.conf'), rabbitMqSettings(port));
  writeFileSync(join(home, 'enabled_plugins'), '[].\n');
  const environment = {
    ...process.env,
    HOME: home,
    // Erlang's name server would otherwise be started in the background and outlive everybody.
    ERL_EPMD_PORT: String(nameServerPort),
    ERL_EPMD_ADDRESS: '127.0.0.1',
    RABBITMQ_NODENAME: `bench${port}@localhost`,
    RABBITMQ_DIST_PORT: String(distributionPort),
    RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS: '-kernel inet_dist_use_interface {127,0,0,1}',
    RABBITMQ_CONFIG_FILE: join(home, 'rabbitmq.conf'),
    RABBITMQ_ADVANCED_CONFIG_FILE: join(home, 'advanced.config'),
    RABBITMQ_ENABLED_PLUGINS_FILE: join(home, 'enabled_plugins'),
    RABBITMQ_CONF_ENV_FILE: join(home, 'environment'),
    RABBITMQ_MNESIA_BASE: join(home, 'data'),
    RABBITMQ_LOG_BASE: join(home, 'log'),
    RABBITMQ_LOGS: '-',
    // The script then becomes the Erlang machine instead of waiting for it, so that its id is the broker's.
    RUNNING_UNDER_SYSTEMD: 'true',
  };
  const nameServer = spawn(findCommand('epmd')!, ['-port', String(nameServerPort)], {
    env: environment,
    stdio: 'ignore',
  });
  endWithThisProcess(nameServer);
  try {
    const started = launch(RABBITMQ_SERVER, [], { home, port, environment });
    await started.serving;
    return { pid: started.child.pid!, port, remove: () => remove([started.child, nameServer], home) };
  } catch (error) {
    await remove([nameServer], home);
    throw error;
  }
}

function rabbitMqSettings(port: number): string {
  return [
    `listeners.tcp.1 = 127.0.0.1:${port}`,
    'tcp_listen_options.backlog = 128',
    'tcp_listen_options.nodelay = true',
    'tcp_listen_options.sndbuf = 196608',
    'tcp_listen_options.recbuf = 196608',
    'vm_memory_high_watermark.relative = 0.4',
    'disk_free_limit.absolute = 2GB',
    'log.console.level = warning',
    '',
  ].join('\n');
}

async function startActiveMq(): Promise<QueueBroker> {
  const [port] = (await unusedPorts(1)) as [number];
  const home = makeTemporaryDirectory('sluice-bench-activemq');
  const settings = join(home, 'activemq.xml');
  writeFileSync(settings, activeMqSettings(home, port));
  const places = ['base', 'conf', 'data'].map((name) => `-Dactivemq.${name}=${home}`);
  const flags = [...JVM_FLAGS.benchmark, `-Djava.io.tmpdir=${home}`, `-Dactivemq.home=${ACTIVEMQ_HOME}`, ...places];
  const tasks = '-Dorg.apache.activemq.UseDedicatedTaskRunner=false';
  const parameters = [...flags, tasks, '-jar', ACTIVEMQ_LAUNCHER, 'start', `xbean:file:${settings}`];
  const started = launch('java', parameters, { home, port, environment: process.env });
  await started.serving;
  return { pid: started.child.pid!, port, remove: () => remove([started.child], home) };
}

function activeMqSettings(home: string, port: number): string {
  const schemas = [
    'http://www.springframework.org/schema/beans http://www.springframework.org/schema/beans/spring-beans.xsd',
    'http://activemq.apache.org/schema/core http://activemq.apache.org/schema/core/activemq-core.xsd',
  ];
  return `<beans xmlns="http://www.springframework.org/schema/beans" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"
  xsi:schemaLocation="${schemas.join(' ')}">
  <broker xmlns="http://activemq.apache.org/schema/core" brokerName="bench" useJmx="false" dataDirectory="${home}/data">
    <persistenceAdapter>
      <kahaDB directory="${home}/data/kahadb" journalDiskSyncStrategy="periodic"/>
    </persistenceAdapter>
    <systemUsage>
      <systemUsage>
        <memoryUsage><memoryUsage percentOfJvmHeap="70"/></memoryUsage>
        <storeUsage><storeUsage limit="20 gb"/></storeUsage>
        <tempUsage><tempUsage limit="5 gb"/></tempUsage>
      </systemUsage>
    </systemUsage>
    <transportConnectors>
      <transportConnector name="openwire" uri="tcp://127.0.0.1:${port}"/>
    </transportConnectors>
  </broker>
</beans>
`;
}

interface Launch {
  readonly home: string;
  readonly port: number;
  readonly environment: NodeJS.ProcessEnv;
}

/** Starts a process whose output goes to a file; `serving` rejects with that where it does not come to listen. */
function launch(command: string, parameters: readonly string[], { home, port, environment }: Launch) {
  mkdirSync(home, { recursive: true });
  const output = join(home, 'output.log');
  const child = spawn(command, parameters, { cwd: home, env: environment, stdio: ['ignore', 'pipe', 'pipe'] });
  endWithThisProcess(child);
  const log = createWriteStream(output);
  child.stdout.pipe(log, { end: false });
  child.stderr.pipe(log, { end: false });
  const serving = waitUntilAccepting(child, port).catch(async (error: unknown) => {
    await endChild(child, 0);
    const words = readFileSync(output, 'utf8').slice(-3000);
    rmSync(home, { recursive: true, force: true });
    throw new Error(`${command} did not start:\n${words}`, { cause: error });
  });
  return { child, serving };
}

async function waitUntilAccepting(child: ChildProcess, port: number): Promise<void> {
  const deadline = performance.now() + START_TIMEOUT_MS;
  while (!(await accepts(port))) {
    if (child.exitCode !== null || child.signalCode !== null) throw new Error('it ended before it listened');
    if (performance.now() > deadline) throw new Error(`it did not listen within ${START_TIMEOUT_MS} ms`);
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1' });
    const finish = (accepted: boolean): void => {
      socket.destroy();
      resolve(accepted);
    };
    socket.once('error', () => finish(false));
    socket.once('connect', () => finish(true));
  });
}

async function remove(children: readonly ChildProcess[], home: string): Promise<void> {
  for (const child of children) await endChild(child, STOP_GRACE_MS);
  rmSync(home, { recursive: true, force: true });
}
