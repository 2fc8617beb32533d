/**
 * Members of groups as processes of foreign clients, and what they tell: which partitions they were given and gave up,
 * which records they read. Whether two ever held one partition at once is found from that.
 */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { kafkaClassPath } from './kafka-jars.ts';
import { OffsetSet } from './offset-set.ts';
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

export type MemberClient = 'sluice' | 'confluent-kafka' | 'java' | 'franz-go' | NodeMember;
type NodeMember = 'kafkajs' | 'platformatic';
export type GroupProtocol = 'classic' | 'consumer';

/** How a client's member program is started. */
export async function findMember(client: MemberClient): Promise<Available<Invocation>> {
  if (client === 'sluice') return { value: ownMember() };
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

/** This package's own consumer, as it is built. */
export function ownMember(assignors?: string): Invocation {
  const program = join(
    import.meta.dirname,
    import.meta.filename.endsWith('.ts') ? 'sluice-member.ts' : 'sluice-member.js',
  );
  const invocation = { command: process.execPath, parameters: [program] };
  return assignors === undefined ? invocation : { ...invocation, environment: { SLUICE_MEMBER_ASSIGNORS: assignors } };
}

async function findClient(client: Exclude<MemberClient, NodeMember | 'sluice'>): Promise<Available<Invocation>> {
  if (client === 'confluent-kafka') return findPythonClient();
  return client === 'java' ? findJavaClient(await kafkaClassPath()) : findFranzGo();
}

type Line = { readonly at: number } & (
  | { readonly assigned: readonly number[]; readonly generation?: number | null }
  | { readonly revoked: readonly number[] }
  | { readonly read: readonly (readonly [partition: number, first: number, last: number])[] }
  | { readonly committed: readonly (readonly [partition: number, offset: number])[] }
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
  readonly read = new OffsetSet();
  readonly holds: Hold[] = [];
  /** Where to read on after what members were told is committed: the highest of each partition. */
  readonly committed = new Map<number, number>();
  readonly failures: string[] = [];
  readonly #running = new Map<string, ChildProcess>();
  readonly #closed = new Map<ChildProcess, Promise<void>>();
  readonly #classic = new Set<string>();
  readonly #paused = new Set<string>();
  /** Members that go on after a pause, with what was committed by then, until they are assigned something again. */
  readonly #resumed = new Map<string, ReadonlyMap<number, number>>();
  /** 'generation partition' to the member that was assigned it. */
  readonly #claims = new Map<string, string>();
  readonly #faults: string[] = [];
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
    const closed = new Promise<void>((resolve) => child.once('close', () => resolve()));
    this.#closed.set(
      child,
      closed.then(() => {
        if (this.#running.has(name)) this.#faults.push(`${name} ended by itself: ${this.#problems.join('')}`);
      }),
    );
    if (protocol === 'classic') this.#classic.add(name);
    createInterface({ input: child.stdout }).on('line', (line) => this.#take(name, JSON.parse(line) as Line));
    child.stderr.on('data', (chunk: Buffer) => this.#problems.push(`${name}: ${chunk}`));
    return name;
  }

  #take(name: string, line: Line): void {
    this.#lines++;
    if ('read' in line) for (const run of line.read) this.read.add(...run);
    else if ('committed' in line)
      for (const [partition, offset] of line.committed) this.#commit(name, partition, offset);
    else if ('assigned' in line) {
      this.#resumed.delete(name);
      for (const partition of line.assigned) {
        this.holds.push({ member: name, partition, fromMs: line.at, toMs: Number.POSITIVE_INFINITY });
      }
      if (typeof line.generation === 'number' && this.#classic.has(name)) this.#claim(name, line.generation);
    } else if ('revoked' in line) this.#release(name, line.at, new Set(line.revoked));
    else if ('closed' in line) this.#release(name, line.at);
    else if ('failed' in line) this.failures.push(`${name}: ${line.failed}`);
  }

  #commit(name: string, partition: number, offset: number): void {
    const before = this.#resumed.get(name)?.get(partition) ?? Number.POSITIVE_INFINITY;
    if (offset > before) this.#faults.push(`${name} was fenced and committed ${offset} of partition ${partition}`);
    this.committed.set(partition, Math.max(offset, this.committed.get(partition) ?? 0));
  }

  /** Generations are the whole group's; members of the newer protocol have epochs of their own. */
  #claim(name: string, generation: number): void {
    for (const partition of this.held().get(name) ?? []) {
      const claim = `${generation} ${partition}`;
      const other = this.#claims.get(claim);
      if (other !== undefined && other !== name) {
        this.#faults.push(`in generation ${generation} partition ${partition} is assigned to ${other} and to ${name}`);
      }
      this.#claims.set(claim, name);
    }
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

  /** SIGSTOP: the member stands still, and what it holds is given to others once its session is over. */
  pause(name: string): void {
    this.#running.get(name)!.kill('SIGSTOP');
    this.#paused.add(name);
    this.#release(name, Date.now());
  }

  /** SIGCONT: it is fenced, and may commit nothing beyond `committed` before it is assigned something again. */
  resume(name: string, committed: ReadonlyMap<number, number>): void {
    this.#paused.delete(name);
    this.#resumed.set(name, new Map(committed));
    this.#running.get(name)!.kill('SIGCONT');
  }

  async #end(name: string, signal: NodeJS.Signals): Promise<void> {
    const child = this.#running.get(name);
    if (child === undefined) return;
    this.#running.delete(name);
    child.kill(signal);
    if (this.#paused.delete(name)) child.kill('SIGCONT');
    await this.#closed.get(child);
  }

  async stopAll(): Promise<void> {
    await Promise.all([...this.#running.keys()].map((name) => this.stop(name)));
  }

  /** Partitions that each running member holds now. */
  held(): Map<string, number[]> {
    const moving = [...this.#running.keys()].filter((name) => !this.#paused.has(name));
    const held = new Map<string, number[]>(moving.map((name) => [name, []]));
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
        const said = [...this.#faults, ...this.failures.slice(-10), ...this.#problems].join('; ');
        assert.fail(`not within ${timeoutMs} ms: ${what}; ${state}; ${this.#lines} lines; ${said}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    return Math.round(performance.now() - startedMs);
  }

  /**
   * No partition was held by two at once or in one generation, and none who was fenced committed. Clocks are one
   * machine's; a member tells that it gives up before it does, and that it has got when it has.
   */
  assertHeldByOneAtATime(): void {
    assert.deepEqual(this.#faults, []);
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
