import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import type { Clock } from '../base/clock.ts';
import { systemClock } from '../base/clock.ts';
import { disk } from '../base/disk.ts';
import { libc } from '../base/libc.ts';
import { silentLogger } from '../base/logger.ts';
import { makeTemporaryDirectory } from '../base/temporary-directory.ts';
import type { Connection, RequestHandler } from './connection.ts';
import { ConnectionCaps } from './connection-caps.ts';
import type { ConnectionLimits } from './connection-limits.ts';
import { type ListenDependencies, type Listener, type ListenOptions, listen } from './listener.ts';
import {
  aWhile,
  eventually,
  framed,
  ManualClock,
  patternBytes,
  RawClient,
  RegionCounter,
  recordingLogger,
} from './loopback.test.support.ts';
import { MemoryBudget } from './memory-budget.ts';
import { sessionKey } from './session-slots.ts';
import { SHARED_READ_BYTES } from './transport.ts';

const open: Listener[] = [];
after(async () => {
  for (const listener of open) await listener.close({ graceMs: 0 });
});

async function start(
  handler: RequestHandler,
  extra: { clock?: Clock; limits?: Partial<ConnectionLimits> } & Partial<ListenDependencies> &
    Pick<ListenOptions, 'authenticated'> = {},
): Promise<{ listener: Listener; logger: ReturnType<typeof recordingLogger> }> {
  const logger = recordingLogger();
  const listener = await listen(
    { host: '127.0.0.1', port: 0, handler, limits: extra.limits, authenticated: extra.authenticated },
    { ...extra, clock: extra.clock ?? systemClock, logger },
  );
  open.push(listener);
  return { listener, logger };
}

const echo: RequestHandler = (frame) => [framed(frame)];
/** Requests are numbered and padded to the shortest length that a frame may have. */
const request = (number: number): Buffer => framed(String(number).padStart(8, '0'));
const numbers = (client: RawClient): number[] => client.frames().map((frame) => Number(frame.toString()));
const upTo = (count: number): number[] => Array.from({ length: count }, (_, index) => index);

test('pipelined requests are handed over in order and answered in order though later ones finish first', async () => {
  const started: number[] = [];
  const { listener } = await start(async (frame) => {
    const number = Number(frame.toString());
    started.push(number);
    await aWhile((50 - number) % 7);
    return [framed(frame)];
  });
  const client = new RawClient(listener.port);
  client.socket.write(Buffer.concat(upTo(50).map(request)));
  await eventually('all replies are here', () => client.frames().length === 50);
  assert.deepEqual(started, upTo(50));
  assert.deepEqual(numbers(client), upTo(50));
  client.socket.destroy();
});

test('more requests than may be in flight wait, and none is lost', async () => {
  let running = 0;
  let most = 0;
  const { listener } = await start(
    async (frame) => {
      most = Math.max(most, ++running);
      await aWhile(1);
      running--;
      return [framed(frame)];
    },
    { limits: { maxRequestsInFlight: 4 } },
  );
  const client = new RawClient(listener.port);
  client.socket.write(Buffer.concat(upTo(100).map(request)));
  await eventually('all replies are here', () => client.frames().length === 100);
  assert.equal(most, 4);
  assert.deepEqual(numbers(client), upTo(100));
  client.socket.destroy();
});

test('synchronous handlers serve more pipelined requests than may be in flight at once', async () => {
  const { listener } = await start(echo, { limits: { maxRequestsInFlight: 3 } });
  const client = new RawClient(listener.port);
  client.socket.write(Buffer.concat(upTo(1000).map(request)));
  await eventually('all replies are here', () => client.frames().length === 1000);
  assert.deepEqual(numbers(client), upTo(1000));
  client.socket.destroy();
});

test('a request that wants no reply leaves no gap and blocks nobody', async () => {
  const { listener } = await start((frame) => (Number(frame.toString()) % 2 === 0 ? 'none' : [framed(frame)]));
  const client = new RawClient(listener.port);
  client.socket.write(Buffer.concat(upTo(10).map(request)));
  await eventually('the odd replies are here', () => client.frames().length === 5);
  assert.deepEqual(numbers(client), [1, 3, 5, 7, 9]);
  client.socket.destroy();
});

test('a close reply lets earlier replies leave, ends the connection and drops later ones', async () => {
  const { listener } = await start(async (frame) => {
    const number = Number(frame.toString());
    await aWhile(10 - number);
    return number === 3 ? 'close' : [framed(frame)];
  });
  const client = new RawClient(listener.port);
  client.socket.write(Buffer.concat(upTo(6).map(request)));
  await eventually('the connection is closed', () => client.closed);
  assert.deepEqual(numbers(client), [0, 1, 2]);
  assert.equal(client.error, undefined, 'by agreement and not by a reset');
  await eventually('the listener forgot it', () => listener.connections() === 0);
});

test('a peer that half-closes still gets the reply to everything it sent', async () => {
  const { listener } = await start(
    async (frame) => {
      await aWhile(2);
      return [framed(frame)];
    },
    { limits: { maxRequestsInFlight: 2 } },
  );
  const client = new RawClient(listener.port);
  client.socket.end(Buffer.concat(upTo(20).map(request)));
  await eventually('the connection is closed', () => client.closed);
  assert.deepEqual(numbers(client), upTo(20));
  await eventually('the listener forgot it', () => listener.connections() === 0);
});

for (const [what, bytes, reason] of [
  ['a frame over the limit', prefixed(10_001), /frame of 10001 bytes is over the limit of 10000/],
  ['a negative length', prefixed(-5), /frame length -5 is impossible/],
  ['a length too short for a header', prefixed(7), /frame length 7 is impossible/],
  ['an HTTP request', Buffer.from('GET / HTTP/1.1\r\nHost: x\r\n\r\n'), /over the limit/],
  ['a TLS hello', Buffer.from('16030100c8010000c40303', 'hex'), /over the limit/],
] as const) {
  test(`${what} closes the connection with one line that names the peer and the reason`, async () => {
    const { listener, logger } = await start(echo, { limits: { maxFrameBytes: 10_000 } });
    const client = new RawClient(listener.port);
    client.socket.write(Buffer.concat([request(1), bytes]));
    await eventually('the connection is closed', () => client.closed);
    await eventually('the listener forgot it', () => listener.connections() === 0);
    assert.equal(logger.warnings().length, 1);
    assert.match(String(logger.warnings()[0]!.fields['reason']), reason);
    assert.match(String(logger.warnings()[0]!.fields['peer']), /^127\.0\.0\.1:\d+$/);
    const next = new RawClient(listener.port);
    next.socket.write(request(7));
    await eventually('others are served', () => next.frames().length === 1);
    next.socket.destroy();
  });
}

function prefixed(size: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(size);
  return bytes;
}

test('before authentication frames are small and requests come one at a time; after it neither holds', async () => {
  let running = 0;
  let most = 0;
  const { listener, logger } = await start(
    async (frame, connection) => {
      most = Math.max(most, ++running);
      await aWhile(2);
      running--;
      if (frame.toString().endsWith('login')) connection.authenticated = true;
      return [framed(frame.subarray(0, 8))];
    },
    { authenticated: false },
  );
  const client = new RawClient(listener.port);
  client.socket.write(Buffer.concat([request(0), request(1), request(2)]));
  await eventually('three replies', () => client.frames().length === 3);
  assert.equal(most, 1);
  client.socket.write(framed('   login'));
  client.socket.write(framed(Buffer.alloc(100_000)));
  client.socket.write(Buffer.concat(upTo(5).map(request)));
  await eventually('all replies', () => client.frames().length === 10);
  assert.ok(most > 1);
  client.socket.destroy();

  const stranger = new RawClient(listener.port);
  stranger.socket.write(prefixed(65_537));
  await eventually('the stranger is out', () => stranger.closed);
  assert.match(String(logger.warnings()[0]!.fields['reason']), /over the limit of 65536/);
});

test('a peer that does not authenticate in time is closed', async () => {
  const clock = new ManualClock();
  const { listener, logger } = await start(echo, { clock, authenticated: false });
  const client = new RawClient(listener.port);
  await eventually('it is connected', () => listener.connections() === 1);
  clock.advance(9_000);
  assert.equal(listener.connections(), 1);
  clock.advance(1_500);
  await eventually('it is closed', () => client.closed);
  assert.match(String(logger.warnings()[0]!.fields['reason']), /not authenticated within 10000 ms/);
});

test('a frame that trickles in is cut off, while one that makes progress in time is not', async () => {
  const clock = new ManualClock();
  const { listener, logger } = await start(echo, { clock, limits: { partialFrameMs: 5_000 } });
  const slow = new RawClient(listener.port);
  const honest = new RawClient(listener.port);
  await eventually('both are connected', () => listener.connections() === 2);
  slow.socket.write(prefixed(1000));
  for (let second = 0; second < 4; second++) {
    slow.socket.write('x');
    honest.socket.write(framed('12345678').subarray(0, 6));
    await aWhile(15);
    clock.advance(1_000);
    honest.socket.write(framed('12345678').subarray(6));
    await aWhile(15);
  }
  assert.equal(listener.connections(), 2);
  clock.advance(3_000);
  await eventually('the slow one is closed', () => slow.closed);
  assert.equal(honest.frames().length, 4);
  assert.match(String(logger.warnings()[0]!.fields['reason']), /not completed within 5000 ms/);
  honest.socket.destroy();
});

test('a large upload at an ordinary pace outlives the limit for stalled frames', async () => {
  const clock = new ManualClock();
  const { listener, logger } = await start((frame) => [framed(String(frame.length).padStart(8, '0'))], {
    clock,
    limits: { partialFrameMs: 1_000 },
  });
  const client = new RawClient(listener.port);
  const frame = framed(Buffer.alloc(4_000_000));
  for (let at = 0; at < frame.length; at += 500_000) {
    client.socket.write(frame.subarray(at, at + 500_000));
    await aWhile(20);
    clock.advance(2_000);
  }
  await eventually('it is answered', () => client.frames().length === 1);
  assert.deepEqual(logger.warnings(), []);
  client.socket.destroy();
});

test('an idle connection is ended, one with a request at work is not', async () => {
  const clock = new ManualClock();
  let finish: (() => void) | undefined;
  const { listener } = await start((frame) => new Promise((resolve) => (finish = () => resolve([framed(frame)]))), {
    clock,
    limits: { idleMs: 60_000 },
  });
  const idle = new RawClient(listener.port);
  const waiting = new RawClient(listener.port);
  waiting.socket.write(request(1));
  await eventually('both are there', () => listener.connections() === 2 && finish !== undefined);
  clock.advance(50_000);
  assert.equal(listener.connections(), 2);
  clock.advance(15_000);
  await eventually('the idle one is closed', () => idle.closed);
  clock.advance(100_000);
  finish!();
  await eventually('the other has its reply', () => waiting.frames().length === 1);
  waiting.socket.destroy();
});

test('a slow reader keeps a bounded number of reply bytes in memory and loses none', async () => {
  const reply = framed(patternBytes(100_000));
  let served = 0;
  const { listener } = await start(() => {
    served++;
    return [reply];
  });
  const client = new RawClient(listener.port);
  client.socket.pause();
  client.socket.write(Buffer.concat(upTo(500).map(request)));
  await aWhile(200);
  // What the kernel's two socket buffers took, plus our limit and one reply.
  assert.ok(served * reply.length < 16_000_000, `${served} requests were served`);
  client.socket.resume();
  await eventually('all replies are here', () => client.received === 500 * reply.length);
  assert.equal(served, 500);
  client.socket.destroy();
});

test('replies with file regions leave in order among others, and each region is released once', async () => {
  const directory = makeTemporaryDirectory('sluice-listener');
  const file = disk.open(join(directory, 'segment'));
  const content = patternBytes(3_000_000);
  file.writeSync([content], 0);
  const regions = new RegionCounter();
  for (const calls of libc === undefined ? [null] : [libc, null]) {
    const { listener } = await start(
      async (frame) => {
        const number = Number(frame.toString());
        await aWhile(number % 3);
        if (number % 2 === 0) return [framed(frame)];
        const length = 1 + number * 20_000;
        return [prefixed(length), regions.region(file, number, length)];
      },
      { libc: calls },
    );
    const client = new RawClient(listener.port);
    client.socket.write(Buffer.concat(upTo(40).map(request)));
    await eventually('all replies are here', () => client.frames().length === 40);
    for (const [number, frame] of client.frames().entries()) {
      const expected =
        number % 2 === 0 ? request(number).subarray(4) : content.subarray(number, number + 1 + number * 20_000);
      assert.ok(frame.equals(expected), `reply ${number}`);
    }
    client.socket.destroy();
    await eventually('the connection is gone', () => listener.connections() === 0);
  }
  assert.deepEqual([regions.released, regions.releasedTwice], [regions.handedOut, 0]);
  file.close();
  rmSync(directory, { recursive: true, force: true });
});

test('regions of replies that finish after the peer went are released', async () => {
  const directory = makeTemporaryDirectory('sluice-listener');
  const file = disk.open(join(directory, 'segment'));
  file.writeSync([patternBytes(30_000_000)], 0);
  const regions = new RegionCounter();
  const finish: (() => void)[] = [];
  const { listener } = await start(
    () =>
      new Promise((resolve) => finish.push(() => resolve([prefixed(20_000_000), regions.region(file, 0, 20_000_000)]))),
  );
  const client = new RawClient(listener.port);
  client.socket.write(Buffer.concat(upTo(5).map(request)));
  await eventually('all five are served', () => finish.length === 5);
  finish[0]!();
  finish[2]!();
  await eventually('some bytes came', () => client.received > 1_000_000);
  client.socket.resetAndDestroy();
  await eventually('the connection is gone', () => listener.connections() === 0);
  for (const index of [1, 3, 4]) finish[index]!();
  await eventually('all are released', () => regions.released === 5);
  await aWhile(20);
  assert.equal(regions.releasedTwice, 0);
  file.close();
  rmSync(directory, { recursive: true, force: true });
});

test('a handler that throws or rejects closes its connection with one line and no other', async () => {
  const { listener, logger } = await start((frame) => {
    const number = Number(frame.toString());
    if (number === 1) throw new Error('thrown');
    if (number === 2) return Promise.reject(new Error('rejected'));
    return [framed(frame)];
  });
  const bystander = new RawClient(listener.port);
  for (const [number, reason] of [
    [1, /thrown/],
    [2, /rejected/],
  ] as const) {
    const client = new RawClient(listener.port);
    client.socket.write(request(number));
    await eventually('it is closed', () => client.closed);
    assert.match(String(logger.warnings().at(-1)!.fields['reason']), reason);
  }
  assert.equal(logger.warnings().length, 2);
  bystander.socket.write(request(5));
  await eventually('the bystander is served', () => bystander.frames().length === 1);
  bystander.socket.destroy();
});

test('connections over the cap are closed at once, logged once, and room is given back', async () => {
  const caps = new ConnectionCaps({ maxConnections: 10, maxPerAddress: 3, overrides: new Map([['127.0.0.2', 1]]) });
  const { listener, logger } = await start(echo, { caps });
  const clients = upTo(8).map(() => new RawClient(listener.port, '127.0.0.1'));
  const other = [new RawClient(listener.port, '127.0.0.2'), new RawClient(listener.port, '127.0.0.2')];
  await eventually('six are turned away', () => [...clients, ...other].filter((client) => client.closed).length === 6);
  assert.equal(listener.connections(), 4);
  assert.equal(logger.warnings().length, 1, 'the lines are rate-limited');
  for (const client of clients) client.socket.destroy();
  await eventually('they are gone', () => caps.total === 1);
  const again = new RawClient(listener.port);
  again.socket.write(request(1));
  await eventually('there is room again', () => again.frames().length === 1);
  again.socket.destroy();
  for (const client of other) client.socket.destroy();
});

test('requests over the memory budget wait; frames of many peers finish although together they exceed it', async () => {
  const budget = new MemoryBudget(2_000_000);
  let most = 0;
  const { listener } = await start(
    async (frame) => {
      most = Math.max(most, budget.usedBytes);
      await aWhile(1);
      return [framed(String(frame.length).padStart(8, '0'))];
    },
    { budget },
  );
  const clients = upTo(20).map(() => new RawClient(listener.port));
  const frame = framed(Buffer.alloc(1_500_000));
  for (const client of clients) for (let count = 0; count < 3; count++) client.socket.write(frame);
  await eventually('all are answered', () => clients.every((client) => client.frames().length === 3), 20_000);
  // The limit, one frame over it, and one chunk for each connection.
  assert.ok(most < 2_000_000 + 1_600_000 + 20 * SHARED_READ_BYTES, `${most} bytes were held`);
  for (const client of clients) client.socket.destroy();
  await eventually('nothing is held', () => budget.usedBytes === 0 && listener.connections() === 0);
  assert.equal(budget.waiting, 0);
});

test('the budget gets everything back when peers vanish in the middle of frames and requests', async () => {
  const budget = new MemoryBudget(1_000_000);
  const finish: (() => void)[] = [];
  const { listener } = await start(() => new Promise((resolve) => finish.push(() => resolve('none'))), { budget });
  const clients = upTo(6).map(() => new RawClient(listener.port));
  for (const client of clients)
    client.socket.write(Buffer.concat([request(1), framed(Buffer.alloc(900_000)).subarray(0, 500_000)]));
  await eventually('somebody waits', () => budget.waiting > 0 && finish.length > 0);
  for (const client of clients) client.socket.resetAndDestroy();
  // Who waits for the budget does not read, and so learns of the reset only when its turn comes.
  await eventually('all are gone and nothing is held', () => {
    for (const run of finish.splice(0)) run();
    return listener.connections() === 0 && budget.usedBytes === 0;
  });
  assert.equal(budget.waiting, 0);
});

test('closing finishes the requests in flight, sends their replies and refuses new connections', async () => {
  const { listener } = await start(async (frame) => {
    await aWhile(50);
    return [framed(frame)];
  });
  const client = new RawClient(listener.port);
  const idle = new RawClient(listener.port);
  client.socket.write(Buffer.concat([request(1), request(2)]));
  await aWhile(20);
  const closing = listener.close({ graceMs: 5_000 });
  client.socket.write(request(3));
  const late = new RawClient(listener.port);
  await closing;
  await eventually('all are closed', () => client.closed && idle.closed && late.closed);
  assert.deepEqual(numbers(client), [1, 2]);
  assert.notEqual(late.error, undefined);
});

test('what is left after the grace is dropped', async () => {
  const { listener } = await start(() => new Promise(() => undefined));
  const client = new RawClient(listener.port);
  client.socket.write(request(1));
  await aWhile(20);
  await listener.close({ graceMs: 50 });
  await eventually('it is closed', () => client.closed);
  assert.equal(listener.connections(), 0);
});

test('a port in use is an error that says what to do', async () => {
  const { listener } = await start(echo);
  await assert.rejects(
    listen({ host: '127.0.0.1', port: listener.port, handler: echo }, { clock: systemClock, logger: silentLogger }),
    (error: { code: string; remedy?: string }) => error.code === 'LISTENER_PORT_IN_USE' && error.remedy !== undefined,
  );
  await assert.rejects(
    listen({ host: '203.0.113.77', port: 0, handler: echo }, { clock: systemClock, logger: silentLogger }),
    { code: 'LISTENER_FAILED' },
  );
});

test('what a connection remembers is typed, lives with it, and its end is told', async () => {
  const NAME = sessionKey<string>('name');
  const seen: (string | undefined)[] = [];
  let ended = 0;
  let kept: Connection | undefined;
  const { listener } = await start((frame, connection) => {
    kept = connection;
    seen.push(connection.state.get(NAME));
    connection.state.set(NAME, frame.toString());
    if (seen.length === 1) connection.onClose(() => ended++);
    return [framed(frame)];
  });
  const client = new RawClient(listener.port);
  client.socket.write(Buffer.concat([request(1), request(2)]));
  await eventually('both are answered', () => client.frames().length === 2);
  assert.deepEqual(seen, [undefined, '00000001']);
  assert.equal(kept!.listenerName, 'PLAINTEXT');
  kept!.close();
  await eventually('it ended', () => ended === 1 && client.closed);
  kept!.onClose(() => ended++);
  assert.equal(ended, 2);
});
