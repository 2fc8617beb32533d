/** Consumers against a broker in this process: both protocols of groups, and partitions assigned by hand. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type EmbeddedBroker, startBroker } from '../../src/broker/embedded.ts';
import { createTopics } from '../../src/client/admin/topics.ts';
import { Cluster } from '../../src/client/cluster.ts';
import { Consumer } from '../../src/client/consumer/consumer.ts';
import type { ConsumerOptions } from '../../src/client/consumer/consumer-options.ts';
import { Producer } from '../../src/client/producer/producer.ts';

const PROTOCOLS = ['classic', 'consumer'] as const;
const QUICK = { sessionTimeoutMs: 6000, heartbeatIntervalMs: 200, autoCommitIntervalMs: 100 } as const;

let broker: EmbeddedBroker;
let cluster: Cluster;

before(async () => {
  broker = await startBroker({
    config: {
      'group.initial.rebalance.delay.ms': '0',
      'group.consumer.min.heartbeat.interval.ms': '200',
      'group.consumer.heartbeat.interval.ms': '200',
      'offsets.topic.num.partitions': '4',
    },
  });
  cluster = new Cluster({ bootstrapServers: broker.bootstrapServers, retryBackoffMs: 20, metadataMaxAgeMs: 500 });
});
after(async () => {
  await cluster?.close();
  await broker?.close();
});

/** Between the timestamps of records: no test is as slow as that. */
const MINUTE_MS = 60_000;

async function fill(topic: string, partitions: number, records: number): Promise<void> {
  await createTopics(cluster, [{ name: topic, partitions }]);
  await write(topic, partitions, 0, records);
}

async function write(topic: string, partitions: number, from: number, before: number): Promise<void> {
  await using producer = new Producer(cluster, { batchBytes: 400 });
  for (let index = from; index < before; index++) {
    producer.write({ topic, partition: index % partitions, value: `${index}`, timestamp: MINUTE_MS * (index + 1) });
  }
  await producer.flush();
}

function consumer(groupId: string, more: Partial<ConsumerOptions> = {}): Consumer {
  return new Consumer(cluster, { groupId, offsetReset: 'earliest', ...QUICK, ...more });
}

/** Reads until `enough` values were seen, then closes. */
async function collect(reader: Consumer, enough: number, seen: string[] = []): Promise<string[]> {
  for await (const record of reader) {
    seen.push(String(record.value));
    if (seen.length >= enough) break;
  }
  return seen;
}

const numbers = (from: number, before: number) =>
  Array.from({ length: before - from }, (_, index) => `${from + index}`);
const sorted = (values: readonly string[]) => [...values].sort((left, right) => Number(left) - Number(right));

async function until(holds: () => boolean, what: string): Promise<void> {
  const deadline = Date.now() + 15_000;
  while (!holds()) {
    assert.ok(Date.now() < deadline, `not within 15 s: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

for (const groupProtocol of PROTOCOLS) {
  test(`a ${groupProtocol} group reads on behind what was moved past, not behind what was fetched`, async () => {
    const topic = `resume-${groupProtocol}`;
    await fill(topic, 1, 50);
    const first = consumer(topic, { groupProtocol });
    first.subscribe(topic);
    assert.deepEqual(await collect(first, 20), numbers(0, 20));
    await first.close();
    const second = consumer(topic, { groupProtocol });
    second.subscribe([topic]);
    // The twentieth was never moved past.
    assert.deepEqual(await collect(second, 31), numbers(19, 50));
    await second.commit();
    const place = { topic, partition: 0 };
    assert.equal((await second.committed())[0]!.offset, 50);
    assert.equal(second.position(place), 50);
    assert.equal(second.lag(place), 0);
    await second.close();
  });

  test(`members of a ${groupProtocol} group share the partitions, hand over, and read every record once`, async () => {
    const topic = `share-${groupProtocol}`;
    await fill(topic, 6, 300);
    const seen: string[] = [];
    const holders = new Map<string, string>();
    const readers: { readonly consumer: Consumer; readonly loop: Promise<void> }[] = [];
    const faults: string[] = [];
    const join = (name: string): void => {
      const reader = consumer(topic, {
        groupProtocol,
        assignors: ['cooperative-sticky'],
        onAssigned: (partitions) => {
          for (const { partition } of partitions) {
            if (holders.has(`${partition}`))
              faults.push(`${partition} of ${holders.get(`${partition}`)} goes to ${name}`);
            holders.set(`${partition}`, name);
          }
        },
        onRevoked: (partitions) => {
          for (const { partition } of partitions) holders.delete(`${partition}`);
        },
      });
      reader.subscribe(topic);
      const loop = (async () => {
        for await (const { value } of reader) seen.push(String(value));
      })();
      readers.push({ consumer: reader, loop });
    };
    const shares = () => {
      const sizes = new Map<string, number>();
      for (const name of holders.values()) sizes.set(name, (sizes.get(name) ?? 0) + 1);
      return [...sizes.values()].sort().join();
    };
    join('a');
    await until(() => seen.length === 300, 'one reads all');
    join('b');
    join('c');
    await until(() => shares() === '2,2,2', 'three share');
    await write(topic, 6, 300, 400);
    await until(() => seen.length === 400, 'three read all');
    await readers[0]!.consumer.close();
    await until(() => shares() === '3,3', 'two share');
    await write(topic, 6, 400, 500);
    await until(() => seen.length === 500, 'two read all');
    await Promise.all(readers.map((each) => each.consumer.close()));
    await Promise.all(readers.map((each) => each.loop));
    assert.deepEqual(faults, []);
    assert.deepEqual(sorted(seen), numbers(0, 500));
    assert.equal(holders.size, 0);
  });

  test(`a slow reader of a ${groupProtocol} group keeps its place, one that never returns loses it`, async () => {
    const topic = `slow-${groupProtocol}`;
    await fill(topic, 1, 3);
    const events: string[] = [];
    const slow = consumer(topic, {
      groupProtocol,
      maxPollIntervalMs: 1500,
      onAssigned: () => void events.push('assigned'),
      onRevoked: () => void events.push('revoked'),
      onLost: () => void events.push('lost'),
    });
    slow.subscribe(topic);
    const records = slow[Symbol.asyncIterator]();
    await records.next();
    await new Promise((resolve) => setTimeout(resolve, 900));
    assert.equal(String((await records.next()).value?.value), '1');
    assert.deepEqual(events, ['assigned']);
    const other = consumer(topic, { groupProtocol });
    other.subscribe(topic);
    assert.deepEqual(await collect(other, 2), ['1', '2']);
    await assert.rejects(slow.commit(), { code: 'UNKNOWN_MEMBER_ID' });
    await other.close();
    // The other one moved past the second record.
    assert.equal(String((await records.next()).value?.value), '2');
    assert.deepEqual(events, ['assigned', 'lost', 'assigned']);
    await slow.close();
  });

  test(`a ${groupProtocol} group finds topics by pattern, also those that come later`, async () => {
    await fill(`pattern-${groupProtocol}-a`, 1, 2);
    const reader = consumer(`pattern-${groupProtocol}`, { groupProtocol });
    reader.subscribe(new RegExp(`pattern-${groupProtocol}-.*`));
    const seen: string[] = [];
    const loop = (async () => {
      for await (const { topic, value } of reader) seen.push(`${topic.at(-1)}${value}`);
    })();
    await until(() => seen.length === 2, 'the first topic');
    await fill(`pattern-${groupProtocol}-b`, 1, 2);
    await until(() => seen.length === 4, 'the second topic');
    assert.deepEqual(seen, ['a0', 'a1', 'b0', 'b1']);
    await reader.close();
    await loop;
  });

  test(`a static member of a ${groupProtocol} group finds its partitions again`, async () => {
    const topic = `static-${groupProtocol}`;
    await fill(topic, 2, 10);
    for (let life = 0; life < 2; life++) {
      const reader = consumer(topic, { groupProtocol, groupInstanceId: 'one' });
      reader.subscribe(topic);
      const seen = await collect(reader, 5);
      await reader.commit();
      assert.equal(new Set(seen).size, 5);
      await reader.close();
    }
  });
}

test('partitions by hand: seeks, by time too, pauses and resumes; nothing is committed without a group', async () => {
  await fill('by-hand', 2, 20);
  const reader = new Consumer(cluster, { offsetReset: 'earliest' });
  const [zero, one] = [
    { topic: 'by-hand', partition: 0 },
    { topic: 'by-hand', partition: 1 },
  ];
  reader.assign([zero]);
  assert.deepEqual(await collect(reader, 3), ['0', '2', '4']);
  reader.seek(zero, 8);
  assert.deepEqual(await collect(reader, 2), ['16', '18']);
  await reader.seekToTimestamp(11 * MINUTE_MS);
  assert.deepEqual(await collect(reader, 1), ['10']);
  reader.pause();
  reader.assign([zero, one]);
  assert.deepEqual(reader.paused, [zero]);
  assert.deepEqual(await collect(reader, 10), sorted(numbers(0, 20).filter((each) => Number(each) % 2 === 1)));
  reader.resume([zero]);
  assert.deepEqual(await collect(reader, 4), ['12', '14', '16', '18']);
  await reader.seekToEnd();
  assert.equal(reader.position(zero), 10);
  await assert.rejects(reader.commit(), { code: 'NO_GROUP' });
  await reader.close();
});

test('batches take up what records left over, and offsets within a time are a start', async () => {
  await fill('batched', 1, 40);
  const reader = new Consumer(cluster, { offsetReset: { withinMs: Date.now() - 10.5 * MINUTE_MS } });
  reader.assign([{ topic: 'batched', partition: 0 }]);
  assert.deepEqual(await collect(reader, 2), ['10', '11']);
  const seen: string[] = [];
  for await (const batch of reader.batches()) {
    for (const { value } of batch.records()) seen.push(String(value));
    if (seen.length >= 28) break;
  }
  assert.deepEqual(seen, numbers(12, 40));
  await reader.close();
});

test('misuse is refused with a code, and an abort ends reading', async () => {
  await fill('misused', 1, 1);
  const reader = consumer('misused', { offsetReset: 'none' });
  await assert.rejects(reader[Symbol.asyncIterator]().next(), { code: 'NOTHING_TO_READ' });
  await reader.close();
  const strict = consumer('misused', { offsetReset: 'none' });
  strict.subscribe('misused');
  assert.throws(() => strict.assign([]), { code: 'MIXED_ASSIGNMENT' });
  await assert.rejects(collect(strict, 1), { code: 'NO_COMMITTED_OFFSET' });
  await strict.close();
  const controller = new AbortController();
  const waiting = consumer('misused', { offsetReset: 'latest', signal: controller.signal });
  waiting.subscribe('misused');
  setTimeout(() => controller.abort(), 100);
  await assert.rejects(collect(waiting, 1), { code: 'ABORTED' });
  await waiting.close();
  assert.throws(() => new Consumer(cluster, { groupId: 'x', assignors: ['nothing' as 'range'] }), {
    code: 'INVALID_OPTION',
  });
});
