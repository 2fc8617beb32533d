/**
 * The ensemble in memory, on which everything about ZooKeeper is simulated, does what a real one does: the same random
 * operations on both have the same answers and the same watch events.
 */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { systemClock } from '../../src/base/clock.ts';
import { SluiceError } from '../../src/base/errors.ts';
import { silentLogger } from '../../src/base/logger.ts';
import { type Random, seededRandom, systemRandom } from '../../src/base/random.ts';
import { ZooKeeperError } from '../../src/metadata/quorums/zookeeper/client/errors.ts';
import { openSession } from '../../src/metadata/quorums/zookeeper/client/session.ts';
import type { Operation, Stat, ZooKeeper } from '../../src/metadata/quorums/zookeeper/client/zookeeper.ts';
import { SimulatedEnsemble } from '../../src/metadata/quorums/zookeeper/ensemble.test-kit.ts';
import { nodeTransport, type Transport } from '../../src/network/transport.ts';
import { type Ensemble, startEnsemble, zooKeeperInstalled } from './harness/zookeeper.ts';

const SEEDS = Number(process.env['SLUICE_SEEDS'] ?? 12);
const FIRST_SEED = Number(process.env['SLUICE_SEED'] ?? 1);
const STEPS = 150;
const SESSIONS = 2;
const skip = zooKeeperInstalled() ? false : 'ZooKeeper is not installed';

/** One of the two worlds: sessions below a root of their own, and the events that each was told. */
class World {
  readonly #open: (index: number) => ZooKeeper;
  readonly sessions: ZooKeeper[] = [];
  events: string[][] = [];

  constructor(open: (index: number) => ZooKeeper) {
    this.#open = open;
    for (let index = 0; index < SESSIONS; index++) this.renew(index);
  }

  renew(index: number): void {
    this.sessions[index] = this.#open(index);
    this.events[index] = [];
  }

  async settle(): Promise<string[]> {
    for (const session of this.sessions) await session.sync('/');
    const told = this.events.map((events) => events.join(' '));
    this.events = this.events.map(() => []);
    return told;
  }

  async close(): Promise<void> {
    for (const session of this.sessions) await session.close();
  }
}

type Step = (world: World) => Promise<unknown>;

/** A step that does the same in every world. */
function makeStep(random: Random): { readonly what: string; readonly step: Step } {
  const index = random.below(SESSIONS);
  const path = randomPath(random);
  const version = random.below(3) === 0 ? random.below(3) : -1;
  const watch = random.below(2) === 0;
  const watcher = (world: World): ((event: { type: string; path: string }) => void) | undefined =>
    watch ? (event) => world.events[index]!.push(`${event.type}:${event.path}`) : undefined;
  const on = (what: string, call: (session: ZooKeeper, world: World) => Promise<unknown>) => ({
    what: `session ${index}: ${what} ${path} version ${version}${watch ? ' watching' : ''}`,
    step: (world: World) => call(world.sessions[index]!, world),
  });
  const options = { ephemeral: random.below(4) === 0, sequential: random.below(4) === 0 };
  const data = Buffer.from('x'.repeat(random.below(5)));
  const operations = Array.from({ length: 1 + random.below(4) }, () => randomOperation(random));
  switch (random.below(8)) {
    case 0:
    case 1:
      return on(`create ${JSON.stringify(options)}`, async (session) => session.create(path, data, options));
    case 2:
      return on('delete', (session) => session.delete(path, version));
    case 3:
      return on('set', (session) => session.setData(path, data, version));
    case 4:
      return on('exists', (session, world) => session.exists(path, watcher(world)));
    case 5:
      return on('get', (session, world) => session.getData(path, watcher(world)));
    case 6:
      return on('list', async (session, world) => {
        const { children, stat } = await session.getChildren(path, watcher(world));
        return { children: [...children].sort(), stat };
      });
    default:
      return on(`multi ${JSON.stringify(operations)}`, async (session) => (await session.multi(operations)).results);
  }
}

function randomPath(random: Random): string {
  const names = ['a', 'b'];
  const depth = 1 + random.below(2) + (random.below(4) === 0 ? 1 : 0);
  return Array.from({ length: depth }, () => `/${names[random.below(names.length)]}`).join('');
}

function randomOperation(random: Random): Operation {
  const path = randomPath(random);
  const version = random.below(3) - 1;
  switch (random.below(4)) {
    case 0:
      return { kind: 'create', path, data: Buffer.from('m'), options: { sequential: random.below(3) === 0 } };
    case 1:
      return { kind: 'delete', path, version };
    case 2:
      return { kind: 'setData', path, data: Buffer.from('mm'), version };
    default:
      return { kind: 'check', path, version };
  }
}

/** What can be compared of an answer: no times, and of transactions only which came before which. */
function comparable(answer: unknown): unknown {
  return JSON.parse(
    JSON.stringify(answer ?? null, (_key, value: unknown) => {
      if (typeof value === 'object' && value !== null && 'czxid' in value) return comparableStat(value as Stat);
      return value;
    }),
  );
}

function comparableStat(stat: Stat): unknown {
  const { czxid, mzxid, pzxid, ctimeMs: _c, mtimeMs: _m, ephemeralOwner, ...rest } = stat;
  return { ...rest, ephemeral: ephemeralOwner !== 0n, order: [mzxid > czxid, pzxid > czxid, Math.sign(mzxid - pzxid)] };
}

async function outcome(step: Promise<unknown>): Promise<unknown> {
  try {
    return comparable(await step);
  } catch (error) {
    if (!(error instanceof ZooKeeperError)) throw error;
    return { refused: error.reason, failedOperation: error.failedOperation };
  }
}

let real: Ensemble;
before(async () => {
  if (skip === false) real = await startEnsemble(3);
});
after(async () => {
  if (skip === false) await real.close();
});

function opener(connect: string, transport: (index: number) => Transport): (index: number) => ZooKeeper {
  return (index) =>
    openSession(
      { connect, sessionTimeoutMs: 10_000, connectionTimeoutMs: 10_000, maxInFlight: 10 },
      { clock: systemClock, random: systemRandom, transport: transport(index), logger: silentLogger },
    );
}

async function walk(seed: number): Promise<void> {
  const random = seededRandom(seed);
  const model = new SimulatedEnsemble({ latencyMs: [0, 0] }, { clock: systemClock, random: seededRandom(seed) });
  const root = `/walk-${seed}-${process.pid}`;
  const worlds = [
    new World(opener(`${real.connect}${root}`, () => nodeTransport)),
    new World(opener(`${model.connect}${root}`, (index) => model.transport(String(index)))),
  ] as const;
  try {
    for (const world of worlds) await world.sessions[0]!.makeRoot();
    for (let count = 0; count < STEPS; count++) {
      let { what, step } = makeStep(random);
      if (random.below(40) === 0) {
        const index = random.below(SESSIONS);
        what = `session ${index} ends, another begins`;
        step = async (world) => {
          await world.sessions[index]!.close();
          world.renew(index);
        };
      }
      const [expected, actual] = [await outcome(step(worlds[0])), await outcome(step(worlds[1]))];
      const where = `seed ${seed}, step ${count}: ${what}`;
      assert.deepEqual(actual, expected, where);
      assert.deepEqual(await worlds[1].settle(), await worlds[0].settle(), `events of ${where}`);
    }
  } finally {
    for (const world of worlds) await world.close();
    model.close();
  }
}

test('random operations have the same answers and events on the ensemble in memory as on a real one', {
  skip,
}, async () => {
  for (let seed = FIRST_SEED; seed < FIRST_SEED + SEEDS; seed++) await walk(seed);
});

test('requests to an ensemble that is not there are given up in time, and nothing was sent', async () => {
  const session = openSession(
    { connect: '127.0.0.1:1', sessionTimeoutMs: 600, connectionTimeoutMs: 300, maxInFlight: 10 },
    { clock: systemClock, random: systemRandom, transport: nodeTransport, logger: silentLogger },
  );
  const holds = setTimeout(() => undefined, 10_000);
  await assert.rejects(
    session.exists('/a'),
    (error) => error instanceof SluiceError && error.code === 'ZOOKEEPER_NOT_CONNECTED',
  );
  clearTimeout(holds);
  await session.close();
});
