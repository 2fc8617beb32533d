/** The workload's producer and group member with kafkajs: arguments, settings and lines as of python/workload.py. */
import { createRequire } from 'node:module';

const require = createRequire(new URL('../../../compat/clients/node/package.json', import.meta.url));
const kafkajs = require('kafkajs');

const BURST_MS = 20;
const DISCONNECT_MS = 5000;
const [, , role, text] = process.argv;
const given = JSON.parse(text);
const kafka = new kafkajs.Kafka({
  brokers: given.bootstrap.split(','),
  clientId: given.process,
  logLevel: kafkajs.logLevel.NOTHING,
  connectionTimeout: 1000,
  requestTimeout: 5000,
  retry: { initialRetryTime: 50, maxRetryTime: 200, retries: 2000 },
});

let ending = false;
const ended = new Promise((resolve) => {
  process.stdin.on('end', resolve).resume();
}).then(() => {
  ending = true;
});

function tell(type, more) {
  const at = Number(process.hrtime.bigint() / 1000n);
  process.stdout.write(`${JSON.stringify({ type, at, process: given.process, ...more })}\n`);
}

const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

/**
 * One partition a send, one send at a time: when one of several brokers fails, its idempotent producer asks those again
 * that have not answered yet, counts their answers twice, and is out of sequence from then on.
 */
async function produce() {
  const producer = kafka.producer({ idempotent: true, maxInFlightRequests: 1, metadataMaxAge: 2000 });
  await producer.connect();
  let value = given.first;
  let owed = 0;
  let last = performance.now();
  while (!ending) {
    const now = performance.now();
    owed = Math.min(owed + ((now - last) / 1000) * given.rate, 1000);
    last = now;
    const values = [];
    for (; owed >= 1; owed--) values.push(value++);
    for (let partition = 0; partition < given.partitions; partition++) {
      const those = values.filter((each) => each % given.partitions === partition);
      if (those.length > 0) await send(producer, those);
    }
    await pause(BURST_MS);
  }
  await producer.disconnect();
  tell('note', { note: 'producer ended', sent: value - given.first });
}

async function send(producer, values) {
  const records = values.map((each) => [each % given.partitions, null, each]);
  tell('invoke', { sends: records });
  try {
    const messages = records.map(([partition, , each]) => ({ partition, value: `${each} kafkajs` }));
    const answers = await producer.send({ topic: given.topic, acks: -1, messages });
    const next = new Map(answers.map(({ partition, baseOffset }) => [partition, Number(baseOffset)]));
    const sends = records.map(([partition, , each]) => {
      const offset = next.get(partition);
      next.set(partition, offset + 1);
      return [partition, offset, each];
    });
    tell('ok', { sends });
  } catch (error) {
    tell('info', { sends: records });
    tell('note', { note: 'send failed', error: error.message });
  }
}

async function member() {
  const consumer = kafka.consumer({
    groupId: given.group,
    sessionTimeout: 6000,
    heartbeatInterval: 500,
    rebalanceTimeout: 10_000,
    metadataMaxAge: 2000,
    maxWaitTimeInMs: 100,
    readUncommitted: false,
  });
  consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => {
    tell('assign', { partitions: payload.memberAssignment[given.topic] ?? [], group: given.group });
  });
  consumer.on(consumer.events.CRASH, ({ payload }) => tell('note', { note: 'crash', error: String(payload.error) }));
  await consumer.connect();
  await consumer.subscribe({ topic: given.topic, fromBeginning: true });
  await consumer.run({
    autoCommit: false,
    eachBatchAutoResolve: false,
    eachBatch: async ({ batch, resolveOffset, heartbeat, isStale, isRunning }) => {
      if (isStale() || !isRunning() || batch.messages.length === 0) return;
      const { partition, topic } = batch;
      const polls = batch.messages.map(({ offset, value }) => [partition, Number(offset), Number.parseInt(value, 10)]);
      tell('ok', { polls });
      const last = polls.at(-1)[1];
      try {
        await consumer.commitOffsets([{ topic, partition, offset: String(last + 1) }]);
      } catch (error) {
        // Read again, from what was committed before, by whoever has the partition then.
        tell('assign', { partitions: [partition] });
        tell('note', { note: 'commit failed', error: error.type ?? error.message });
        throw error;
      }
      resolveOffset(String(last));
      await heartbeat();
    },
  });
  await ended;
  // It may wait long for a request of its own whose broker is gone.
  await Promise.race([consumer.disconnect(), pause(DISCONNECT_MS)]);
  tell('note', { note: 'member ended' });
}

await (role === 'produce' ? produce() : member());
process.exit(0);
