import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Clock } from '../base/clock.ts';
import { SluiceError } from '../base/errors.ts';
import { SimulatedClock } from '../base/simulated-clock.ts';
import { applyRecords, emptyImage } from '../metadata/image.ts';
import type { RoleListener } from '../metadata/quorum.ts';
import { newRecord } from '../metadata/records.ts';
import type { Channel } from '../network/channel.ts';
import type { Connection } from '../network/connection.ts';
import { ownConnection } from './answering.ts';
import { FollowerLinks } from './follower-links.ts';

const registered = (brokerId: number, brokerEpoch: number) =>
  newRecord('registerBroker', {
    brokerId,
    brokerEpoch,
    incarnationId: 'AAAAAAAAAAAAAAAAAAAAAw',
    endPoints: [],
    features: [],
    rack: null,
    fenced: false,
    inControlledShutdown: false,
    logDirs: [],
  });

/** What is found at a broker's address. */
type Found = 'answers' | 'refuses' | 'is silent' | 'accepts and dies';

/** A process that stood still for some time: it went by unnoticed by its timers. */
function standingStill(clock: Clock, still: { readonly forMs: number }): Clock {
  return {
    wallMs: () => clock.wallMs(),
    monotonicMs: () => clock.monotonicMs() + still.forMs,
    after: (delayMs, callback) => clock.after(delayMs, callback),
    every: (periodMs, callback) => clock.every(periodMs, callback),
    afterTurn: (callback) => clock.afterTurn(callback),
  };
}

function world({ inOffice = false } = {}) {
  const clock = new SimulatedClock();
  const still = { forMs: 0 };
  const { image } = applyRecords(emptyImage('c'), [registered(1, 10), registered(2, 20), registered(3, 30)], 5, 1);
  const gone: [brokerId: number, brokerEpoch: number][] = [];
  const isolated: number[] = [];
  const roles: RoleListener[] = [];
  const found = new Map<number, Found>();
  const quorum = {
    active: inOffice,
    isActiveController: () => quorum.active,
    image: () => image,
    onRole: (listener: RoleListener) => {
      roles.push(listener);
      return () => undefined;
    },
  };
  const connect = async (brokerId: number): Promise<Channel> => {
    const state = found.get(brokerId) ?? 'answers';
    const cause = (code: string) => ({ cause: Object.assign(new Error(code), { code }) });
    if (state === 'refuses') throw new SluiceError('BROKER_UNREACHABLE', 'refused', cause('ECONNREFUSED'));
    if (state === 'is silent') throw new SluiceError('BROKER_UNREACHABLE', 'no answer', cause('ETIMEDOUT'));
    const request = async (): Promise<object> => {
      if (state === 'answers') return {};
      found.set(brokerId, 'refuses');
      throw new SluiceError('BROKER_DISCONNECTED', 'closed', { retriable: true });
    };
    return { request, close: async () => undefined } as unknown as Channel;
  };
  const links = new FollowerLinks(
    { brokerId: 1, silenceMs: 9000 },
    {
      clock: standingStill(clock, still),
      quorum,
      connect,
      onGone: (brokerId, brokerEpoch) => gone.push([brokerId, brokerEpoch]),
      onIsolated: () => isolated.push(clock.monotonicMs()),
    },
  );
  quorum.active = true;
  const link = (): { connection: Connection; end(): void } => {
    const ends: (() => void)[] = [];
    const connection = { ...ownConnection(), onPeerEnd: (listener: () => void) => void ends.push(listener) };
    return { connection, end: () => void ends.map((listener) => listener()) };
  };
  const pass = async (ms = 2000): Promise<void> => {
    for (let passed = 0; passed < ms; passed += 10) {
      await new Promise(setImmediate);
      clock.advance(10);
    }
    await new Promise(setImmediate);
  };
  return { links, link, gone, isolated, found, quorum, roles, pass, still };
}

describe('the links of followers', () => {
  it('tell that a broker is gone when its link ends and its address refuses', async () => {
    const { links, link, gone, found, pass } = world();
    const { connection, end } = link();
    links.seen(2, connection);
    found.set(2, 'refuses');
    end();
    await pass();
    assert.deepEqual(gone, [[2, 20]]);
  });

  it('look again where a dying process still accepts connections', async () => {
    const { links, link, gone, found, pass } = world();
    const { connection, end } = link();
    links.seen(2, connection);
    found.set(2, 'accepts and dies');
    end();
    await pass();
    assert.deepEqual(gone, [[2, 20]]);
  });

  it('accuse nobody who answers, who is silent, or who has linked up anew', async () => {
    const { links, link, gone, found, pass } = world();
    const [two, three] = [link(), link()];
    links.seen(2, two.connection);
    links.seen(3, three.connection);
    found.set(3, 'is silent');
    two.end();
    three.end();
    await pass();
    const again = link();
    links.seen(2, again.connection);
    const newer = link();
    links.seen(2, newer.connection);
    found.set(2, 'refuses');
    again.end();
    await pass();
    assert.deepEqual(gone, []);
  });

  it('accuse nobody while another node is the controller', async () => {
    const { links, link, gone, found, quorum, pass } = world();
    const { connection, end } = link();
    links.seen(2, connection);
    found.set(2, 'refuses');
    quorum.active = false;
    end();
    await pass();
    assert.deepEqual(gone, []);
  });

  it('that stay silent for as long as a session fence a broker that lives elsewhere', async () => {
    const { links, link, gone, roles, pass } = world();
    for (const listener of roles) listener(true);
    const [two, three] = [link(), link()];
    for (let second = 0; second < 15; second++) {
      links.seen(2, two.connection);
      if (second < 4) links.seen(3, three.connection);
      await pass(1000);
      if (second < 12) assert.deepEqual(gone, [], `after ${second + 1} s`);
    }
    assert.deepEqual(gone[0], [3, 30]);
    assert.ok(gone.every(([brokerId]) => brokerId === 3));
  });

  it('that neither ask nor answer fence a broker long before the end of a session', async () => {
    const { links, link, gone, found, roles, pass, isolated } = world();
    for (const listener of roles) listener(true);
    const [two, three] = [link(), link()];
    links.seen(3, three.connection);
    await pass(100);
    found.set(3, 'is silent');
    for (let second = 0; second < 3; second++) {
      links.seen(2, two.connection);
      await pass(1000);
      assert.deepEqual(gone, [], `after ${second + 1} s`);
    }
    links.seen(2, two.connection);
    await pass(1000);
    assert.deepEqual(gone[0], [3, 30]);
    assert.deepEqual(isolated, []);
  });

  it('are watched by a node that took office before anybody could listen, too', async () => {
    const { links, link, gone, found, pass } = world({ inOffice: true });
    found.set(3, 'is silent');
    const two = link();
    for (let second = 0; second < 6; second++) {
      links.seen(2, two.connection);
      await pass(1000);
    }
    assert.deepEqual(gone[0], [3, 30]);
  });

  it('that are silent for the most part fence nobody: it is the controller that is cut off', async () => {
    const { gone, found, roles, pass, isolated } = world();
    for (const listener of roles) listener(true);
    await pass(100);
    found.set(2, 'is silent');
    found.set(3, 'is silent');
    await pass(4000);
    assert.deepEqual(gone, []);
    assert.ok(isolated.length > 0);
  });

  it('that were not heard while the controller stood still fence nobody', async () => {
    const { links, link, gone, isolated, found, roles, pass, still } = world();
    for (const listener of roles) listener(true);
    links.seen(2, link().connection);
    links.seen(3, link().connection);
    await pass(100);
    found.set(3, 'is silent');
    still.forMs = 8000;
    await pass(2500);
    assert.deepEqual(gone, []);
    assert.deepEqual(isolated, []);
  });

  it('of a new controller find the brokers that died with the one before', async () => {
    const { links, link, gone, found, roles, pass } = world();
    links.seen(3, link().connection);
    found.set(2, 'refuses');
    found.set(3, 'refuses');
    for (const listener of roles) listener(true);
    await pass(100);
    assert.deepEqual(gone, [[2, 20]]);
  });
});
