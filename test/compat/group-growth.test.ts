/**
 * Groups of every client, in both protocols, that grow from one member to eight and shrink again while records flow: their
 * broker is killed with -9 and comes back, one member is killed, another stands still until it is fenced and goes on.
 * Every record is read; no partition is held by two at once, or in one generation; no commit is lost, none comes from
 * a member that is fenced. Tells how long rebalances took.
 *
 * SLUICE_GROUPS_FULL=1 takes a million records a group, grows and shrinks member by member, and one group after another;
 * SLUICE_GROUPS picks groups, as 'java consumer,kafkajs classic'.
 */
import assert from 'node:assert/strict';
import { after, before, type TestContext, test } from 'node:test';
import { Wire } from '../support/wire.ts';
import { runOne } from './harness/client.ts';
import { findFirst } from './harness/clients.ts';
import { GroupBroker } from './harness/group-broker.ts';
import { findMember, GroupMembers, type GroupProtocol, type MemberClient } from './harness/group-members.ts';
import { GroupWatch } from './harness/group-watch.ts';
import { RecordFlow } from './harness/record-flow.ts';
import { findPythonClient, type Invocation, requireToolchain } from './harness/toolchain.ts';

const CLIENTS: Readonly<Record<GroupProtocol, readonly MemberClient[]>> = {
  classic: ['sluice', 'kafkajs', 'platformatic', 'confluent-kafka', 'franz-go', 'java'],
  consumer: ['sluice', 'platformatic', 'confluent-kafka', 'franz-go', 'java'],
};
const IS_FULL = process.env['SLUICE_GROUPS_FULL'] === '1';
const PICKED = process.env['SLUICE_GROUPS']?.split(',');
const RECORDS = IS_FULL ? 1_000_000 : 200_000;
const RECORDS_A_SECOND = IS_FULL ? 20_000 : 6000;
/** The client takes UNKNOWN_MEMBER_ID in a heartbeat for a passing problem, and beats on as the member that it was. */
const STAY_AWAY: ReadonlySet<string> = new Set(['platformatic consumer']);
/** The client commits under its next membership what it still had at hand from the one before. */
const COMMITS_BACK: ReadonlySet<MemberClient> = new Set(['platformatic']);
/** Members in the order in which the group grows, and shrinks. */
const SIZES = IS_FULL ? [1, 2, 3, 4, 5, 6, 7, 8] : [1, 2, 4, 8];
const PARTITIONS = 16;
const SETTLE_MS = 60_000;

let broker: GroupBroker;
before(async () => {
  broker = await GroupBroker.start();
});
after(() => broker?.remove());

type Change = 'join' | 'crash' | 'return' | 'leave';

/** One client's group, and what is written for it. */
class GrowingGroup {
  readonly name: string;
  readonly members = new GroupMembers();
  readonly times: Record<Change, number[]> = { join: [], crash: [], return: [], leave: [] };
  readonly #client: MemberClient;
  readonly #protocol: GroupProtocol;
  readonly #member: Invocation;
  readonly #flow: RecordFlow;
  readonly #watch: GroupWatch;
  /** The oldest first. */
  readonly #names: string[] = [];

  constructor(client: MemberClient, protocol: GroupProtocol, member: Invocation, load: Invocation) {
    this.#client = client;
    this.#protocol = protocol;
    this.#member = member;
    this.name = `${client} ${protocol}`;
    this.#flow = new RecordFlow(load, [broker.bootstrap, this.topic, String(PARTITIONS), String(RECORDS_A_SECOND)]);
    const place = { port: broker.port, group: this.#group, topic: this.topic };
    this.#watch = new GroupWatch({ ...place, protocol, partitions: PARTITIONS });
  }

  get topic(): string {
    return topicOf(this.#client, this.#protocol);
  }

  get #group(): string {
    return `group-${this.topic}`;
  }

  async grow(size: number): Promise<void> {
    while (this.#names.length < size) {
      const place = { bootstrap: broker.bootstrap, group: this.#group, topic: this.topic, protocol: this.#protocol };
      this.#names.push(this.members.start(this.#member, place));
    }
    await this.#settle('join');
  }

  async shrink(size: number): Promise<void> {
    const gone = this.#names.splice(0, this.#names.length - size);
    await Promise.all(gone.map((name) => this.members.stop(name)));
    await this.#settle('leave');
  }

  /** What members were told is committed is committed, now that the broker is back. */
  async assertCommitsKept(told: ReadonlyMap<number, number>): Promise<void> {
    const wire = new Wire(broker.port);
    const found = await eventually(() => this.#watch.committed(wire)).finally(() => wire.close());
    if (COMMITS_BACK.has(this.#client) && this.#watch.regressions.length > 0) return;
    for (const [partition, offset] of told) {
      const kept = found.get(partition) ?? 0;
      assert.ok(kept >= offset, `${this.name}: ${offset} of partition ${partition} was committed, ${kept} is left`);
    }
  }

  /** One member dies and one stands still at the same time; that one comes back when others have what it had. */
  async crash(): Promise<void> {
    const killed = this.#names.splice(1, 1)[0]!;
    const paused = this.#names[1]!;
    this.members.pause(paused);
    await this.members.kill(killed);
    await this.#settle('crash');
    this.members.resume(paused, await this.#watch.committed());
    if (STAY_AWAY.has(this.name)) await this.members.stop(this.#names.splice(1, 1)[0]!);
    await this.#settle('return');
  }

  async #settle(change: Change): Promise<void> {
    const ms = await this.members.share(PARTITIONS, SETTLE_MS).catch((error: unknown) => {
      throw new Error(`${this.name}, ${change}: ${(error as Error).message}`);
    });
    this.times[change].push(ms);
  }

  async finish(): Promise<number> {
    const { members } = this;
    await members.waitFor(`${RECORDS} records written`, SETTLE_MS + 100_000, () => this.#flow.written.size >= RECORDS);
    const written = await this.#flow.end();
    const isRead = (): boolean => members.read.size >= written.size && written.missingIn(members.read) === 0;
    await members.waitFor(`${this.name} reads every record`, SETTLE_MS, isRead);
    const ends = written.ends();
    await members.waitFor(`${this.name} commits all that it read`, SETTLE_MS, () =>
      [...ends].every(([partition, end]) => members.committed.get(partition) === end),
    );
    await this.assertCommitsKept(members.committed);
    await this.#watch.end();
    assert.deepEqual(this.#watch.faults, [], this.name);
    if (!COMMITS_BACK.has(this.#client)) assert.deepEqual(this.#watch.regressions, [], this.name);
    assert.ok(this.#watch.samples > 20, `${this.#watch.samples} samples of ${this.name}`);
    assert.doesNotThrow(() => members.assertHeldByOneAtATime(), this.name);
    return written.size;
  }

  async end(): Promise<void> {
    await this.#watch.end();
    await this.#flow.end();
    await this.members.stopAll();
  }
}

function topicOf(client: MemberClient, protocol: GroupProtocol): string {
  return `growth-${client}-${protocol}`;
}

/** A broker that has just come back may still be loading its groups. */
async function eventually<T>(ask: () => Promise<T>): Promise<T> {
  const untilMs = performance.now() + SETTLE_MS;
  for (;;) {
    try {
      return await ask();
    } catch (error) {
      if (performance.now() > untilMs) throw error;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}

/** kill -9, and back on the same directory and port. */
async function killBroker(groups: readonly GrowingGroup[]): Promise<void> {
  await broker.kill();
  // What it has answered is on its way through pipes.
  await new Promise((resolve) => setTimeout(resolve, 300));
  const told = groups.map(({ members }) => new Map(members.committed));
  for (const committed of told) assert.ok(committed.size > 0, 'something was committed before');
  await broker.restart();
  await Promise.all(groups.map((group, at) => group.assertCommitsKept(told[at]!)));
}

const median = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[values.length >> 1]!;

async function live(context: TestContext, groups: readonly GrowingGroup[]): Promise<void> {
  const each = (work: (group: GrowingGroup) => Promise<void>): Promise<unknown> => Promise.all(groups.map(work));
  const startedMs = performance.now();
  for (const size of SIZES) await each((group) => group.grow(size));
  await killBroker(groups);
  await each((group) => group.crash());
  for (const size of SIZES.slice(0, -1).toReversed()) await each((group) => group.shrink(size));
  await each(async (group) => {
    const records = await group.finish();
    const times = Object.entries(group.times).map(
      ([change, ms]) => `${change} ${median(ms)}${ms.length > 1 ? ` (at most ${Math.max(...ms)})` : ''}`,
    );
    context.diagnostic(`${group.name}: ${records} records; ms until shared evenly, median: ${times.join(', ')}`);
  });
  context.diagnostic(`${Math.round(performance.now() - startedMs)} ms in all`);
}

for (const protocol of ['classic', 'consumer'] as const) {
  test(`groups of the ${protocol} protocol grow to eight, lose their broker and members, shrink, and read every record`, async (context) => {
    const load = requireToolchain(context, await findPythonClient());
    const admin = requireToolchain(context, await findFirst(['confluent-kafka', 'java', 'franz-go']));
    if (load === undefined || admin === undefined) return;
    const groups: GrowingGroup[] = [];
    context.after(() => Promise.all(groups.map((group) => group.end())));
    const make: (() => GrowingGroup)[] = [];
    for (const client of CLIENTS[protocol]) {
      if (PICKED !== undefined && !PICKED.includes(`${client} ${protocol}`)) continue;
      const { value, reason } = await findMember(client);
      if (value === undefined) context.diagnostic(`without ${client}: ${reason}`);
      else {
        const topics = [{ name: topicOf(client, protocol), partitions: PARTITIONS }];
        await runOne(admin(broker.bootstrap), { op: 'createTopics', topics });
        make.push(() => new GrowingGroup(client, protocol, value, load));
      }
    }
    const atOnce = IS_FULL ? 1 : make.length;
    while (make.length > 0) {
      const some = make.splice(0, atOnce).map((one) => one());
      groups.push(...some);
      await live(context, some);
      await Promise.all(some.map((group) => group.end()));
    }
  });
}
