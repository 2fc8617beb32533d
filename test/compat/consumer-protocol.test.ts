/**
 * A group that changes from the classic protocol to the broker-driven one (KIP-848) and back without stopping, and a
 * pattern that the broker matches. How groups of this protocol grow and shrink is told in group-growth.test.ts.
 */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { runOne } from './harness/client.ts';
import { findFirst } from './harness/clients.ts';
import { GroupBroker } from './harness/group-broker.ts';
import { findMember, GroupMembers } from './harness/group-members.ts';
import { RecordFlow } from './harness/record-flow.ts';
import { findPythonClient, type Invocation, requireToolchain } from './harness/toolchain.ts';

const PARTITIONS = 12;
const RECORDS_A_SECOND = 2000;
const SETTLE_MS = 25_000;

let broker: GroupBroker;
before(async () => {
  broker = await GroupBroker.start({
    'group.initial.rebalance.delay.ms': '100',
    'group.consumer.assignment.interval.ms': '0',
  });
});
after(() => broker?.remove());

interface Stage {
  readonly members: GroupMembers;
  readonly flow: RecordFlow;
  start(invocation: Invocation, protocol: 'classic' | 'consumer', topic?: string): string;
  /** Ends the flow and waits until all of it was read. */
  finish(): Promise<void>;
}

async function stage(
  context: { after(run: () => Promise<void>): void },
  topic: string,
  load: Invocation,
): Promise<Stage | undefined> {
  const admin = (await findFirst(['confluent-kafka', 'java', 'franz-go'])).value;
  if (admin === undefined) return undefined;
  await runOne(admin(broker.bootstrap), { op: 'createTopics', topics: [{ name: topic, partitions: PARTITIONS }] });
  const members = new GroupMembers();
  const flow = new RecordFlow(load, [broker.bootstrap, topic, String(PARTITIONS), String(RECORDS_A_SECOND)]);
  context.after(async () => {
    await flow.end();
    await members.stopAll();
  });
  return {
    members,
    flow,
    start: (invocation, protocol, pattern) =>
      members.start(invocation, {
        bootstrap: broker.bootstrap,
        group: `group-${topic}`,
        topic: pattern ?? topic,
        protocol,
      }),
    finish: async () => {
      const written = await flow.end();
      assert.ok(written.size > 100, `${written.size} records flowed`);
      const missing = (): number => written.missingIn(members.read);
      await members.waitFor('every record read', SETTLE_MS, () => missing() === 0);
      members.assertHeldByOneAtATime();
    },
  };
}

test('a group changes from the classic protocol to the broker-driven one and back, and reads every record', async (context) => {
  const load = requireToolchain(context, await findPythonClient());
  const member = requireToolchain(context, await findMember('confluent-kafka'));
  if (load === undefined || member === undefined) return;
  const on = await stage(context, 'migrate', load);
  assert.ok(on !== undefined);
  const { members } = on;
  // After a second rebalance of its own the sticky one leaves data in assignments, with which no group may change.
  const ranging = { ...member, environment: { ...member.environment, SLUICE_MEMBER_ASSIGNORS: 'range' } };
  const first = on.start(ranging, 'classic');
  const second = on.start(ranging, 'classic');
  await members.share(PARTITIONS, SETTLE_MS);
  const third = on.start(member, 'consumer');
  await members.share(PARTITIONS, SETTLE_MS);
  await members.stop(first);
  await members.share(PARTITIONS, SETTLE_MS);
  const fourth = on.start(member, 'consumer');
  await members.share(PARTITIONS, SETTLE_MS);
  await members.stop(third);
  await members.stop(fourth);
  await members.share(PARTITIONS, SETTLE_MS);
  assert.deepEqual([...members.held().keys()], [second]);
  await on.finish();
});

test('a pattern of a Java consumer is matched by the broker', async (context) => {
  const load = requireToolchain(context, await findPythonClient());
  const member = requireToolchain(context, await findMember('java'));
  if (load === undefined || member === undefined) return;
  const on = await stage(context, 'pattern-7', load);
  assert.ok(on !== undefined);
  on.start(member, 'consumer', '^pattern-[0-9]$');
  await on.members.share(PARTITIONS, SETTLE_MS);
  await on.finish();
});
