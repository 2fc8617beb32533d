/** A member of a group with @platformatic/kafka: arguments and lines as of group_member.py. */
import { tracingChannel } from 'node:diagnostics_channel';
import { Consumer } from '@platformatic/kafka';
import { assignments, leaveOnTerm, Runs, tellCommitted, tellFailed, tellRead } from './member.js';

const COMMIT_MS = 200;
const [, , bootstrap, groupId, topic, groupProtocol] = process.argv;
const isClassic = groupProtocol === 'classic';
const consumer = new Consumer({
  groupId,
  groupProtocol,
  clientId: 'member',
  bootstrapBrokers: [bootstrap],
  sessionTimeout: 6000,
  heartbeatInterval: 500,
  rebalanceTimeout: 10_000,
  maxWaitTime: 200,
  retries: 100,
  retryDelay: 100,
});
const held = assignments();
const mine = () => (consumer.assignments ?? []).filter((one) => one.topic === topic).flatMap((one) => one.partitions);
let read = new Runs();

/** Of what was read: told in any case, committed only while it is held. */
async function commitRead() {
  const { found } = read;
  if (found.length === 0) return;
  const next = read.next().filter(([partition]) => held.has(partition));
  read = new Runs();
  tellRead(found);
  if (next.length === 0) return;
  const offsets = next.map(([partition, offset]) => ({ topic, partition, offset: BigInt(offset), leaderEpoch: 0 }));
  try {
    await consumer.commit({ offsets });
    tellCommitted(next);
  } catch (error) {
    tellFailed(error);
  }
}

if (isClassic) {
  // What it holds it gives up to join again.
  tracingChannel('plt:kafka:consumer:group').subscribe({
    start: ({ operation }) => {
      if (operation === 'joinGroup') held.lost();
    },
  });
  consumer.on('consumer:group:join', ({ generationId }) => held.taken(mine(), generationId));
} else {
  // A heartbeat tells the broker what was let go; it says itself what is held.
  let before = '[]';
  consumer.on('consumer:heartbeat:start', () => {
    const now = JSON.stringify(mine());
    if (now !== before) held.taken(JSON.parse(now));
    before = now;
  });
}
consumer.on('error', tellFailed);
setInterval(commitRead, COMMIT_MS);
leaveOnTerm(async () => {
  await commitRead();
  // Others may have it before this client hears that it has left.
  held.lost();
  await consumer.close(true);
});

/** A stream ends with the error that it could not get over; reading goes on with another one. */
for (;;) {
  try {
    const stream = await consumer.consume({
      topics: [topic],
      mode: 'committed',
      fallbackMode: 'earliest',
      autocommit: false,
    });
    for await (const { partition, offset } of stream) read.add(partition, Number(offset));
  } catch (error) {
    tellFailed(error);
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}
