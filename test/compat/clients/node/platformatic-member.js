/** A member of a group with @platformatic/kafka: arguments and lines as of group_member.py. */
import { tracingChannel } from 'node:diagnostics_channel';
import { Consumer } from '@platformatic/kafka';
import { assignments, leaveOnTerm, tellFailed, tellRead } from './member.js';

const [, , bootstrap, groupId, topic] = process.argv;
const consumer = new Consumer({
  groupId,
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
// What it holds it gives up to join again.
tracingChannel('plt:kafka:consumer:group').subscribe({
  start: ({ operation }) => {
    if (operation === 'joinGroup') held.lost();
  },
});
consumer.on('consumer:group:join', (event) => {
  held.taken((event.assignments ?? []).filter((each) => each.topic === topic).flatMap((each) => each.partitions));
});
consumer.on('error', tellFailed);
leaveOnTerm(() => {
  // Others may have it before this client hears that it has left.
  held.lost();
  return consumer.close(true);
});

/** A stream ends with the error that it could not get over; reading goes on with another one. */
for (;;) {
  try {
    const stream = await consumer.consume({
      topics: [topic],
      mode: 'committed',
      fallbackMode: 'earliest',
      autocommit: 200,
    });
    for await (const { partition, offset } of stream) tellRead(partition, offset);
  } catch (error) {
    tellFailed(error);
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}
