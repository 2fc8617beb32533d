/** A member of a group with kafkajs: arguments and lines as of group_member.py. */
import kafkajs from 'kafkajs';
import { assignments, leaveOnTerm, Runs, tellCommitted, tellFailed, tellRead } from './member.js';

const [, , bootstrap, groupId, topic] = process.argv;
const kafka = new kafkajs.Kafka({
  brokers: [bootstrap],
  clientId: 'member',
  logLevel: kafkajs.logLevel.NOTHING,
  retry: { initialRetryTime: 50, maxRetryTime: 500, retries: 100 },
});
const consumer = kafka.consumer({
  groupId,
  sessionTimeout: 6000,
  heartbeatInterval: 500,
  rebalanceTimeout: 10_000,
  metadataMaxAge: 1000,
  maxWaitTimeInMs: 200,
});
const held = assignments();
// It says nothing of a rebalance that begins with its coordinator's end; what it holds it gives up to join again.
consumer.on(consumer.events.REQUEST, ({ payload }) => {
  if (payload.apiName === 'JoinGroup') held.lost(payload.sentAt);
});
consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => held.taken(payload.memberAssignment[topic] ?? []));
consumer.on(consumer.events.CRASH, ({ payload }) => tellFailed(payload.error));
leaveOnTerm(() => {
  // Others may have it before this client hears that it has left.
  held.lost();
  return consumer.disconnect();
});
await consumer.connect();
await consumer.subscribe({ topic, fromBeginning: true });
await consumer.run({
  autoCommit: false,
  eachBatchAutoResolve: false,
  eachBatch: async ({ batch, resolveOffset, heartbeat, isStale }) => {
    if (isStale() || batch.messages.length === 0) return;
    const { partition } = batch;
    const read = new Runs();
    for (const { offset } of batch.messages) read.add(partition, Number(offset));
    tellRead(read.found);
    const next = read.next();
    try {
      await consumer.commitOffsets([{ topic, partition, offset: String(next[0][1]) }]);
    } catch (error) {
      // Out of here the error would end the consumer; a heartbeat's error of that kind lets it join again.
      tellFailed(error);
      await heartbeat();
      return;
    }
    tellCommitted(next);
    resolveOffset(String(next[0][1] - 1));
    await heartbeat();
  },
});
