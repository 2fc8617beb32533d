/**
 * One group of this package's consumer, Java's and confluent-kafka's: they join, the oldest is killed, others leave, while
 * records flow. Whoever leads, everybody understands; every record is read, no partition is held by two at once.
 */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { runOne } from './harness/client.ts';
import { findFirst } from './harness/clients.ts';
import { GroupBroker } from './harness/group-broker.ts';
import { findMember, GroupMembers, ownMember } from './harness/group-members.ts';
import { RecordFlow } from './harness/record-flow.ts';
import { findPythonClient, requireToolchain } from './harness/toolchain.ts';

const PARTITIONS = 12;
const RECORDS = 20_000;
const SETTLE_MS = 60_000;

let broker: GroupBroker;
before(async () => {
  broker = await GroupBroker.start();
});
after(() => broker?.remove());

for (const protocol of ['classic', 'consumer'] as const) {
  test(`a ${protocol} group of several clients grows, loses its leader, shrinks, and reads every record`, async (context) => {
    const load = requireToolchain(context, await findPythonClient());
    const admin = requireToolchain(context, await findFirst(['confluent-kafka', 'java', 'franz-go']));
    const confluent = requireToolchain(context, await findMember('confluent-kafka'));
    const java = requireToolchain(context, await findMember('java'));
    if (load === undefined || admin === undefined || confluent === undefined || java === undefined) return;
    const topic = `mixed-${protocol}`;
    await runOne(admin(broker.bootstrap), { op: 'createTopics', topics: [{ name: topic, partitions: PARTITIONS }] });
    const place = { bootstrap: broker.bootstrap, group: topic, topic, protocol };
    const own = ownMember('cooperative-sticky');
    const members = new GroupMembers();
    const flow = new RecordFlow(load, [broker.bootstrap, topic, String(PARTITIONS), '2000']);
    context.after(async () => {
      await flow.end();
      await members.stopAll();
    });
    const times: number[] = [];
    const settle = async (): Promise<void> => void times.push(await members.share(PARTITIONS, SETTLE_MS));
    const names: string[] = [];
    for (const invocation of [own, java, confluent, own]) {
      names.push(members.start(invocation, place));
      await settle();
    }
    await members.kill(names.shift()!);
    await settle();
    // Java's, so that ours leads or confluent-kafka's.
    await members.stop(names.shift()!);
    await settle();
    names.push(members.start(java, place));
    await settle();
    await members.stop(names.shift()!);
    await settle();
    await members.waitFor(`${RECORDS} records written`, SETTLE_MS, () => flow.written.size >= RECORDS);
    const written = await flow.end();
    await members.waitFor('every record is read', SETTLE_MS, () => written.missingIn(members.read) === 0);
    assert.doesNotThrow(() => members.assertHeldByOneAtATime());
    context.diagnostic(`${written.size} records; ms until shared evenly: ${times.join(', ')}`);
  });
}
