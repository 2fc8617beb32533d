/** The simulated network behaves as TCP between real hosts does, as far as programs can see. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seededRandom } from '../../src/base/random.ts';
import { SimulatedClock } from '../../src/base/simulated-clock.ts';
import type { SocketListener, TransportSocket } from '../../src/network/transport.ts';
import { SimulatedNetwork } from './network.ts';
import { SimulatedProcess } from './process.ts';

/** What one end of a connection heard. */
class End implements SocketListener {
  socket: TransportSocket | undefined;
  readonly chunks: Buffer[] = [];
  readonly events: string[] = [];

  get received(): Buffer {
    return Buffer.concat(this.chunks);
  }

  onConnect(): void {
    this.events.push('connect');
  }

  onData(chunk: Buffer): void {
    this.chunks.push(chunk);
  }

  onEnd(): void {
    this.events.push('end');
  }

  onDrain(): void {
    this.events.push('drain');
  }

  onClose(error: Error | undefined): void {
    this.events.push(error === undefined ? 'close' : `close ${(error as { code?: string }).code}`);
  }
}

function world(seed: number) {
  const clock = new SimulatedClock();
  const network = new SimulatedNetwork({ clock, random: seededRandom(seed) });
  const start = (host: string): SimulatedProcess => {
    network.addHost(host);
    return new SimulatedProcess(host, clock);
  };
  const server = start('s');
  const client = start('c');
  const accepted: End[] = [];
  const run = async (ms: number): Promise<void> => {
    const untilMs = clock.monotonicMs() + ms;
    do await new Promise((resolve) => setImmediate(resolve));
    while (clock.fireNext(untilMs));
    clock.advance(untilMs - clock.monotonicMs());
  };
  const listen = (process = server): void => {
    void network.transportOf(process).listen(
      { host: process.host, port: 1, backlog: 1 },
      {
        admit: () => true,
        onGone: () => undefined,
        onAcceptError: () => undefined,
        onSocket: (socket) => {
          const end = new End();
          end.socket = socket;
          accepted.push(end);
          return end;
        },
      },
    );
  };
  const connect = (): End => {
    const end = new End();
    end.socket = network.transportOf(client).connect({ host: 's', port: 1 }, end);
    return end;
  };
  return { network, server, client, start, listen, connect, accepted, run };
}

test('bytes arrive whole and in order, however they are cut, paused and slowed down', async () => {
  for (let seed = 1; seed <= 40; seed++) {
    const { listen, connect, accepted, run, network } = world(seed);
    const random = seededRandom(seed);
    listen();
    const end = connect();
    await run(10);
    const sent: Buffer[] = [];
    for (let step = 0; step < 60; step++) {
      const bytes = random.bytes(1 + random.below(random.below(4) === 0 ? 40_000 : 300));
      sent.push(bytes);
      end.socket!.write(bytes);
      if (random.below(6) === 0) accepted[0]!.socket!.pause();
      if (random.below(3) === 0) accepted[0]!.socket!.resume();
      if (random.below(20) === 0) network.slow('c', 's', random.below(50));
      await run(random.below(3));
    }
    accepted[0]!.socket!.resume();
    end.socket!.end();
    await run(20_000);
    assert.ok(accepted[0]!.received.equals(Buffer.concat(sent)), `seed ${seed}`);
    assert.deepEqual(accepted[0]!.events, ['end']);
    accepted[0]!.socket!.end();
    await run(1000);
    assert.deepEqual(
      [accepted[0]!.events, end.events.slice(-2)],
      [
        ['end', 'close'],
        ['end', 'close'],
      ],
      `seed ${seed}`,
    );
  }
});

test('a writer hears when there is room again, and callbacks come once the kernel took the bytes', async () => {
  const { listen, connect, accepted, run } = world(1);
  listen();
  const end = connect();
  await run(10);
  accepted[0]!.socket!.pause();
  const flushed: number[] = [];
  for (let index = 0; index < 20; index++) end.socket!.write(Buffer.alloc(50_000), () => flushed.push(index));
  assert.equal(flushed.length, 0, 'never within the call');
  await run(100);
  const taken = flushed.length;
  assert.ok(taken > 0 && taken < 20 && end.socket!.writableLength > 0);
  assert.equal(end.socket!.write(Buffer.alloc(1)), false);
  accepted[0]!.socket!.resume();
  await run(1000);
  assert.equal(flushed.length, 20);
  assert.ok(end.events.includes('drain'));
  assert.equal(end.socket!.writableLength, 0);
});

test('a connect is refused where nobody listens, and waits where nothing answers', async () => {
  const { listen, connect, run, network } = world(1);
  const refused = connect();
  await run(10);
  assert.deepEqual(refused.events, ['close ECONNREFUSED']);
  listen();
  network.block('s', 'c');
  const waiting = connect();
  await run(5000);
  assert.deepEqual(waiting.events, []);
  network.heal();
  await run(5000);
  assert.deepEqual(waiting.events, ['connect']);
});

test('a partition is silent, and what was sent into it arrives once it is healed', async () => {
  const { listen, connect, accepted, run, network } = world(3);
  listen();
  const end = connect();
  await run(10);
  network.block('c', 's');
  end.socket!.write(Buffer.from('lost?'));
  accepted[0]!.socket!.write(Buffer.from('one way'));
  await run(60_000);
  assert.deepEqual([accepted[0]!.received.toString(), end.received.toString()], ['', 'one way']);
  assert.deepEqual([accepted[0]!.events, end.events], [[], ['connect']]);
  network.heal();
  await run(1000);
  assert.equal(accepted[0]!.received.toString(), 'lost?');
});

test('a program that is killed is missed at once, a host that is gone only when it is asked again', async () => {
  const { listen, connect, accepted, run, network, server, start } = world(5);
  listen();
  const end = connect();
  await run(10);
  accepted[0]!.socket!.write(Buffer.from('last words'));
  server.die();
  network.kill(server);
  await run(10);
  assert.equal(end.received.toString(), 'last words');
  assert.match(end.events.join(), /^connect,(close ECONNRESET|end,close)$/);
  const refused = connect();
  await run(10);
  assert.deepEqual(refused.events, ['close ECONNREFUSED']);

  const next = start('s');
  listen(next);
  const half = connect();
  await run(10);
  next.die();
  network.unplug('s');
  await run(60_000);
  assert.deepEqual(half.events, ['connect'], 'nobody says a word');
  network.plug('s');
  await run(10);
  assert.deepEqual(half.events, ['connect']);
  half.socket!.write(Buffer.from('anybody there?'));
  await run(10);
  assert.deepEqual(half.events, ['connect', 'close ECONNRESET']);
});

test('a program that is stopped is connected to, and hears everything in order once it goes on', async () => {
  const { listen, connect, accepted, run, server, client } = world(7);
  listen();
  server.stop();
  const end = connect();
  await run(10);
  assert.deepEqual(end.events, ['connect']);
  end.socket!.write(Buffer.from('a'));
  await run(10);
  end.socket!.write(Buffer.from('b'));
  await run(10);
  assert.equal(accepted.length, 0);
  server.resume();
  await run(1);
  assert.equal(accepted[0]!.received.toString(), 'ab');
  const order: string[] = [];
  client.clock.after(5, () => order.push('first'));
  client.clock.after(7, () => order.push('second'));
  client.clock.every(1, () => order.push('often'));
  client.stop();
  await run(50);
  assert.deepEqual(order, []);
  client.resume();
  await run(0);
  assert.deepEqual(order, ['often', 'first', 'second']);
});

test('a reset is heard on both ends', async () => {
  const { listen, connect, accepted, run, network } = world(9);
  listen();
  const end = connect();
  await run(10);
  assert.equal(network.resetOne('s'), true);
  await run(1);
  assert.deepEqual([end.events, accepted[0]!.events], [['connect', 'close ECONNRESET'], ['close ECONNRESET']]);
  assert.equal(network.resetOne('s'), false);
});
