/**
 * The producer and the consumer test of the Kafka paper of 2011, against RabbitMQ and ActiveMQ: messages of 200 B, one
 * producer that sends one a request or 50, one consumer; single partition or queue, persistent, nothing replicated.
 * Systems take turns, each on a fresh process; docs/performance.md tells how each is configured.
 *
 * usage: node dist/bench/brokers.js [--systems sluice,kafka,rabbitmq,activemq] [--rounds 3] [--messages N] [--queue-messages N]
 *                                   [--smoke] [--out DIRECTORY]
 *
 * A system that is not installed is left out, and told. The queues do not batch: what they do with messages sent one by one stands
 * against both of our batches, as in the paper.
 */
import { parseArgs } from 'node:util';
import { startApacheKafka } from '../test/compat/harness/apache-kafka.ts';
import type { RunningBroker } from '../test/compat/harness/broker-process.ts';
import { KAFKA_VERSION, kafkaClassPath } from '../test/compat/harness/kafka-jars.ts';
import { startSluice } from '../test/compat/harness/sluice.ts';
import { findConsumer } from './generators.ts';
import { compiled, numbersOf } from './native-program.ts';
import { createTopic } from './new-topic.ts';
import { cpuSeconds } from './process-usage.ts';
import { activeMq, type QueueSystem, rabbitMq } from './queue-brokers.ts';
import { queueClassPath, runQueueClient } from './queue-client.ts';
import { deliver, median, shown, table } from './results.ts';

const LOGS = ['sluice', 'kafka'] as const;
const QUEUES = { rabbitmq: rabbitMq, activemq: activeMq } as const;
const GOALS = { rabbitmq: 10, activemq: 20 } as const;
const SYSTEMS = [...LOGS, 'rabbitmq', 'activemq'] as const;
const LABELS: Readonly<Record<System, string>> = {
  sluice: 'Sluice',
  kafka: `Apache Kafka ${KAFKA_VERSION}`,
  rabbitmq: rabbitMq.label,
  activemq: activeMq.label,
};
const MEASURES = ['produce, one a request', 'produce, 50 a request', 'consume'] as const;
const MESSAGE_BYTES = 200;
const LARGE_BATCH = 50;
const WARM_UP_SHARE = 0.2;
/** One a request is slower than 50. */
const UNBATCHED_SHARE = 0.1;

type System = (typeof SYSTEMS)[number];
type Queue = keyof typeof QUEUES;

interface Sample {
  readonly system: System;
  readonly measure: (typeof MEASURES)[number];
  readonly messagesPerSecond: number;
  /** Of the broker, warm-up included. */
  readonly cpuMicrosecondsAMessage: number;
}

interface Size {
  readonly messages: number;
  readonly queueMessages: number;
}

interface Work {
  readonly system: System;
  readonly measure: Sample['measure'];
  readonly pid: number;
  readonly messages: number;
  /** Messages a second. */
  run(): Promise<number>;
}

async function measured({ system, measure, pid, messages, run }: Work): Promise<Sample> {
  const cpuBefore = cpuSeconds(pid);
  const messagesPerSecond = await run();
  const cpuMicrosecondsAMessage = ((cpuSeconds(pid) - cpuBefore) / messages) * 1e6;
  console.error(`  ${measure}: ${Math.round(messagesPerSecond)} messages/s`);
  return { system, measure, messagesPerSecond, cpuMicrosecondsAMessage };
}

async function startLog(system: (typeof LOGS)[number]): Promise<RunningBroker> {
  if (system === 'sluice') return startSluice();
  const classPath = await kafkaClassPath();
  if (classPath.value === undefined) throw new Error(`no Apache Kafka: ${classPath.reason}`);
  return startApacheKafka({ classPath: classPath.value, flags: 'benchmark' });
}

async function measureLog(system: (typeof LOGS)[number], size: Size): Promise<Sample[]> {
  const producer = await compiled('produce', ['-lrdkafka']);
  const consumer = await findConsumer();
  const broker = await startLog(system);
  const pid = broker.child.pid!;
  const { bootstrap, port } = broker;
  const samples: Sample[] = [];
  const produce = async (topic: string, messages: number, batch: number): Promise<number> => {
    const [count, , seconds] = (await numbersOf(producer, [bootstrap, topic, messages, MESSAGE_BYTES, batch, 1])) as [
      ...[number, number, number],
    ];
    return count / seconds;
  };
  try {
    for (const batch of [1, LARGE_BATCH]) {
      const topic = `paper-${batch}`;
      const count = Math.ceil(size.messages * (batch === 1 ? UNBATCHED_SHARE : 1));
      const measure = batch === 1 ? MEASURES[0] : MEASURES[1];
      await createTopic(port, { name: topic, partitions: 1 });
      await createTopic(port, { name: `${topic}-warm`, partitions: 1 });
      await produce(`${topic}-warm`, Math.ceil(count * WARM_UP_SHARE), batch);
      samples.push(await measured({ system, measure, pid, messages: count, run: () => produce(topic, count, batch) }));
    }
    const load = { bootstrap, topic: `paper-${LARGE_BATCH}`, partitions: 1, records: size.messages };
    await consumer({ ...load, records: Math.ceil(size.messages * WARM_UP_SHARE) });
    const run = async (): Promise<number> => (await consumer(load)).recordsPerSecond;
    samples.push(await measured({ system, measure: 'consume', pid, messages: size.messages, run }));
  } finally {
    await broker.remove();
  }
  return samples;
}

async function measureQueue(system: Queue, size: Size): Promise<Sample[]> {
  const classPath = await queueClassPath();
  const messages = size.queueMessages;
  const warmUpMessages = Math.ceil(messages * WARM_UP_SHARE);
  const broker = await QUEUES[system].start();
  const { pid, port } = broker;
  const load = { system, port, queue: 'paper', warmUpMessages, messages, messageBytes: MESSAGE_BYTES };
  const work = { system, pid, messages: messages + warmUpMessages };
  try {
    const produce = () => runQueueClient(classPath, { ...load, action: 'produce' });
    const produced = await measured({ ...work, measure: 'produce, one a request', run: produce });
    const consume = () => runQueueClient(classPath, { ...load, action: 'consume' });
    return [produced, await measured({ ...work, measure: 'consume', run: consume })];
  } finally {
    await broker.remove();
  }
}

const isQueue = (system: System): system is Queue => system in QUEUES;

const rateOf = (samples: readonly Sample[], system: System, measure: Sample['measure'], of: keyof Sample): number =>
  median(samples.filter((each) => each.system === system && each.measure === measure).map((each) => Number(each[of])));

function render(samples: readonly Sample[], systems: readonly System[]): string {
  // A queue has one rate of producing, which stands against both batches.
  const shownAs = (system: System, measure: Sample['measure']) =>
    isQueue(system) && measure === MEASURES[1] ? MEASURES[0] : measure;
  const rate = (system: System, measure: Sample['measure']) =>
    rateOf(samples, system, shownAs(system, measure), 'messagesPerSecond');
  const peers = systems.filter((system) => system !== 'sluice');
  const rates = MEASURES.map((measure) => [
    measure,
    ...systems.map((system) => shown(rate(system, measure))),
    ...peers.map((peer) => `${shown(rate('sluice', measure) / rate(peer, measure))}×`),
  ]);
  const costs = MEASURES.map((measure) => [
    measure,
    ...systems.map((system) => shown(rateOf(samples, system, shownAs(system, measure), 'cpuMicrosecondsAMessage'))),
  ]);
  const names = systems.map((system) => LABELS[system]);
  const compared = peers.map((peer) => `Sluice / ${LABELS[peer]}${isQueue(peer) ? ` (goal ${GOALS[peer]}×)` : ''}`);
  return [
    table(['messages/s, 200 B', ...names, ...compared], rates),
    table(['CPU of the broker a message, µs', ...names], costs),
  ].join('\n\n');
}

/** Those of the wanted systems that can be started here. */
function present(wanted: readonly string[]): System[] {
  return wanted.flatMap((name) => {
    const system = SYSTEMS.find((known) => known === name);
    if (system === undefined) throw new Error(`--systems ${name}: one of ${SYSTEMS.join(', ')}`);
    const queue: QueueSystem | undefined = isQueue(system) ? QUEUES[system] : undefined;
    const missing = queue?.missing();
    if (missing !== undefined) console.error(`left out: ${missing}`);
    return missing === undefined ? [system] : [];
  });
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      systems: { type: 'string', default: 'sluice,rabbitmq,activemq' },
      rounds: { type: 'string' },
      messages: { type: 'string' },
      'queue-messages': { type: 'string' },
      smoke: { type: 'boolean', default: false },
      out: { type: 'string' },
    },
  });
  const systems = present(values.systems.split(','));
  const rounds = Number(values.rounds ?? (values.smoke ? 1 : 3));
  const messages = Number(values.messages ?? (values.smoke ? 20_000 : 3_000_000));
  const queueMessages = Number(values['queue-messages'] ?? (values.smoke ? 5000 : 400_000));
  const samples: Sample[] = [];
  for (let round = 0; round < rounds; round++) {
    // Whoever comes first meets a cooler machine: take turns.
    for (const system of round % 2 === 0 ? systems : systems.toReversed()) {
      console.error(`round ${round + 1} of ${rounds}: ${LABELS[system]}`);
      const size = { messages, queueMessages };
      samples.push(...(isQueue(system) ? await measureQueue(system, size) : await measureLog(system, size)));
    }
  }
  const title = `The paper's producer and consumer test: ${messages} messages (queues ${queueMessages}), ${rounds} rounds`;
  deliver({ name: 'brokers', title, markdown: render(samples, systems), json: samples }, values.out);
}

if (process.argv[1] === import.meta.filename) await main();
