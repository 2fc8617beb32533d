/** What may be written and what is stored then. */

import { describeProducers } from '../../../src/protocol/apis/describe-producers.ts';
import { initProducerId } from '../../../src/protocol/apis/init-producer-id.ts';
import { produce } from '../../../src/protocol/apis/produce.ts';
import { buildBatch } from '../../../src/records/builder.ts';
import { CODECS, type CodecName } from '../../../src/records/compression/codecs.ts';
import type { Body } from '../../support/wire.ts';
import type { Pair } from '../harness/differential/pair.ts';
import type { Scenarios } from '../harness/differential/scenarios.ts';
import {
  askAll,
  askFetch,
  askProduce,
  batchOf,
  bytesOf,
  changed,
  NEWEST_PRODUCE,
  NOW_MS,
  records,
  UNKNOWN_ID,
} from './requests.ts';

const CODEC_NAMES = Object.keys(CODECS) as CodecName[];
const DAY_MS = 86_400_000;

async function everyVersion(pair: Pair): Promise<void> {
  await pair.createTopics({ name: 'produced', partitions: 2 }, { name: 'produced-twice', partitions: 2 });
  for (let version = 3; version <= NEWEST_PRODUCE; version++) {
    for (const acks of [-1, 1]) {
      await askProduce(pair, `acks ${acks}`, { topic: 'produced', records: batchOf(3), version, acks });
    }
    await askProduce(pair, 'acks 2', { topic: 'produced', records: batchOf(1), version, acks: 2 });
    await askProduce(pair, 'acks -2', { topic: 'produced', records: batchOf(1), version, acks: -2 });
    await askProduce(pair, 'no records', { topic: 'produced', records: Buffer.alloc(0), version });
    await askProduce(pair, 'unknown partition', { topic: 'produced', partition: 9, records: batchOf(1), version });
    await askProduce(pair, 'negative partition', { topic: 'produced', partition: -1, records: batchOf(1), version });
    await askProduce(pair, 'unknown topic', { topic: 'produced-none', records: batchOf(1), version });
    await askProduce(pair, 'a transactional id', {
      topic: 'produced',
      records: batchOf(1),
      version,
      transactionalId: 'tx',
    });
    for (const name of CODEC_NAMES) {
      await askProduce(pair, name, { topic: 'produced', records: batchOf(20, { codec: CODECS[name] }), version });
    }
  }
  await askAll(pair, 'everything', 'produced');
  const data = (index: number) => ({ index, records: batchOf(1) });
  const two = { name: 'produced', partitionData: [data(0), data(1), data(7)] };
  const body: Body = { transactionalId: null, acks: -1, timeoutMs: 1000 };
  await pair.ask('three partitions', produce, 9, { ...body, topicData: [two] });
  await pair.ask('a partition twice', produce, 9, {
    ...body,
    topicData: [{ name: 'produced-twice', partitionData: [data(0), data(0)] }],
  });
  await pair.ask('a topic twice', produce, 9, {
    ...body,
    topicData: [
      { name: 'produced-twice', partitionData: [data(1)] },
      { name: 'produced-twice', partitionData: [data(1)] },
    ],
  });
  await pair.ask('no topic', produce, 9, { ...body, topicData: [] });
  await pair.ask('unknown id', produce, 13, {
    ...body,
    topicData: [{ topicId: UNKNOWN_ID, partitionData: [data(0)] }],
  });
  await pair.ask('no id', produce, 13, { ...body, topicData: [{ partitionData: [data(0)] }] });
  await pair.ask('acks 2 and an unknown topic', produce, 9, {
    ...body,
    acks: 2,
    topicData: [{ name: 'x', partitionData: [data(0)] }],
  });
  await askAll(pair, 'everything again', 'produced');
  await silentProduce(pair);
}

/** acks=0 gets no answer, and an error there costs the connection. */
async function silentProduce(pair: Pair): Promise<void> {
  await pair.createTopics({ name: 'silent' });
  const good = { topic: 'silent', records: batchOf(2), acks: 0 };
  await askProduce(pair, 'acks 0', good, { timeoutMs: 150 });
  await askProduce(pair, 'acks 0, bad records', { ...good, records: Buffer.alloc(100) }, { timeoutMs: 1000 });
  await askProduce(pair, 'acks 0, unknown topic', { ...good, topic: 'silent-none' }, { timeoutMs: 1000 });
  await askAll(pair, 'silent', 'silent');
  await askProduce(pair, 'null records', { topic: 'silent', records: null }, { timeoutMs: 500 });
  await askProduce(pair, 'acks 0, null records', { ...good, records: null }, { timeoutMs: 500 });
}

/** A copy with a change, whose checksum stays. */
function altered(bytes: Buffer, change: (copy: Buffer) => void): Buffer {
  const copy = Buffer.from(bytes);
  change(copy);
  return copy;
}

/** Bytes that frame no batch, or none of ours. */
function wrongFrames(): Readonly<Record<string, Buffer>> {
  const good = batchOf(3);
  return {
    'two batches': Buffer.concat([good, good]),
    'trailing bytes': Buffer.concat([good, Buffer.alloc(5)]),
    'a trailing half': Buffer.concat([good, good.subarray(0, 70)]),
    'cut off': good.subarray(0, good.length - 1),
    'the header only': good.subarray(0, 61),
    'half a header': good.subarray(0, 30),
    'twelve bytes': good.subarray(0, 12),
    'one byte': good.subarray(0, 1),
    zeros: Buffer.alloc(100),
    ones: Buffer.alloc(100, 0xff),
    'a wrong checksum': altered(good, (copy) => copy.writeUInt32BE(1, 17)),
    'a wrong bit in the records': altered(good, (copy) => copy.writeUInt8(copy.readUInt8(70) ^ 1, 70)),
    'magic 3': altered(good, (copy) => copy.writeInt8(3, 16)),
    'magic -1': altered(good, (copy) => copy.writeInt8(-1, 16)),
    'magic 0': oldMessage(0),
    'magic 1': oldMessage(1),
    'magic 0 in a batch of magic 2': altered(good, (copy) => copy.writeInt8(0, 16)),
    'magic 1 in a batch of magic 2': altered(good, (copy) => copy.writeInt8(1, 16)),
    'a length of 0': altered(good, (copy) => copy.writeInt32BE(0, 8)),
    'a negative length': altered(good, (copy) => copy.writeInt32BE(-5, 8)),
    'a length of 13': altered(good, (copy) => copy.writeInt32BE(13, 8)),
    'a length of 48': altered(good, (copy) => copy.writeInt32BE(48, 8)),
    'a length beyond': altered(good, (copy) => copy.writeInt32BE(copy.length, 8)),
    'base offset 7': altered(good, (copy) => copy.writeBigInt64BE(7n, 0)),
    'a negative base offset': altered(good, (copy) => copy.writeBigInt64BE(-7n, 0)),
    'leader epoch 9': altered(good, (copy) => copy.writeInt32BE(9, 12)),
  };
}

/** Whole batches with a right checksum, by what they claim. */
function wrongClaims(): Readonly<Record<string, Buffer>> {
  const good = batchOf(3);
  return {
    'count 0': changed(good, (copy) => copy.writeInt32BE(0, 57)),
    'count -1': changed(good, (copy) => copy.writeInt32BE(-1, 57)),
    'count 2 of 3': changed(good, (copy) => copy.writeInt32BE(2, 57)),
    'count 4 of 3': changed(good, (copy) => copy.writeInt32BE(4, 57)),
    'last delta 5': changed(good, (copy) => copy.writeInt32BE(5, 23)),
    'last delta -1': changed(good, (copy) => copy.writeInt32BE(-1, 23)),
    'count and delta 1 of 3': changed(
      changed(good, (copy) => copy.writeInt32BE(0, 23)),
      (copy) => copy.writeInt32BE(1, 57),
    ),
    'a control batch': changed(good, (copy) => copy.writeInt16BE(0x20, 21)),
    'append time': changed(good, (copy) => copy.writeInt16BE(0x08, 21)),
    'a transactional batch without producer': changed(good, (copy) => copy.writeInt16BE(0x10, 21)),
    'a delete horizon': changed(good, (copy) => copy.writeInt16BE(0x40, 21)),
    'an unused bit': changed(good, (copy) => copy.writeInt16BE(0x80, 21)),
    'all high bits': changed(good, (copy) => copy.writeInt16BE(-256, 21)),
    'codec 5': changed(good, (copy) => copy.writeInt16BE(5, 21)),
    'codec 7': changed(good, (copy) => copy.writeInt16BE(7, 21)),
    'gzip in name only': changed(good, (copy) => copy.writeInt16BE(1, 21)),
    'zstd in name only': changed(good, (copy) => copy.writeInt16BE(4, 21)),
    'producer without sequence': batchOf(1, { producerId: 5, producerEpoch: 0, baseSequence: -1 }),
    'producer without epoch': batchOf(1, { producerId: 5, producerEpoch: -1, baseSequence: 0 }),
    'producer -2': changed(good, (copy) => copy.writeBigInt64BE(-2n, 43)),
    'epoch without producer': changed(good, (copy) => copy.writeInt16BE(3, 51)),
    'sequence without producer': changed(good, (copy) => copy.writeInt32BE(3, 53)),
    'max timestamp below': changed(good, (copy) => copy.writeBigInt64BE(5n, 35)),
    'max timestamp -1': changed(good, (copy) => copy.writeBigInt64BE(-1n, 35)),
    'no timestamps': buildBatch({ records: records(2).map((record) => ({ ...record, timestamp: -1 })) }),
    'timestamp 0': buildBatch({ records: records(2, 0, 0) }),
    'a negative timestamp': buildBatch({ records: records(2, 0, -1000) }),
  };
}

async function badBatches(pair: Pair): Promise<void> {
  const cases = { ...wrongFrames(), ...wrongClaims() };
  // A partition each, so that what only one of them takes moves no offset of the next.
  await pair.createTopics({ name: 'bad', partitions: Object.keys(cases).length });
  for (const [partition, [what, bytes]] of Object.entries(cases).entries()) {
    await askProduce(pair, what, { topic: 'bad', partition, records: bytes });
    await askProduce(pair, what, { topic: 'bad', partition, records: bytes, version: 7 });
    await askFetch(pair, `${what}, read back`, { partitions: [{ topic: 'bad', partition }] });
  }
}

function withChecksum(bytes: Buffer, crc: number): Buffer {
  bytes.writeUInt32BE(crc, 17);
  return bytes;
}

/** A message as brokers took it before record batches: magic 0 or 1, with a wrong checksum that nobody looks at first. */
function oldMessage(magic: number): Buffer {
  const value = Buffer.from('old');
  const size = magic === 0 ? 14 + value.length : 22 + value.length;
  const bytes = Buffer.alloc(12 + size);
  bytes.writeInt32BE(size, 8);
  bytes.writeInt8(magic, 16);
  let at = magic === 0 ? 18 : 26;
  at = bytes.writeInt32BE(-1, at);
  at = bytes.writeInt32BE(value.length, at);
  value.copy(bytes, at);
  return bytes;
}

async function topicLimits(pair: Pair): Promise<void> {
  await pair.createTopics(
    { name: 'limit-none' },
    { name: 'limit-size', configs: { 'max.message.bytes': '500' } },
    { name: 'limit-compact', configs: { 'cleanup.policy': 'compact' } },
    { name: 'limit-both', configs: { 'cleanup.policy': 'compact,delete' } },
    {
      name: 'limit-time',
      configs: { 'message.timestamp.before.max.ms': `${DAY_MS}`, 'message.timestamp.after.max.ms': '60000' },
    },
    { name: 'limit-segment', configs: { 'segment.bytes': '1048576', 'max.message.bytes': '5000000' } },
  );
  const sized = (bytes: number): Buffer =>
    buildBatch({ records: [{ key: null, value: Buffer.alloc(bytes, 'x'), timestamp: NOW_MS }] });
  for (const bytes of [400, 425, 426, 427, 428, 429, 430, 431, 432, 433, 434, 500, 5000]) {
    await askProduce(pair, `${sized(bytes).length} bytes where 500 may be`, {
      topic: 'limit-size',
      records: sized(bytes),
    });
  }
  await askProduce(pair, 'too large', { topic: 'limit-segment', records: sized(1_500_000) });
  await askProduce(pair, 'larger than the default', { topic: 'limit-none', records: sized(1_100_000) });
  await askProduce(pair, 'too large, wrong checksum', {
    topic: 'limit-size',
    records: withChecksum(sized(900), 1),
  });
  await keysOfCompacted(pair);
  await ages(pair);
}

async function keysOfCompacted(pair: Pair): Promise<void> {
  const keyless = [{ key: null, value: bytesOf('v'), timestamp: NOW_MS }];
  for (const topic of ['limit-compact', 'limit-both']) {
    for (const name of CODEC_NAMES) {
      const codec = CODECS[name];
      await askProduce(pair, `no key, ${name}`, {
        topic,
        records: buildBatch({ codec, records: [...records(1), ...keyless, ...records(1), ...keyless] }),
      });
      await askProduce(pair, `keys, ${name}`, {
        topic,
        records: buildBatch({ codec, records: [...records(2), { key: bytesOf('k'), value: null, timestamp: NOW_MS }] }),
      });
      await askProduce(pair, `an empty key, ${name}`, {
        topic,
        records: buildBatch({ codec, records: [{ key: bytesOf(''), value: null, timestamp: NOW_MS }] }),
      });
    }
    await askProduce(pair, 'garbage in gzip', {
      topic,
      records: changed(batchOf(2), (copy) => copy.writeInt16BE(1, 21)),
    });
    await askAll(pair, topic, topic);
  }
}

async function ages(pair: Pair): Promise<void> {
  const times: Record<string, readonly number[]> = {
    now: [NOW_MS],
    'too old': [NOW_MS - 2 * DAY_MS],
    'too new': [NOW_MS + 120_000],
    'one too old': [NOW_MS, NOW_MS - 2 * DAY_MS, NOW_MS],
    'one too new': [NOW_MS, NOW_MS, NOW_MS + 120_000],
    'old and new': [NOW_MS - 2 * DAY_MS, NOW_MS + 120_000],
    none: [-1],
    'none and some': [-1, NOW_MS],
    zero: [0],
    'just in': [NOW_MS - DAY_MS + 30_000, NOW_MS + 30_000],
  };
  for (const [what, timestamps] of Object.entries(times)) {
    const batch = timestamps.map((timestamp) => ({ key: null, value: bytesOf('v'), timestamp }));
    for (const name of ['none', 'gzip'] as const) {
      await askProduce(pair, `${what}, ${name}`, {
        topic: 'limit-time',
        records: buildBatch({ codec: CODECS[name], records: batch }),
      });
      await askProduce(pair, `${what}, ${name}, default limits`, {
        topic: 'limit-none',
        records: buildBatch({ codec: CODECS[name], records: batch }),
      });
    }
  }
  const far = buildBatch({ records: [{ key: null, value: null, timestamp: NOW_MS + 2 * DAY_MS }] });
  await askProduce(pair, 'two days ahead, default limits', { topic: 'limit-none', records: far });
  await askAll(pair, 'times', 'limit-time');
}

async function sequences(pair: Pair): Promise<void> {
  await pair.createTopics({ name: 'sequenced' }, { name: 'sequenced-wrap' });
  const ask = (
    what: string,
    producerId: number,
    producerEpoch: number,
    baseSequence: number,
    count = 2,
    topic = 'sequenced',
  ) => askProduce(pair, what, { topic, records: batchOf(count, { producerId, producerEpoch, baseSequence }) });
  await ask('first', 1000, 0, 0);
  await ask('second', 1000, 0, 2);
  await ask('duplicate of the second', 1000, 0, 2);
  await ask('duplicate of the first', 1000, 0, 0);
  await ask('part of the first', 1000, 0, 0, 1);
  await ask('gap', 1000, 0, 9);
  await ask('old but unknown', 1000, 0, 1);
  for (const sequence of [4, 6, 8, 10]) await ask('more', 1000, 0, sequence);
  await ask('duplicate of five ago', 1000, 0, 2);
  await ask('duplicate of six ago', 1000, 0, 0);
  await ask('new epoch not from 0', 1000, 1, 12);
  await ask('new epoch', 1000, 1, 0);
  await ask('old epoch', 1000, 0, 12);
  await ask('duplicate of the old epoch', 1000, 0, 10);
  await ask('an epoch skipped', 1000, 5, 0);
  await ask('unknown producer from 7', 1001, 0, 7);
  await ask('it goes on', 1001, 0, 9);
  await ask('unknown producer, epoch 3', 1002, 3, 0);
  await ask('near the end', 1003, 0, 2 ** 31 - 3, 2, 'sequenced-wrap');
  await ask('over the end', 1003, 0, 2 ** 31 - 1, 3, 'sequenced-wrap');
  await ask('duplicate over the end', 1003, 0, 2 ** 31 - 1, 3, 'sequenced-wrap');
  await ask('after the end', 1003, 0, 2, 2, 'sequenced-wrap');
  await ask('again from 0', 1003, 0, 0, 2, 'sequenced-wrap');
  await askProduce(pair, 'a transactional batch', {
    topic: 'sequenced',
    records: batchOf(1, { producerId: 1004, producerEpoch: 0, baseSequence: 0, transactional: true }),
  });
  await askProduce(pair, 'a transactional batch in a transaction', {
    topic: 'sequenced',
    transactionalId: 'tx',
    records: batchOf(1, { producerId: 1004, producerEpoch: 0, baseSequence: 0, transactional: true }),
  });
  await askProduce(pair, 'a plain batch with a producer in a transaction', {
    topic: 'sequenced',
    transactionalId: 'tx',
    records: batchOf(1, { producerId: 1005, producerEpoch: 0, baseSequence: 0 }),
  });
  await askAll(pair, 'sequenced', 'sequenced');
  await askAll(pair, 'wrapped', 'sequenced-wrap');
  const describe = (what: string, name: string, partitionIndexes: readonly number[]) =>
    pair.ask(what, describeProducers, 0, { topics: [{ name, partitionIndexes }] });
  await describe('producers', 'sequenced', [0]);
  await describe('producers', 'sequenced-wrap', [0]);
  await describe('unknown partition', 'sequenced', [0, 5, -1]);
  await describe('unknown topic', 'sequenced-none', [0]);
  await describe('invalid topic', 'a b', [0]);
  await describe('no partition', 'sequenced', []);
}

async function producerIds(pair: Pair): Promise<void> {
  const pick = ({ producerId, ...rest }: Body): unknown => ({
    ...rest,
    id: Number(producerId) >= 0 ? '<an id>' : producerId,
  });
  const body: Body = { transactionalId: null, transactionTimeoutMs: 60_000 };
  await pair.settle(initProducerId, 4, body, ({ errorCode }) => errorCode === 0);
  await pair.askAll('plain', initProducerId, body, { pick });
  await pair.askAll('timeout 0', initProducerId, { ...body, transactionTimeoutMs: 0 }, { pick });
  await pair.askAll('a negative timeout', initProducerId, { ...body, transactionTimeoutMs: -1 }, { pick });
  await pair.askAll('empty transactional id', initProducerId, { ...body, transactionalId: '' }, { pick });
  await pair.askAll('transactional', initProducerId, { ...body, transactionalId: 'tx' }, { pick });
  for (const [producerId, producerEpoch] of [
    [5, -1],
    [-1, 5],
    [5, 3],
    [5, 32767],
    [-2, -2],
    [-2, 0],
    [0, 0],
    [-1, -2],
  ]) {
    const more = { producerId, producerEpoch };
    await pair.askAll(
      `id ${producerId} and epoch ${producerEpoch}`,
      initProducerId,
      { ...body, ...more },
      { pick, from: 3 },
    );
    await pair.ask(
      `id ${producerId} and epoch ${producerEpoch}, transactional`,
      initProducerId,
      5,
      { ...body, transactionalId: 'tx', ...more },
      { pick },
    );
  }
}

async function appendTime(pair: Pair): Promise<void> {
  const configs = { 'message.timestamp.type': 'LogAppendTime' };
  await pair.createTopics(
    { name: 'stamped', configs },
    { name: 'stamped-compact', configs: { ...configs, 'cleanup.policy': 'compact' } },
  );
  for (const topic of ['stamped', 'stamped-compact']) {
    for (const name of CODEC_NAMES)
      await askProduce(pair, name, { topic, records: batchOf(3, { codec: CODECS[name] }) });
    await askProduce(pair, 'an old version', { topic, records: batchOf(1), version: 3 });
    await askProduce(pair, 'old records', { topic, records: buildBatch({ records: records(2, 0, 1000) }) });
    await askProduce(pair, 'records of the future', {
      topic,
      records: buildBatch({ records: records(2, 0, NOW_MS + 9 * DAY_MS) }),
    });
    await askProduce(pair, 'records without time', {
      topic,
      records: buildBatch({ records: records(1).map((record) => ({ ...record, timestamp: -1 })) }),
    });
    await askProduce(pair, 'append time set', {
      topic,
      records: changed(batchOf(1), (copy) => copy.writeInt16BE(0x08, 21)),
    });
    await askProduce(pair, 'idempotent', {
      topic,
      records: batchOf(1, { producerId: 70, producerEpoch: 0, baseSequence: 0 }),
    });
    await askProduce(pair, 'duplicate', {
      topic,
      records: batchOf(1, { producerId: 70, producerEpoch: 0, baseSequence: 0 }),
    });
    await askAll(pair, topic, topic, { batches: 'contents' });
  }
}

async function topicCodecs(pair: Pair): Promise<void> {
  const types = ['uncompressed', 'gzip', 'snappy', 'lz4', 'zstd'];
  await pair.createTopics(
    ...types.map((type) => ({ name: `codec-${type}`, configs: { 'compression.type': type } })),
    { name: 'codec-stamped', configs: { 'compression.type': 'gzip', 'message.timestamp.type': 'LogAppendTime' } },
    { name: 'codec-small', configs: { 'compression.type': 'uncompressed', 'max.message.bytes': '1000' } },
    { name: 'codec-compact', configs: { 'compression.type': 'lz4', 'cleanup.policy': 'compact' } },
  );
  for (const topic of [...types.map((type) => `codec-${type}`), 'codec-stamped', 'codec-compact']) {
    for (const name of CODEC_NAMES) {
      const codec = CODECS[name];
      await askProduce(pair, name, { topic, records: batchOf(10, { codec }) });
      const headers = [
        { key: 'h', value: bytesOf('1') },
        { key: '', value: null },
      ];
      const record = { key: bytesOf('k'), value: null, timestamp: NOW_MS, headers };
      await askProduce(pair, `${name}, headers`, { topic, records: buildBatch({ codec, records: [record] }) });
      await askProduce(pair, `${name}, idempotent`, {
        topic,
        records: batchOf(2, { codec, producerId: 80 + codec, producerEpoch: 0, baseSequence: 0 }),
      });
      await askProduce(pair, `${name}, falling times`, {
        topic,
        records: buildBatch({
          codec,
          records: [5, 3, 4].map((back) => ({ key: bytesOf('k'), value: null, timestamp: NOW_MS - back })),
        }),
      });
    }
    if (topic !== 'codec-gzip' && topic !== 'codec-stamped') {
      const garbage = changed(batchOf(2), (copy) => copy.writeInt16BE(1, 21));
      await askProduce(pair, 'garbage in gzip', { topic, records: garbage });
    }
    await askProduce(pair, 'zstd by an old version', {
      topic,
      records: batchOf(2, { codec: CODECS.zstd }),
      version: 6,
    });
    await askAll(pair, topic, topic, { batches: 'contents' });
  }
  for (const [count, topic] of [
    [2, 'codec-fewer'],
    [4, 'codec-more'],
  ] as const) {
    const wrong = changed(batchOf(3), (copy) => {
      copy.writeInt32BE(count, 57);
      copy.writeInt32BE(count - 1, 23);
    });
    await pair.createTopics({ name: topic, configs: { 'compression.type': 'lz4' } });
    await askProduce(pair, `${count} declared of 3 records`, { topic, records: wrong });
  }
  const large = buildBatch({
    codec: CODECS.gzip,
    records: [{ key: null, value: Buffer.alloc(5000, 'x'), timestamp: NOW_MS }],
  });
  await askProduce(pair, 'small until unpacked', { topic: 'codec-small', records: large });
  await askAll(pair, 'small until unpacked', 'codec-small', { batches: 'contents' });
}

export const produceScenarios: Scenarios = {
  'Produce in every version': everyVersion,
  'Produce of batches with something wrong': badBatches,
  'Produce against the limits of topics': topicLimits,
  'Produce with sequence numbers, DescribeProducers': sequences,
  InitProducerId: producerIds,
  'Produce to topics that stamp': appendTime,
  'Produce to topics with a codec of their own': topicCodecs,
};
