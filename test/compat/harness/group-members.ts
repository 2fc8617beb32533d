/**
 * Members of groups as processes of foreign clients, and what they tell: which partitions they were given and gave up,
 * which records they read. Whether two ever held one partition at once is found from that.
 */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { kafkaClassPath } from './kafka-jars.ts';
import { clientsDirectory } from './paths.ts';
import { endWithThisProcess } from './program.ts';
import {
  type Available,
  absent,
  findFranzGo,
  findJavaClient,
  findNodeClient,
  findPythonClient,
  type Invocation,
} from './toolchain.ts';

export type MemberClient = 'confluent-kafka' | 'java' | 'franz-go' | NodeMember;
type NodeMember = 'kafkajs' | 'platformatic';
export type GroupProtocol = 'classic' | 'consumer';

/** How a client's member program is started. */
export async function findMember(client: MemberClient): Promise<Available<Invocation>> {
  if (client === 'kafkajs' || client === 'platformatic') return findNodeMember(client);
  const found = await findClient(client);
  if (found.value === undefined) return absent(found.reason);
  const { value } = found;
  if (client === 'confluent-kafka') {
    return { value: { ...value, parameters: [join(clientsDirectory, 'python', 'group_member.py')] } };
  }
  if (client === 'java') return { value: { ...value, parameters: [...value.parameters.slice(0, -1), 'GroupMember'] } };
  return { value: { ...value, parameters: [...value.parameters, 'member'] } };
}

/** From this version of Node on @platformatic/kafka runs. */
const PLATFORMATIC_NODE = 22;

async function findNodeMember(client: NodeMember): Promise<Available<Invocation>> {
  const node = Number(process.versions.node.split('.')[0]);
  if (client === 'platformatic' && node < PLATFORMATIC_NODE)
    return absent(`@platformatic/kafka needs Node ${PLATFORMATIC_NODE}`);
  const found = await findNodeClient(client);
  if (found.value === undefined) return found;
  return { value: { ...found.value, parameters: [join(clientsDirectory, 'node', `${client}-member.js`)] } };
}

async function findClient(client: Exclude<MemberClient, NodeMember>): Promise<Available<Invocation>> {
  if (client === 'confluent-kafka') return findPythonClient();
  return client === 'java' ? findJavaClient(await kafkaClassPath()) : findFranzGo();
}

type Line = { readonly at: number } & (
  | { readonly assigned: readonly number[] }
  | { readonly revoked: readonly number[] }
  | { readonly read: readonly (readonly [number, number])[] }
  | { readonly failed: string }
  | { readonly closed: true }
);

/** From when to when a member held a partition; Infinity while it does. */
interface Hold {
  readonly member: string;
  readonly partition: number;
  readonly fromMs: number;
  toMs: number;
}

export interface MemberOptions {
  readonly bootstrap: string;
  readonly group: string;
  /** A name, or a pattern that begins with '^'. */
  readonly topic: string;
  readonly protocol: GroupProtocol;
}

export class GroupMembers {
  /** Distinct records that were read, as partition:offset. */
  readonly read = new Set<string>();
  readonly holds: Hold[] = [];
  readonly #running = new Map<string, ChildProcess>();
  readonly #problems: string[] = [];
  #count = 0;
  #lines = 0;

  start(invocation: Invocation, { bootstrap, group, topic, protocol }: MemberOptions): string {
    const name = `member-${++this.#count}`;
    const child = spawn(invocation.command, [...invocation.parameters, bootstrap, group, topic, protocol], {
      env: { ...process.env, ...invocation.environment },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    endWithThisProcess(child);
    this.#running.set(name, child);
    createInterface({ input: child.stdout }).on('line', (line) => this.#take(name, JSON.parse(line) as Line));
    child.stderr.on('data', (chunk: Buffer) => this.#problems.push(`${name}: ${chunk}`));
    return name;
  }

  #take(name: string, line: Line): void {
    this.#lines++;
    if ('read' in line) for (const [partition, offset] of line.read) this.read.add(`${partition}:${offset}`);
    else if ('assigned' in line) {
      for (const partition of line.assigned) {
        this.holds.push({ member: name, partition, fromMs: line.at, toMs: Number.POSITIVE_INFINITY });
      }
    } else if ('revoked' in line) this.#release(name, line.at, new Set(line.revoked));
    else if ('closed' in line) this.#release(name, line.at);
  }

  #release(name: string, atMs: number, partitions?: ReadonlySet<number>): void {
    for (const hold of this.holds) {
      const isMeant = hold.member === name && (partitions?.has(hold.partition) ?? true);
      if (isMeant && hold.toMs === Number.POSITIVE_INFINITY) hold.toMs = atMs;
    }
  }

  /** SIGTERM: the member leaves its group. Resolves when it is gone. */
  async stop(name: string): Promise<void> {
    await this.#end(name, 'SIGTERM');
  }

  /** SIGKILL: nobody hears of it. */
  async kill(name: string): Promise<void> {
    const atMs = Date.now();
    await this.#end(name, 'SIGKILL');
    this.#release(name, atMs);
  }

  async #end(name: string, signal: NodeJS.Signals): Promise<void> {
    const child = this.#running.get(name);
    if (child === undefined) return;
    this.#running.delete(name);
    const closed = new Promise((resolve) => child.once('close', resolve));
    child.kill(signal);
    await closed;
  }

  async stopAll(): Promise<void> {
    await Promise.all([...this.#running.keys()].map((name) => this.stop(name)));
  }

  /** Partitions that each running member holds now. */
  held(): Map<string, number[]> {
    const held = new Map<string, number[]>([...this.#running.keys()].map((name) => [name, []]));
    for (const { member, partition, toMs } of this.holds) {
      if (toMs === Number.POSITIVE_INFINITY) held.get(member)?.push(partition);
    }
    return held;
  }

  /** Waits until the running members share `partitions` partitions evenly, all of them held. */
  async share(partitions: number, timeoutMs: number): Promise<number> {
    return this.waitFor(`${partitions} partitions shared evenly`, timeoutMs, () => {
      const sizes = [...this.held().values()].map((held) => held.length);
      const total = sizes.reduce((sum, size) => sum + size, 0);
      return total === partitions && Math.max(...sizes) - Math.min(...sizes) <= 1;
    });
  }

  /** Milliseconds that it took. */
  async waitFor(what: string, timeoutMs: number, holds: () => boolean): Promise<number> {
    const startedMs = performance.now();
    while (!holds()) {
      if (performance.now() - startedMs > timeoutMs) {
        const state = JSON.stringify([...this.held()]);
        assert.fail(`not within ${timeoutMs} ms: ${what}; ${state}; ${this.#lines} lines; ${this.#problems.join('')}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    return Math.round(performance.now() - startedMs);
  }

  /**
   * No partition was held by two at once. Clocks are one machine's; a member tells that it gives up before it does, and
   * that it has got when it has.
   */
  assertHeldByOneAtATime(): void {
    const sorted = [...this.holds].sort(
      (left, right) => left.partition - right.partition || left.fromMs - right.fromMs,
    );
    for (const [index, hold] of sorted.entries()) {
      const next = sorted[index + 1];
      if (next?.partition !== hold.partition) continue;
      assert.ok(
        hold.toMs <= next.fromMs,
        `partition ${hold.partition}: ${hold.member} until ${hold.toMs}, ${next.member} from ${next.fromMs}`,
      );
    }
  }
}
