/**
 * Where each process of a cluster lives on the network. In a sandbox every host is a network namespace on one bridge, and
 * each direction between two hosts can be cut by itself; elsewhere hosts are loopback addresses and nothing can be cut.
 * Clients and the harness itself live at the hub.
 */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { insideSandbox } from './sandbox.ts';

const run = promisify(execFile);

export interface Host {
  readonly name: string;
  readonly address: string;
  /** What a command begins with to run there. */
  readonly prefix: readonly string[];
}

export interface Link {
  readonly from: Host;
  readonly to: Host;
}

export interface Network {
  /** Whether links can be cut and slowed. */
  readonly cuttable: boolean;
  readonly hub: Host;
  addHost(name: string): Promise<Host>;
  /** Nothing sent over the link arrives any more; the other direction is as it was. Again is no error. */
  cut(link: Link): Promise<void>;
  /** All cut links work again. */
  mend(): Promise<void>;
  mendOne(link: Link): Promise<void>;
  /** What the host sends takes its time; 'netem' (delay) where the kernel has it, else 'tbf' (a narrow link). */
  slow(host: Host): Promise<'netem' | 'tbf'>;
  unslow(host: Host): Promise<void>;
  close(): Promise<void>;
}

/** A neighbour that nobody has. */
const NOWHERE = '02:00:00:00:00:fe';
const NETEM = ['netem', 'delay', '80ms', '40ms', 'loss', '1%'];
const TBF = ['tbf', 'rate', '3mbit', 'burst', '16kb', 'latency', '200ms'];

export async function createNetwork(): Promise<Network> {
  if (!insideSandbox()) return loopbackNetwork();
  const network = new NamespaceNetwork();
  await network.open();
  return network;
}

function loopbackNetwork(): Network {
  let hosts = 0;
  const refuse = (): never => {
    throw new Error('loopback addresses cannot be cut off: this needs network namespaces');
  };
  return {
    cuttable: false,
    hub: { name: 'hub', address: '127.0.0.1', prefix: [] },
    addHost: async (name) => ({ name, address: `127.0.0.${10 + ++hosts}`, prefix: [] }),
    cut: async () => refuse(),
    mend: async () => undefined,
    mendOne: async () => undefined,
    slow: async () => refuse(),
    unslow: async () => undefined,
    close: async () => undefined,
  };
}

let networks = 0;

class NamespaceNetwork implements Network {
  readonly cuttable = true;
  readonly hub: Host;
  readonly #name: string;
  readonly #subnet: string;
  readonly #hosts: Host[] = [];
  readonly #cut = new Map<string, Link>();

  constructor() {
    // Interface names have 15 characters.
    this.#name = `${process.pid % 10_000}x${networks++}`;
    this.#subnet = `10.${100 + (networks % 100)}.${process.pid % 250}`;
    this.hub = { name: `br${this.#name}`, address: `${this.#subnet}.1`, prefix: [] };
  }

  async open(): Promise<void> {
    await ip('link', 'add', 'name', this.hub.name, 'type', 'bridge', 'forward_delay', '0');
    await ip('addr', 'add', `${this.hub.address}/24`, 'dev', this.hub.name);
    await ip('link', 'set', this.hub.name, 'up');
  }

  async addHost(name: string): Promise<Host> {
    const number = this.#hosts.length + 10;
    const namespace = `${this.#name}-${name}`;
    const cable = `v${this.#name}-${number}`;
    const address = `${this.#subnet}.${number}`;
    const host: Host = { name: namespace, address, prefix: ['nsenter', `--net=/run/netns/${namespace}`, '--'] };
    this.#hosts.push(host);
    await ip('netns', 'add', namespace);
    await ip('link', 'add', 'name', cable, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', namespace);
    await ip('link', 'set', cable, 'master', this.hub.name, 'up');
    await ip('-n', namespace, 'addr', 'add', `${address}/24`, 'dev', 'eth0');
    await ip('-n', namespace, 'link', 'set', 'eth0', 'up');
    await ip('-n', namespace, 'link', 'set', 'lo', 'up');
    return host;
  }

  async cut(link: Link): Promise<void> {
    this.#cut.set(keyOf(link), link);
    const entry = [link.to.address, 'lladdr', NOWHERE, 'dev', this.#device(link.from), 'nud', 'permanent'];
    await ip(...this.#at(link.from), 'neigh', 'replace', ...entry);
  }

  async mend(): Promise<void> {
    for (const link of [...this.#cut.values()]) await this.mendOne(link);
  }

  async mendOne(link: Link): Promise<void> {
    if (!this.#cut.delete(keyOf(link))) return;
    await ip(...this.#at(link.from), 'neigh', 'del', link.to.address, 'dev', this.#device(link.from));
  }

  async slow(host: Host): Promise<'netem' | 'tbf'> {
    const place = ['-n', host.name, 'qdisc', 'replace', 'dev', 'eth0', 'root'];
    try {
      await run('tc', [...place, ...NETEM]);
      return 'netem';
    } catch {
      // Not every kernel has netem.
      await run('tc', [...place, ...TBF]);
      return 'tbf';
    }
  }

  async unslow(host: Host): Promise<void> {
    // Without one there is nothing to take away.
    await run('tc', ['-n', host.name, 'qdisc', 'del', 'dev', 'eth0', 'root']).catch(() => undefined);
  }

  async close(): Promise<void> {
    for (const { name } of this.#hosts.splice(0)) await ip('netns', 'del', name);
    await ip('link', 'del', this.hub.name);
  }

  #at(host: Host): readonly string[] {
    return host === this.hub ? [] : ['-n', host.name];
  }

  #device(host: Host): string {
    return host === this.hub ? this.hub.name : 'eth0';
  }
}

function keyOf({ from, to }: Link): string {
  return `${from.name}>${to.name}`;
}

async function ip(...parameters: readonly string[]): Promise<void> {
  await run('ip', parameters);
}
