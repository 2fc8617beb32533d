/**
 * Whatever arrives on a connection, the process lives, memory stays bounded, other connections are served, and the log
 * says once what was wrong.
 */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type Random, seededRandom } from '../../src/base/random.ts';
import { apiVersions } from '../../src/protocol/apis/api-versions.ts';
import { metadata } from '../../src/protocol/apis/metadata.ts';
import { produce } from '../../src/protocol/apis/produce.ts';
import type { Api } from '../../src/protocol/schema.ts';
import { buildBatch } from '../../src/records/builder.ts';
import { declaredSchemas } from '../support/declared-schemas.ts';
import { randomValue } from '../support/schema-values.ts';
import { answers, makeTopic, startTestBroker, type TestBroker } from '../support/test-broker.ts';
import { type FrameAnswer, Wire } from '../support/wire.ts';

const CONFIG = {
  'socket.request.max.bytes': '1000000',
  'sluice.partitions.per.request.max': '20',
  'sluice.partitions.per.broker.max': '300',
  'auto.create.topics.enable': 'false',
};
/** A bad frame is answered by an error or a close; who waits longer is not served. */
const PATIENCE_MS = 3000;
const MUTATIONS_A_VERSION = 25;
/** Most that thousands of bad requests may leave behind in this process, garbage not yet collected included. */
const MOST_GROWTH_BYTES = 250 * 2 ** 20;

let broker: TestBroker;
let bystander: Wire;

before(async () => {
  broker = await startTestBroker({ config: CONFIG });
  bystander = broker.wire();
  await makeTopic(bystander, 'safe', { partitions: 2 });
});

after(async () => {
  bystander.close();
  await broker.close();
});

/** Sends bytes on a connection of its own and tells what came of it, and the warnings that it caused. */
async function send(bytes: Uint8Array): Promise<{ answer: FrameAnswer; warnings: readonly string[] }> {
  const before = broker.lines.length;
  const wire = broker.wire();
  await wire.write(bytes);
  const answer = await wire.read(PATIENCE_MS);
  wire.close();
  const warnings = broker.lines.slice(before).filter(({ level }) => level === 'warn' || level === 'error');
  return { answer, warnings: warnings.map(({ message, fields }) => `${message} ${JSON.stringify(fields)}`) };
}

function int32(...values: readonly number[]): Buffer {
  const bytes = Buffer.alloc(4 * values.length);
  values.forEach((value, index) => {
    bytes.writeInt32BE(value, 4 * index);
  });
  return bytes;
}

const framed = (body: Uint8Array): Buffer => Buffer.concat([int32(body.length), body]);

const CLOSED: Readonly<Record<string, () => Buffer>> = {
  'a negative length': () => int32(-1, 0, 0),
  'the most negative length': () => int32(-(2 ** 31), 0),
  'a length of zero': () => int32(0, 0),
  'a length too short for a header': () => framed(Buffer.alloc(3)),
  'a length above the limit': () => int32(1_000_001),
  'the largest length': () => int32(2 ** 31 - 1, 1, 2, 3),
  'a TLS hello': () => Buffer.from('16030100f1010000ed0303', 'hex'),
  'an HTTP request': () => Buffer.from('GET / HTTP/1.1\r\nHost: broker\r\n\r\n'),
  'an unknown API key': () => framed(Buffer.concat([Buffer.from('7fff0000', 'hex'), int32(1), Buffer.alloc(2)])),
  'a negative API key': () => framed(Buffer.concat([Buffer.from('ffff0000', 'hex'), int32(1), Buffer.alloc(2)])),
  'an API that Kafka serves and we do not': () =>
    framed(Buffer.concat([Buffer.from('000b0000', 'hex'), int32(1), Buffer.alloc(2)])),
  'a version above': () => withVersion(metadata, 99),
  'a negative version': () => withVersion(metadata, -1),
  'a version that was removed': () => withVersion(produce, 2),
  'a header that ends early': () => framed(Buffer.from('0003000c000000', 'hex')),
  'a client id beyond the frame': () => framed(Buffer.from('0003000100000001ffee7fff', 'hex').subarray(0, 10)),
  'a body that ends early': () => truncated(new Wire(0).frame(metadata, 12, { topics: [{ name: 'safe' }] }), 4),
  'more elements than bytes': () =>
    framed(Buffer.concat([Buffer.from('0003000100000001ffff', 'hex'), int32(2 ** 31 - 1)])),
  'a negative count': () => framed(Buffer.concat([Buffer.from('0003000000000001ffff', 'hex'), int32(-5)])),
};

function withVersion(api: Api, version: number): Buffer {
  const frame = new Wire(0).frame(api, api.request.versions.to, {});
  frame.writeInt16BE(version, 6);
  return frame;
}

/** The frame without its last bytes, its length in keeping. */
function truncated(frame: Buffer, bytes: number): Buffer {
  return framed(frame.subarray(4, frame.length - bytes));
}

for (const [what, bytes] of Object.entries(CLOSED)) {
  test(`${what} closes the connection with one line in the log`, async () => {
    const { answer, warnings } = await send(bytes());
    assert.equal(answer.kind, 'closed');
    assert.equal(warnings.length, 1, warnings.join('\n'));
    assert.doesNotMatch(warnings[0]!, /a request failed/, 'input is no bug');
    assert.ok(await answers(bystander), 'others are served');
  });
}

test('an ApiVersions request that cannot be read is closed, one of an unknown version answered', async () => {
  const unknown = await send(withVersion(apiVersions, 77));
  assert.equal(unknown.answer.kind, 'frame');
  const garbage = await send(framed(Buffer.from('00120003000000010000ff', 'hex')));
  assert.equal(garbage.answer.kind, 'closed');
});

test('bytes after a whole request are taken for the next one', async () => {
  const wire = broker.wire();
  const frame = wire.frame(metadata, 12, { topics: [] });
  await wire.write(Buffer.concat([frame, frame, int32(-7)]));
  assert.equal((await wire.read()).kind, 'frame');
  assert.equal((await wire.read()).kind, 'frame');
  assert.equal((await wire.read()).kind, 'closed');
});

test('half a frame and a vanished client leave nothing behind', async () => {
  const frame = new Wire(0).frame(metadata, 12, { topics: [{ name: 'safe' }] });
  for (let round = 0; round < 50; round++) {
    const wire = broker.wire();
    await wire.write(frame.subarray(0, 1 + (round % (frame.length - 1))));
    wire.close();
  }
  assert.ok(await answers(bystander));
});

test('bytes that trickle in make a request all the same, while others are served', async () => {
  const wire = broker.wire();
  for (const byte of wire.frame(metadata, 12, { topics: [] })) {
    await wire.write(Buffer.of(byte));
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  assert.ok(await answers(bystander));
  assert.equal((await wire.read()).kind, 'frame');
  wire.close();
});

test('many frames that promise much and bring little hold little memory', async () => {
  const wires = Array.from({ length: 200 }, () => broker.wire());
  const before = process.memoryUsage().rss;
  await Promise.all(wires.map((wire) => wire.write(Buffer.concat([int32(999_000), Buffer.alloc(1000)]))));
  assert.ok(await answers(bystander));
  assert.ok(process.memoryUsage().rss - before < 60 * 2 ** 20, 'promised bytes were allocated');
  for (const wire of wires) wire.close();
});

test('mutated requests of every API and version hurt nobody', async () => {
  const seed = Number(process.env['SLUICE_SEED'] ?? Math.floor(Math.random() * 2 ** 31));
  console.log(`seed ${seed}`);
  const random = seededRandom(seed);
  const { apis } = await declaredSchemas();
  const before = process.memoryUsage().rss;
  const linesBefore = broker.lines.length;
  for (const api of apis) {
    for (let version = api.request.versions.from; version <= api.request.versions.to; version++) {
      const frames = Array.from({ length: MUTATIONS_A_VERSION }, () =>
        mutated(validFrame(api, version, random), random),
      );
      await Promise.all(frames.map((frame) => fireAndForget(frame)));
    }
    assert.ok(await answers(bystander), `after ${api.name}, seed ${seed}`);
  }
  const bugs = broker.lines
    .slice(linesBefore)
    .filter(({ fields }) => String(fields['reason']).startsWith('a request failed'));
  assert.deepEqual(bugs.slice(0, 3), [], `seed ${seed}`);
  const growth = process.memoryUsage().rss - before;
  assert.ok(growth < MOST_GROWTH_BYTES, `grew by ${Math.round(growth / 2 ** 20)} MiB, seed ${seed}`);
});

/** Requests with random values, and for record payloads batches that are right. */
function validFrame(api: Api, version: number, random: Random): Buffer {
  if (api.name === 'Produce' && random.below(2) === 0) {
    const records = [{ key: random.bytes(3), value: random.bytes(20), timestamp: Date.now() }];
    const batch = buildBatch({ codec: random.below(5), producerId: 5, producerEpoch: 0, baseSequence: 0, records });
    const partitionData = [{ index: random.below(2), records: batch }];
    return new Wire(0).frame(api, version, { acks: -1, timeoutMs: 5, topicData: [{ name: 'safe', partitionData }] });
  }
  return new Wire(0).frame(api, version, randomValue(api.request, version, random));
}

/** Changes, drops, doubles or adds bytes behind the API key and version, which stay: what is behind them is meant. */
function mutated(frame: Buffer, random: Random): Buffer {
  let body = Buffer.from(frame.subarray(4));
  for (let change = random.below(4); change >= 0; change--) {
    const at = 4 + random.below(Math.max(1, body.length - 4));
    switch (random.below(6)) {
      case 0:
        body[at] = random.below(256);
        break;
      case 1:
        body[at] = (body[at] ?? 0) ^ (1 << random.below(8));
        break;
      case 2:
        body = Buffer.concat([body.subarray(0, at), body.subarray(Math.min(body.length, at + 1 + random.below(4)))]);
        break;
      case 3:
        body = Buffer.concat([body.subarray(0, at), random.bytes(1 + random.below(6)), body.subarray(at)]);
        break;
      case 4:
        if (at + 4 <= body.length) body.writeInt32BE([-1, 0, 2 ** 31 - 1, -(2 ** 31)][random.below(4)]!, at);
        break;
      default:
        body = body.subarray(0, Math.max(4, body.length - random.below(8)));
    }
  }
  return framed(body);
}

/** Sends on a connection of its own, gives the broker a moment, and goes away. */
async function fireAndForget(frame: Buffer): Promise<void> {
  const wire = broker.wire();
  await wire.write(frame);
  await wire.read(40);
  wire.close();
}
