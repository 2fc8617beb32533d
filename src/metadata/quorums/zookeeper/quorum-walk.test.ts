/**
 * Random lives of several quorum instances: processes die and return, sessions expire, connections break with requests
 * on their way, servers die and hang, majorities are lost. Whatever happens, what was committed stays, what certainly was
 * not made never appears, one controller at most writes in an epoch, and at rest all images are what the znodes say.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Offset } from '../../../base/units.ts';
import type { MetadataDelta } from '../../delta.ts';
import { configsOf, type MetadataImage, RESOURCE_TYPE } from '../../image.ts';
import { imageDifference } from '../../image-difference.ts';
import { type MetadataRecord, newRecord } from '../../records.ts';
import type { Operation } from './client/zookeeper.ts';
import { isOutcomeUnknown } from './office-writes.ts';
import { contentOf, type QuorumNode, QuorumWorld, ROOT } from './quorum-world.test-kit.ts';
import { COMMIT } from './store/znodes.ts';

const SEEDS = Number(process.env['SLUICE_SEEDS'] ?? 20);
const FIRST_SEED = Number(process.env['SLUICE_SEED'] ?? 1);
const STEPS = 120;
const NODES = 3;
const SERVERS = 3;
const REST_MS = 120_000;

type Outcome = 'pending' | 'committed' | 'not made' | 'unknown';

/** An append, what it adds or removes, and what was told of it. */
interface Attempt {
  readonly name: string;
  readonly kind: 'create' | 'configure' | 'delete';
  readonly by: QuorumNode;
  outcome: Outcome;
}

class Walk {
  readonly world: QuorumWorld;
  readonly attempts: Attempt[] = [];
  readonly writers = new Map<number, string>();
  readonly watched = new WeakSet<QuorumNode>();
  readonly doomed = new Set<string>();
  latestEpoch = 0;
  /** The epoch of a controller that wrote too late. */
  late: number | undefined;

  constructor(seed: number) {
    const small = seed % 3 === 0;
    const limits = small ? { limits: { operations: 12, bytes: 4000 } } : {};
    this.world = new QuorumWorld({ seed, latencyMs: [0.5, seed % 2 === 0 ? 5 : 60], servers: SERVERS, ...limits });
    this.world.ensemble.onWrite = (operations) => this.#judge(operations);
  }

  /** Once a controller is in office, none of an earlier epoch writes. */
  #judge(operations: readonly Operation[]): void {
    for (const operation of operations) {
      if (operation.path !== `${ROOT}${COMMIT}` || operation.kind !== 'setData') continue;
      const { controller_epoch: epoch } = JSON.parse(operation.data.toString()) as { controller_epoch: number };
      this.late = epoch < this.latestEpoch ? epoch : this.late;
      this.latestEpoch = Math.max(epoch, this.latestEpoch);
    }
  }

  start(id: number): void {
    this.watch(this.world.start(id));
  }

  /** Each image follows from the one before, and the delta says how. */
  watch(node: QuorumNode): void {
    let last: MetadataImage | undefined;
    node.started.then(
      () => {
        last = node.quorum.image();
      },
      () => undefined,
    );
    node.quorum.subscribe((delta, image) => {
      if (last !== undefined) {
        assert.ok(image.offset > last.offset && image.epoch >= last.epoch, 'images only go on');
        assert.deepEqual(namesIn(delta), namesIn(imageDifference(last, image)));
      }
      last = image;
    });
  }

  append(node: QuorumNode): void {
    const { random } = this.world;
    const number = this.attempts.length;
    const image = node.quorum.image();
    const deletable = [...image.topics.byName.keys()].filter((name) => !this.doomed.has(name));
    const choice = random.below(4);
    let attempt: Attempt;
    let records: MetadataRecord[];
    if (choice === 0 && deletable.length > 0) {
      const name = deletable[random.below(deletable.length)]!;
      this.doomed.add(name);
      attempt = { name, kind: 'delete', outcome: 'pending', by: node };
      records = [newRecord('removeTopic', { topicId: image.topics.byName.get(name)!.id })];
    } else if (choice === 1) {
      attempt = { name: `k${number}`, kind: 'configure', outcome: 'pending', by: node };
      const resource = { resourceType: RESOURCE_TYPE.GROUP, resourceName: `g/${number % 3}` };
      records = [newRecord('config', { ...resource, name: attempt.name, value: String(number) })];
    } else {
      attempt = { name: `t${number}`, kind: 'create', outcome: 'pending', by: node };
      records = topicRecords(attempt.name, random.below(10) === 0 ? 150 : 1 + random.below(3));
    }
    this.attempts.push(attempt);
    node.quorum.append(records).then(
      (offset) => this.#committed(node, attempt, offset),
      (error: unknown) => {
        attempt.outcome = isOutcomeUnknown(error) ? 'unknown' : 'not made';
        if (attempt.outcome === 'not made') this.doomed.delete(attempt.name);
      },
    );
  }

  #committed(node: QuorumNode, attempt: Attempt, offset: Offset): void {
    attempt.outcome = 'committed';
    const epoch = Math.floor(offset / 2 ** 32);
    const writer = `${node.id}-${node.life}`;
    assert.equal(this.writers.get(epoch) ?? writer, writer, `one controller writes in epoch ${epoch}`);
    this.writers.set(epoch, writer);
  }

  /** Something goes wrong, or is put right. */
  disturb(): void {
    const { world } = this;
    const { random, ensemble } = world;
    const id = 1 + random.below(NODES);
    const node = world.nodes.get(id)!;
    const server = random.below(SERVERS);
    switch (random.below(14)) {
      case 0:
        if (node.alive) node.kill();
        break;
      case 1:
      case 2:
        if (!node.alive) this.start(id);
        break;
      case 3:
        ensemble.cut(node.client);
        break;
      case 4:
        for (const each of world.nodes.values()) ensemble.heal(each.client);
        break;
      case 5:
        ensemble.dropConnections(node.client);
        break;
      case 6:
        ensemble.expireSessions(node.client);
        break;
      case 7:
        ensemble.killServer(server);
        break;
      case 8:
        ensemble.hangServer(server);
        break;
      case 9:
        for (let each = 0; each < SERVERS; each++) {
          ensemble.resumeServer(each);
          ensemble.startServer(each);
        }
        break;
      case 10:
        world.cutLinks.add(`${id}-${1 + (id % NODES)}`);
        break;
      case 11:
      case 12:
        world.deaf.add(id);
        break;
      default:
        world.cutLinks.clear();
        world.deaf.clear();
    }
  }

  async rest(): Promise<MetadataImage> {
    const { world } = this;
    const { ensemble } = world;
    for (const node of world.nodes.values()) ensemble.heal(node.client);
    for (let server = 0; server < SERVERS; server++) {
      ensemble.resumeServer(server);
      ensemble.startServer(server);
    }
    world.cutLinks.clear();
    world.deaf.clear();
    for (const { id, alive } of [...world.nodes.values()]) if (!alive) this.start(id);
    let leader = await world.leader(REST_MS);
    for (let count = 0; ; count++) {
      const { status } = await world.settled(leader.quorum.append(topicRecords(`last-${count}`, 1)));
      if (status === 'fulfilled') break;
      assert.ok(count < 5, 'at rest a write succeeds');
      leader = await world.leader(REST_MS);
    }
    // A process that is gone tells nothing.
    const told = (): boolean => this.attempts.every(({ outcome, by }) => outcome !== 'pending' || !by.alive);
    await world.until(told, 'every append was answered', REST_MS);
    for (const attempt of this.attempts) if (attempt.outcome === 'pending') attempt.outcome = 'unknown';
    const { offset } = leader.quorum.image();
    await world.until(
      () => world.living.every(({ quorum }) => quorum.image().offset === offset),
      'all follow',
      REST_MS,
    );
    return leader.quorum.image();
  }

  check(image: MetadataImage): void {
    assert.equal(this.late, undefined, 'nobody writes in an epoch that is over');
    const present = ({ kind, name }: Attempt): boolean => {
      if (kind === 'create') return image.topics.byName.has(name);
      return [0, 1, 2].some((group) => configsOf(image, RESOURCE_TYPE.GROUP, `g/${group}`).has(name));
    };
    const deletions = new Map(this.attempts.filter(({ kind }) => kind === 'delete').map((each) => [each.name, each]));
    for (const attempt of this.attempts) {
      const { kind, name, outcome } = attempt;
      if (kind === 'delete') {
        if (outcome === 'committed') assert.ok(!image.topics.byName.has(name), `${name} was deleted`);
        continue;
      }
      const deletion = deletions.get(name)?.outcome;
      if (outcome === 'committed' && (deletion === undefined || deletion === 'not made')) {
        assert.ok(present(attempt), `${name} was committed`);
      }
      if (outcome === 'not made') assert.ok(!present(attempt), `${name} was not made`);
    }
  }
}

function namesIn(delta: MetadataDelta): unknown {
  return {
    created: delta.createdTopics.map(({ name }) => name).sort(),
    deleted: delta.deletedTopics.map(({ name }) => name).sort(),
    changed: delta.changedTopics.map(({ topic }) => topic.name).sort(),
    configs: delta.changedConfigs.map(({ resourceType, resourceName }) => `${resourceType}:${resourceName}`).sort(),
  };
}

function topicRecords(name: string, partitions: number): MetadataRecord[] {
  const topicId = Buffer.from(name.padEnd(16, '-')).toString('base64url');
  const replicas = { replicas: [1, 2], isr: [1, 2], removingReplicas: [], addingReplicas: [], directories: [] };
  const led = { leader: 1, leaderEpoch: 0, partitionEpoch: 0 };
  return [
    newRecord('topic', { name, topicId }),
    ...Array.from({ length: partitions }, (_, partitionId) =>
      newRecord('partition', { topicId, partitionId, ...replicas, ...led }),
    ),
  ];
}

async function walk(seed: number): Promise<string> {
  const course = new Walk(seed);
  const { world } = course;
  for (let id = 1; id <= NODES; id++) course.start(id);
  for (let step = 0; step < STEPS; step++) {
    for (const node of world.active) {
      for (let count = world.random.below(4); count > 0; count--) course.append(node);
    }
    if (world.random.below(3) === 0) course.disturb();
    await world.run(world.random.below(4) === 0 ? world.random.below(4000) : world.random.below(200));
  }
  const image = await course.rest();
  course.check(image);
  const stored = contentOf(await world.stored());
  for (const { quorum, failures } of world.living) {
    assert.deepEqual(contentOf(quorum.image()), stored);
    assert.deepEqual(failures, []);
  }
  const count = (outcome: Outcome): number => course.attempts.filter((each) => each.outcome === outcome).length;
  return `${count('committed')} ${count('not made')} ${count('unknown')} ${course.writers.size}`;
}

test('quorums keep their promises through whatever happens to processes, links and servers', async () => {
  const totals = [0, 0, 0, 0];
  for (let seed = FIRST_SEED; seed < FIRST_SEED + SEEDS; seed++) {
    try {
      for (const [index, text] of (await walk(seed)).split(' ').entries()) totals[index]! += Number(text);
    } catch (error) {
      throw new Error(`seed ${seed}`, { cause: error });
    }
  }
  const [committed, notMade, unknown, epochs] = totals;
  console.log(`${committed} appends committed, ${notMade} not made, ${unknown} of unknown outcome, ${epochs} epochs`);
  assert.ok(
    committed! > 10 * SEEDS && notMade! > SEEDS && unknown! > SEEDS && epochs! > 2 * SEEDS,
    'the walks met all of it',
  );
});
