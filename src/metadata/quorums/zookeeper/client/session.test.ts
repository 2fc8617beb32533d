import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { silentLogger } from '../../../../base/logger.ts';
import { QuorumWorld } from '../quorum-world.test-kit.ts';
import { ZooKeeperError, type ZooKeeperReason } from './errors.ts';
import { openSession, type SessionOptions } from './session.ts';
import type { SessionState, WatchEvent, ZooKeeper } from './zookeeper.ts';

const TIMEOUT_MS = 3000;
const NO_DATA = Buffer.alloc(0);

function begin(world: QuorumWorld, name: string, options: Partial<SessionOptions> = {}) {
  const { clock, random, ensemble } = world;
  const session = openSession(
    {
      connect: ensemble.connect,
      sessionTimeoutMs: TIMEOUT_MS,
      connectionTimeoutMs: TIMEOUT_MS,
      maxInFlight: 3,
      ...options,
    },
    { clock, random, transport: ensemble.transport(name), logger: silentLogger },
  );
  const states: SessionState[] = [];
  session.onState((state) => states.push(state));
  return { session, states };
}

const serverOf = (session: ZooKeeper): number => Number(/^zk(\d+):/.exec(session.server ?? '')?.[1]) - 1;

async function reasonOf(world: QuorumWorld, promise: Promise<unknown>): Promise<ZooKeeperReason> {
  const outcome = await world.settled(promise);
  assert.ok(outcome.status === 'rejected' && outcome.reason instanceof ZooKeeperError, 'it is refused');
  return outcome.reason.reason;
}

describe('a session with ZooKeeper', () => {
  it('goes on with another server when one dies, with its ephemeral znodes and what it watches', async () => {
    const world = new QuorumWorld();
    const { session, states } = begin(world, 'one');
    const { session: other } = begin(world, 'two');
    await world.value(session.create('/own', NO_DATA, { ephemeral: true }));
    await world.value(session.create('/watched', NO_DATA));
    const events: WatchEvent[] = [];
    const watcher = (event: WatchEvent): void => void events.push(event);
    await world.value(session.getData('/watched', watcher));
    await world.value(session.exists('/absent', watcher));
    await world.value(session.getChildren('/', watcher));
    const { sessionId } = session;
    world.ensemble.killServer(serverOf(session));
    await world.until(() => states.at(-1) === 'connecting', 'the connection is lost');
    await world.value(other.multi([{ kind: 'setData', path: '/watched', data: Buffer.from('x') }]));
    await world.until(() => session.state === 'connected', 'it is connected again');
    await world.until(() => events.length > 0, 'it hears what it missed');
    await world.value(other.create('/absent', NO_DATA));
    await world.until(() => events.length === 3, 'it hears what happens after');
    assert.deepEqual(events.map(({ type, path }) => `${type} ${path}`).sort(), [
      'childrenChanged /',
      'created /absent',
      'dataChanged /watched',
    ]);
    assert.equal(session.sessionId, sessionId);
    assert.deepEqual(states, ['connected', 'connecting', 'connected']);
    await world.run(2 * TIMEOUT_MS);
    assert.ok((await world.value(other.exists('/own'))) !== undefined);
    await world.value(session.close());
    assert.equal(await world.value(other.exists('/own')), undefined);
  });

  it('leaves a server that hangs before its session expires', async () => {
    const world = new QuorumWorld();
    const { session, states } = begin(world, 'one');
    await world.value(session.create('/own', NO_DATA, { ephemeral: true }));
    const hung = serverOf(session);
    world.ensemble.hangServer(hung);
    await world.until(() => states.length === 3, 'it is connected elsewhere', TIMEOUT_MS);
    assert.deepEqual(states, ['connected', 'connecting', 'connected']);
    assert.notEqual(serverOf(session), hung);
    assert.equal((await world.value(session.getData('/own'))).stat.ephemeralOwner, session.sessionId);
  });

  it('tells of requests whether they may have been carried out when the connection is lost', async () => {
    const world = new QuorumWorld({ latencyMs: [20, 20] });
    const { session } = begin(world, 'one');
    await world.value(session.create('/a', NO_DATA));
    const reasons = Promise.all(
      [0, 1, 2, 3, 4].map((index) => reasonOf(world, session.create(`/a/${index}`, NO_DATA))),
    );
    await world.run(4);
    world.ensemble.dropConnections('one');
    const told = await reasons;
    assert.deepEqual(told, ['CONNECTION_LOSS', 'CONNECTION_LOSS', 'CONNECTION_LOSS', 'NOT_CONNECTED', 'NOT_CONNECTED']);
    const { children } = await world.value(session.getChildren('/a'));
    assert.ok(
      children.every((name) => Number(name) < 3),
      'what was never sent was never made',
    );
  });

  it('expires when it was not heard for too long, and is of no use any more', async () => {
    const world = new QuorumWorld();
    const { session, states } = begin(world, 'one');
    const { session: other } = begin(world, 'two');
    await world.value(session.create('/own', NO_DATA, { ephemeral: true }));
    world.ensemble.cut('one');
    await world.run(2 * TIMEOUT_MS);
    assert.equal(await world.value(other.exists('/own')), undefined);
    assert.equal(session.state, 'connecting', 'it cannot know yet');
    world.ensemble.heal('one');
    await world.until(() => session.state === 'expired', 'it learns of its end');
    assert.equal(states.at(-1), 'expired');
    assert.equal(await reasonOf(world, session.exists('/')), 'SESSION_EXPIRED');
    await session.close();
  });

  it('stays alive without requests', async () => {
    const world = new QuorumWorld();
    const { session, states } = begin(world, 'one');
    await world.run(10 * TIMEOUT_MS);
    assert.deepEqual(states, ['connected']);
    assert.ok(world.clock.monotonicMs() - session.lastHeardMs < TIMEOUT_MS / 2);
  });

  it('lets requests wait for a connection, and gives them up in time', async () => {
    const world = new QuorumWorld();
    for (const server of [0, 1]) world.ensemble.killServer(server);
    const { session } = begin(world, 'one');
    const early = reasonOf(world, session.exists('/'));
    const startedMs = world.clock.monotonicMs();
    assert.equal(await early, 'NOT_CONNECTED');
    const waitedMs = world.clock.monotonicMs() - startedMs;
    assert.ok(waitedMs >= TIMEOUT_MS - 10 && waitedMs < 1.5 * TIMEOUT_MS, `${waitedMs} ms`);
    const patient = session.exists('/');
    await world.run(TIMEOUT_MS / 2);
    world.ensemble.startServer(0);
    assert.ok((await world.value(patient)) !== undefined);
  });

  it('does not send what a server would take for damage', async () => {
    const world = new QuorumWorld();
    const { session } = begin(world, 'one', { maxRequestBytes: 1000 });
    assert.equal(await reasonOf(world, session.create('/large', Buffer.alloc(1000))), 'TOO_LARGE');
    await world.value(session.create('/small', Buffer.alloc(900)));
  });

  it('keeps to the root of its connect string', async () => {
    const world = new QuorumWorld();
    const { session } = begin(world, 'one', { connect: `${world.ensemble.connect}/deep/root` });
    const { session: outside } = begin(world, 'two');
    await world.value(session.makeRoot());
    await world.value(session.makeRoot());
    const events: string[] = [];
    await world.value(session.getChildren('/', ({ type, path }) => events.push(`${type} ${path}`)));
    assert.equal((await world.value(session.create('/a-', NO_DATA, { sequential: true }))).path, '/a-0000000000');
    const { results } = await world.value(
      session.multi([{ kind: 'create', path: '/a-', data: NO_DATA, options: { sequential: true } }]),
    );
    assert.deepEqual(results, [{ kind: 'create', path: '/a-0000000001' }]);
    assert.equal((await world.value(outside.getChildren('/deep/root'))).children.length, 2);
    assert.deepEqual(events, ['childrenChanged /']);
  });

  it('says which operation of a multi was refused', async () => {
    const world = new QuorumWorld();
    const { session } = begin(world, 'one');
    const outcome = await world.settled(
      session.multi([
        { kind: 'create', path: '/a', data: NO_DATA },
        { kind: 'check', path: '/a', version: 7 },
        { kind: 'delete', path: '/a' },
      ]),
    );
    assert.ok(outcome.status === 'rejected' && outcome.reason instanceof ZooKeeperError);
    assert.equal(outcome.reason.reason, 'BAD_VERSION');
    assert.equal(outcome.reason.failedOperation, 1);
    assert.equal(outcome.reason.outcomeUnknown, false);
    assert.equal(await world.value(session.exists('/a')), undefined);
  });
});
