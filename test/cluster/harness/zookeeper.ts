/**
 * A real ZooKeeper ensemble (Debian's package `zookeeper`), each server a process of its own in a temporary directory,
 * on loopback unless told otherwise. Ends only the processes that it started.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { unusedPorts } from '../../compat/harness/broker-process.ts';
import { endChild, endWithThisProcess } from '../../compat/harness/program.ts';

export interface EnsembleOptions {
  /** Address of each server, in order; loopback where left out. */
  readonly hosts?: readonly string[];
  /** What a server's command begins with, in order, e.g. `['ip', 'netns', 'exec', 'z1']`. */
  readonly prefixes?: readonly (readonly string[])[];
  /** Sessions are from two to twenty ticks long. */
  readonly tickMs?: number;
  /** Shortest session that a client may ask for. */
  readonly minSessionMs?: number;
  /** Further lines of the configuration file. */
  readonly settings?: Readonly<Record<string, string>>;
}

export interface EnsembleNode {
  /** From 1. */
  readonly id: number;
  readonly host: string;
  readonly port: number;
  /** host:port */
  readonly address: string;
  readonly running: boolean;
  /** SIGKILL; resolves when the process is gone. */
  kill(): Promise<void>;
  /** SIGSTOP: connections stay, nothing answers. */
  stop(): void;
  /** SIGCONT. */
  cont(): void;
  /** Starts the process again on its old data. Resolves once it has its place in a quorum, unless `wait` is false. */
  start(options?: { readonly wait?: boolean }): Promise<void>;
  /** Takes away all that it has stored; only while it does not run. */
  wipe(): void;
  /** 'leader', 'follower', 'standalone', or undefined where it does not serve. */
  role(): Promise<string | undefined>;
  /** Everything that it wrote so far. */
  output(): string;
}

export interface Ensemble {
  /** host:port,host:port,... */
  readonly connect: string;
  readonly nodes: readonly EnsembleNode[];
  /** Ends all servers and removes their directories. */
  close(): Promise<void>;
}

const CLASS_PATH = '/usr/share/java/zookeeper.jar';
const START_TIMEOUT_MS = 60_000;
const POLL_MS = 50;
const PROBE_TIMEOUT_MS = 1000;
const JVM_FLAGS = ['-Xmx192m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-Xshare:auto'];
const SYSTEM_PROPERTIES = {
  'zookeeper.admin.enableServer': 'false',
  'zookeeper.jmx.log4j.disable': 'true',
  // The page cache outlives a killed process; only a killed machine would need the sync.
  'zookeeper.forceSync': 'no',
};

/** Whether this machine has ZooKeeper and a Java to run it. */
export function zooKeeperInstalled(): boolean {
  return existsSync(CLASS_PATH) && existsSync('/usr/bin/java');
}

/** Starts `count` servers that form one ensemble and waits until all of them serve. */
export async function startEnsemble(count: number, options: EnsembleOptions = {}): Promise<Ensemble> {
  const home = mkdtempSync(join(tmpdir(), 'zookeeper-'));
  const ports = await unusedPorts(count * 3);
  const hosts = Array.from({ length: count }, (_, index) => options.hosts?.[index] ?? '127.0.0.1');
  const peers = hosts.map((host, index) => `server.${index + 1}=${host}:${ports[index * 3]}:${ports[index * 3 + 1]}`);
  const nodes = hosts.map((host, index) => {
    const port = ports[index * 3 + 2]!;
    const directory = prepare(home, { id: index + 1, host, port, peers: count > 1 ? peers : [], options });
    return new ServerProcess({ id: index + 1, host, port, directory, prefix: options.prefixes?.[index] ?? [] });
  });
  const close = async (): Promise<void> => {
    await Promise.all(nodes.map((node) => node.kill()));
    rmSync(home, { recursive: true, force: true, maxRetries: 3 });
  };
  try {
    await Promise.all(nodes.map((node) => node.start()));
  } catch (error) {
    const words = nodes.map((node) => node.output().slice(-2000)).join('\n');
    await close();
    throw new Error(`ZooKeeper did not start:\n${words}`, { cause: error });
  }
  return { connect: nodes.map(({ address }) => address).join(','), nodes, close };
}

interface ServerFiles {
  readonly id: number;
  readonly host: string;
  readonly port: number;
  readonly peers: readonly string[];
  readonly options: EnsembleOptions;
}

/** Writes a server's configuration and its number; tells its directory. */
function prepare(home: string, { id, host, port, peers, options }: ServerFiles): string {
  const directory = join(home, String(id));
  const dataDir = join(directory, 'data');
  mkdirSync(dataDir, { recursive: true });
  writeFileSync(join(dataDir, 'myid'), `${id}\n`);
  const settings: Record<string, string> = {
    dataDir,
    clientPort: String(port),
    clientPortAddress: host,
    tickTime: String(options.tickMs ?? 500),
    minSessionTimeout: String(options.minSessionMs ?? 500),
    maxSessionTimeout: '60000',
    initLimit: '20',
    syncLimit: '6',
    maxClientCnxns: '0',
    'admin.enableServer': 'false',
    '4lw.commands.whitelist': '*',
    ...options.settings,
  };
  const lines = [...Object.entries(settings).map(([key, value]) => `${key}=${value}`), ...peers];
  writeFileSync(join(directory, 'zoo.cfg'), `${lines.join('\n')}\n`);
  writeFileSync(
    join(directory, 'log4j.properties'),
    [
      'log4j.rootLogger=INFO, CONSOLE',
      'log4j.appender.CONSOLE=org.apache.log4j.ConsoleAppender',
      'log4j.appender.CONSOLE.layout=org.apache.log4j.PatternLayout',
      'log4j.appender.CONSOLE.layout.ConversionPattern=%d{ISO8601} %-5p %c{1}: %m%n',
      '',
    ].join('\n'),
  );
  return directory;
}

interface ServerPlace {
  readonly id: number;
  readonly host: string;
  readonly port: number;
  readonly directory: string;
  readonly prefix: readonly string[];
}

class ServerProcess implements EnsembleNode {
  readonly id: number;
  readonly host: string;
  readonly port: number;
  readonly address: string;
  readonly #place: ServerPlace;
  #child: ChildProcess | undefined;

  constructor(place: ServerPlace) {
    this.#place = place;
    this.id = place.id;
    this.host = place.host;
    this.port = place.port;
    this.address = `${place.host}:${place.port}`;
  }

  get running(): boolean {
    return this.#child !== undefined && this.#child.exitCode === null && this.#child.signalCode === null;
  }

  async start(options: { readonly wait?: boolean } = {}): Promise<void> {
    if (!this.running) this.#launch();
    if (options.wait === false) return;
    const deadline = performance.now() + START_TIMEOUT_MS;
    while ((await this.role()) === undefined) {
      if (!this.running) throw new Error(`ZooKeeper server ${this.id} ended`);
      if (performance.now() > deadline) throw new Error(`ZooKeeper server ${this.id} has no quorum`);
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
  }

  #launch(): void {
    const { directory, prefix } = this.#place;
    const properties = Object.entries(SYSTEM_PROPERTIES).map(([key, value]) => `-D${key}=${value}`);
    const main = 'org.apache.zookeeper.server.quorum.QuorumPeerMain';
    const java = [...JVM_FLAGS, ...properties, '-cp', `${directory}:${CLASS_PATH}`, main, join(directory, 'zoo.cfg')];
    const [command, ...parameters] = [...prefix, 'java', ...java];
    const output = openSync(join(directory, 'output.log'), 'a');
    this.#child = spawn(command!, parameters, { stdio: ['ignore', output, output] });
    endWithThisProcess(this.#child);
  }

  async kill(): Promise<void> {
    const child = this.#child;
    if (child === undefined) return;
    child.kill('SIGKILL');
    await endChild(child, 0);
  }

  wipe(): void {
    rmSync(join(this.#place.directory, 'data', 'version-2'), { recursive: true });
  }

  stop(): void {
    this.#child?.kill('SIGSTOP');
  }

  cont(): void {
    this.#child?.kill('SIGCONT');
  }

  async role(): Promise<string | undefined> {
    const answer = await fourLetters(this.host, this.port, 'srvr');
    return /^Mode: (\w+)/m.exec(answer)?.[1];
  }

  output(): string {
    const file = join(this.#place.directory, 'output.log');
    return existsSync(file) ? readFileSync(file, 'utf8') : '';
  }
}

/** What a server answers to one of its four-letter commands; empty where it does not answer. */
function fourLetters(host: string, port: number, word: string): Promise<string> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    const socket = connect({ host, port });
    const finish = (): void => {
      socket.destroy();
      resolve(Buffer.concat(chunks).toString());
    };
    socket.setTimeout(PROBE_TIMEOUT_MS, finish);
    socket.on('connect', () => socket.write(word));
    socket.on('data', (chunk) => chunks.push(chunk));
    socket.on('error', finish);
    socket.on('end', finish);
  });
}
