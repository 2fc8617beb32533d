import assert from 'node:assert/strict';
import { createServer, type Server, type Socket } from 'node:net';
import { after, test } from 'node:test';
import { systemClock } from '../base/clock.ts';
import { silentLogger } from '../base/logger.ts';
import { apiVersions } from '../protocol/apis/api-versions.ts';
import { decodeRequestHeader, encodeResponseFrame } from '../protocol/frames.ts';
import { type Channel, type ChannelOptions, connect } from './channel.ts';
import { listen } from './listener.ts';
import { aWhile, eventually, framed, ManualClock } from './loopback.test.support.ts';

const WHO = { clientSoftwareName: '', clientSoftwareVersion: '' };
const servers: Server[] = [];
const sockets: Socket[] = [];
after(() => {
  for (const socket of sockets) socket.destroy();
  for (const server of servers) server.close();
});

/** A peer that does what a test says with the bytes it gets. */
async function peer(onData: (socket: Socket, bytes: Buffer) => void): Promise<number> {
  const server = createServer((socket) => {
    sockets.push(socket);
    socket.on('data', (bytes: Buffer) => onData(socket, bytes));
    socket.on('error', () => undefined);
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as { port: number }).port;
}

function open(port: number, options: Partial<ChannelOptions> = {}, clock = systemClock): Promise<Channel> {
  return connect({ host: '127.0.0.1', port, clientId: 'test', requestTimeoutMs: 5_000, ...options }, { clock });
}

const ask = (channel: Channel, timeoutMs?: number) => channel.request(apiVersions, 2, WHO, { timeoutMs });

test('pipelined requests get their own responses from a real listener', async () => {
  const listener = await listen(
    {
      host: '127.0.0.1',
      port: 0,
      handler: async (frame) => {
        const header = decodeRequestHeader(frame, () => false);
        assert.equal(header.clientId, 'test');
        await aWhile(header.correlationId % 3);
        const body = { errorCode: 0, apiKeys: [], throttleTimeMs: header.correlationId };
        return encodeResponseFrame(apiVersions, 2, header.correlationId, body);
      },
    },
    { clock: systemClock, logger: silentLogger },
  );
  const channel = await open(listener.port);
  const responses = await Promise.all(Array.from({ length: 100 }, () => ask(channel)));
  assert.deepEqual(
    responses.map((response) => response.throttleTimeMs),
    Array.from({ length: 100 }, (_, index) => index),
  );
  assert.equal(channel.requestsInFlight, 0);
  await channel.close();
  await channel.close();
  assert.equal(channel.open, false);
  await assert.rejects(ask(channel), { code: 'CHANNEL_CLOSED' });
  await listener.close({ graceMs: 100 });
});

test('a refused connection says that the broker cannot be reached and what to do', async () => {
  const port = await peer(() => undefined);
  servers.pop()!.close();
  await assert.rejects(open(port), (error: { code: string; retriable: boolean; remedy?: string; message: string }) => {
    assert.equal(error.code, 'BROKER_UNREACHABLE');
    assert.ok(error.retriable && error.remedy !== undefined);
    assert.match(error.message, new RegExp(`127.0.0.1:${port}: .*ECONNREFUSED`));
    return true;
  });
});

test('a connection that is not answered is given up after its own time limit', async () => {
  const clock = new ManualClock();
  // 192.0.2.0/24 is reserved for documentation: nobody answers, or the network refuses at once.
  const pending = open(9, { host: '192.0.2.1', connectTimeoutMs: 3_000 }, clock);
  const outcome = assert.rejects(pending, { code: 'BROKER_UNREACHABLE' });
  clock.advance(3_000);
  await outcome;
});

test('a request without a response in time fails and closes the channel, the others with it', async () => {
  const clock = new ManualClock();
  const channel = await open(await peer(() => undefined), {}, clock);
  const reasons: (string | undefined)[] = [];
  channel.onClose((reason) => reasons.push(reason?.code));
  const slow = ask(channel);
  clock.advance(1_000);
  const quick = ask(channel, 2_000);
  const both = Promise.all([
    assert.rejects(slow, { code: 'REQUEST_TIMED_OUT' }),
    assert.rejects(quick, { code: 'REQUEST_TIMED_OUT', message: /did not answer ApiVersions within 2000 ms/ }),
  ]);
  clock.advance(1_999);
  assert.equal(channel.open, true);
  clock.advance(1);
  await both;
  assert.deepEqual(reasons, ['REQUEST_TIMED_OUT']);
  assert.equal(channel.open, false);
});

for (const [what, reply] of [
  ['a response nobody asked for', framed(Buffer.from([0, 0, 0, 99, 0, 0, 0, 0, 0, 0]))],
  ['a length over the limit', Buffer.from([0x7f, 0xff, 0xff, 0xff])],
  ['a negative length', Buffer.from([0xff, 0xff, 0xff, 0xff])],
  ['a response cut short', framed(Buffer.from([0, 0, 0, 0, 0]))],
] as const) {
  test(`${what} closes the channel as malformed`, async () => {
    const channel = await open(await peer((socket) => socket.write(reply)));
    await assert.rejects(ask(channel), { code: 'MALFORMED_RESPONSE', retriable: false });
    assert.equal(channel.open, false);
  });
}

test('a broker that goes away fails what is in flight', async () => {
  for (const leave of [(socket: Socket) => socket.destroy(), (socket: Socket) => socket.resetAndDestroy()]) {
    const channel = await open(await peer(leave));
    await assert.rejects(Promise.all([ask(channel), ask(channel)]), { code: 'BROKER_DISCONNECTED', retriable: true });
    let told = false;
    channel.onClose(() => {
      told = true;
    });
    assert.equal(told, true);
    await channel.close();
  }
});

test('a request that gets no response leaves without waiting for one, also right before closing', async () => {
  let received = 0;
  const channel = await open(
    await peer((_socket, bytes) => {
      received += bytes.length;
    }),
  );
  channel.send(apiVersions, 2, WHO);
  channel.send(apiVersions, 2, WHO);
  assert.equal(channel.requestsInFlight, 0);
  await channel.close();
  await eventually('both arrived', () => received === 2 * (4 + 8 + 2 + 4));
  assert.throws(() => channel.send(apiVersions, 2, WHO), { code: 'CHANNEL_CLOSED' });
});

test('a body that cannot be encoded fails alone', async () => {
  const channel = await open(
    await peer((socket) => {
      for (const part of encodeResponseFrame(apiVersions, 2, 0, { errorCode: 0, apiKeys: [] }))
        socket.write(part as Buffer);
    }),
  );
  await assert.rejects(channel.request(apiVersions, 99, WHO));
  assert.equal((await ask(channel)).errorCode, 0);
  await channel.close();
});

test('a request is over when nothing comes for its silence, and goes on while its answer is coming', async () => {
  const clock = new ManualClock();
  const answer = encodeResponseFrame(apiVersions, 2, 0, { errorCode: 0, apiKeys: [], throttleTimeMs: 7 });
  const bytes = Buffer.concat(answer.map((part) => part as Buffer));
  let socket: Socket | undefined;
  const port = await peer((from) => {
    socket = from;
  });
  const channel = await open(port, {}, clock);
  const request = channel.request(apiVersions, 2, WHO, { timeoutMs: 60_000, silenceMs: 1000 });
  await eventually('the request is there', () => socket !== undefined);
  for (let sent = 0; sent < bytes.length - 1; sent++) {
    clock.advance(900);
    socket!.write(bytes.subarray(sent, sent + 1));
    await aWhile(5);
  }
  socket!.write(bytes.subarray(-1));
  assert.equal((await request).throttleTimeMs, 7);
  const silent = channel.request(apiVersions, 2, WHO, { timeoutMs: 60_000, silenceMs: 1000 });
  await aWhile(5);
  clock.advance(1001);
  await assert.rejects(silent, { code: 'REQUEST_TIMED_OUT' });
  assert.equal(channel.open, false);
});
