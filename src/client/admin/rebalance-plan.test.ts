import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  type PlannedBroker,
  type PlannedPartition,
  planDrain,
  planRebalance,
  type RebalancePlan,
} from './rebalance-plan.ts';

const broker = (id: number, rack: string | null = null): PlannedBroker => ({ id, rack });

function partitionsOf(...replicas: readonly (readonly number[])[]): PlannedPartition[] {
  return replicas.map((ids, partition) => ({ topic: `topic-${partition % 3}`, partition, replicas: ids, bytes: 1 }));
}

/** The partitions once the plan has been carried out. */
function carriedOut(partitions: readonly PlannedPartition[], { moves }: RebalancePlan): PlannedPartition[] {
  const targets = new Map(moves.map(({ topic, partition, target }) => [`${topic}/${partition}`, target]));
  return partitions.map((each) => ({
    ...each,
    replicas: targets.get(`${each.topic}/${each.partition}`) ?? each.replicas,
  }));
}

function spread(counts: readonly number[]): number {
  return Math.max(...counts) - Math.min(...counts);
}

const replicasOn = (partitions: readonly PlannedPartition[], id: number): number =>
  partitions.filter(({ replicas }) => replicas.includes(id)).length;
const preferredOn = (partitions: readonly PlannedPartition[], id: number): number =>
  partitions.filter(({ replicas }) => replicas[0] === id).length;

/** Replicas that come to lie on another broker. */
function movedReplicas({ moves }: RebalancePlan): number {
  return moves.reduce((sum, { replicas, target }) => sum + target.filter((id) => !replicas.includes(id)).length, 0);
}

const clusterOf = (racks: fc.Arbitrary<string | null>) =>
  fc.array(racks, { minLength: 1, maxLength: 8 }).chain((list) => {
    const brokers = list.map((rack, id) => broker(id, rack));
    const replicas = fc.shuffledSubarray(
      brokers.map(({ id }) => id),
      { minLength: 1, maxLength: Math.min(4, brokers.length) },
    );
    return fc.record({ brokers: fc.constant(brokers), replicas: fc.array(replicas, { maxLength: 40 }) });
  });

test('after a rebalance brokers differ by one replica and one preferred leader at most, where there are no racks', () => {
  fc.assert(
    fc.property(clusterOf(fc.constant(null)), fc.nat(3), ({ brokers, replicas }, added) => {
      const all = [...brokers, ...Array.from({ length: added }, (_, extra) => broker(100 + extra))];
      const partitions = partitionsOf(...replicas);
      const plan = planRebalance(all, partitions);
      const after = carriedOut(partitions, plan);
      assert.ok(spread(all.map(({ id }) => replicasOn(after, id))) <= 1);
      assert.deepEqual(plan.stuck, []);
      for (const [at, { replicas: now }] of after.entries()) {
        assert.equal(new Set(now).size, now.length);
        assert.equal(now.length, partitions[at]!.replicas.length);
      }
    }),
  );
});

test('no more replicas move than lie above the share of their brokers', () => {
  fc.assert(
    fc.property(clusterOf(fc.constant(null)), fc.nat(3), ({ brokers, replicas }, added) => {
      const all = [...brokers, ...Array.from({ length: added }, (_, extra) => broker(100 + extra))];
      const partitions = partitionsOf(...replicas);
      const counts = all.map(({ id }) => replicasOn(partitions, id));
      const total = counts.reduce((sum, count) => sum + count, 0);
      const floor = Math.floor(total / all.length);
      const above = counts.reduce((sum, count) => sum + Math.max(0, count - floor - 1), 0);
      const below = counts.reduce((sum, count) => sum + Math.max(0, floor - count), 0);
      const exact = total % all.length === 0;
      const least = exact ? counts.reduce((sum, count) => sum + Math.max(0, count - floor), 0) : Math.max(above, below);
      assert.equal(movedReplicas(planRebalance(all, partitions)), least);
    }),
  );
});

test('a second plan is empty, whatever the racks', () => {
  fc.assert(
    fc.property(clusterOf(fc.constantFrom('a', 'b', 'c', null)), ({ brokers, replicas }) => {
      const partitions = partitionsOf(...replicas);
      const after = carriedOut(partitions, planRebalance(brokers, partitions));
      assert.deepEqual(planRebalance(brokers, after).moves, []);
    }),
  );
});

test('each rack has a replica before any has two, as far as there are racks', () => {
  fc.assert(
    fc.property(clusterOf(fc.constantFrom('a', 'b', 'c')), ({ brokers, replicas }) => {
      const partitions = partitionsOf(...replicas);
      const racks = new Map(brokers.map(({ id, rack }) => [id, rack]));
      for (const { replicas: now } of carriedOut(partitions, planRebalance(brokers, partitions))) {
        const wanted = Math.min(now.length, new Set(racks.values()).size);
        assert.equal(new Set(now.map((id) => racks.get(id))).size, wanted);
      }
    }),
  );
});

test('with racks of one size brokers differ by one replica at most', () => {
  const racked = fc.tuple(fc.integer({ min: 2, max: 3 }), fc.integer({ min: 1, max: 3 })).chain(([racks, size]) => {
    const brokers = Array.from({ length: racks * size }, (_, id) => broker(id, `rack-${id % racks}`));
    const ids = brokers.map(({ id }) => id);
    const replicas = fc.shuffledSubarray(ids, { minLength: racks, maxLength: racks });
    return fc.record({ brokers: fc.constant(brokers), replicas: fc.array(replicas, { maxLength: 30 }) });
  });
  fc.assert(
    fc.property(racked, ({ brokers, replicas }) => {
      const partitions = partitionsOf(...replicas);
      const after = carriedOut(partitions, planRebalance(brokers, partitions));
      assert.ok(spread(brokers.map(({ id }) => replicasOn(after, id))) <= 1);
    }),
  );
});

test('preferred leaders differ by one at most where every broker holds every partition', () => {
  fc.assert(
    fc.property(fc.array(fc.shuffledSubarray([1, 2, 3], { minLength: 3 }), { maxLength: 20 }), (replicas) => {
      const brokers = [1, 2, 3].map((id) => broker(id));
      const partitions = partitionsOf(...replicas);
      const plan = planRebalance(brokers, partitions);
      assert.equal(movedReplicas(plan), 0);
      const after = carriedOut(partitions, plan);
      assert.ok(spread([1, 2, 3].map((id) => preferredOn(after, id))) <= 1);
    }),
  );
});

test('a drained broker holds nothing afterwards, and nothing moves but what it held', () => {
  fc.assert(
    fc.property(clusterOf(fc.constantFrom('a', 'b', null)), fc.nat(), ({ brokers, replicas }, pick) => {
      const drained = brokers[pick % brokers.length]!.id;
      const staying = brokers.filter(({ id }) => id !== drained);
      const partitions = partitionsOf(...replicas);
      const plan = planDrain(staying, partitions);
      const stuck = new Set(plan.stuck.map(({ partition }) => partition));
      for (const [at, { replicas: now, partition }] of carriedOut(partitions, plan).entries()) {
        const before = partitions[at]!.replicas;
        if (stuck.has(partition)) assert.ok(before.length > staying.length);
        else assert.ok(!now.includes(drained));
        for (const [place, id] of before.entries()) if (id !== drained) assert.equal(now[place], id);
      }
    }),
  );
});

test('a new broker gets its share of every topic, not all of one', () => {
  const partitions = Array.from({ length: 24 }, (_, at) => ({
    topic: at < 12 ? 'empty' : 'full',
    partition: at % 12,
    replicas: [1 + (at % 2), 2 - (at % 2)],
    bytes: at < 12 ? 0 : 1000,
  }));
  const brokers = [broker(1), broker(2), broker(3)];
  const after = carriedOut(partitions, planRebalance(brokers, partitions));
  for (const topic of ['empty', 'full']) {
    assert.equal(
      replicasOn(
        after.filter((each) => each.topic === topic),
        3,
      ),
      8,
    );
  }
});

test('of a topic the small partitions move', () => {
  const partitions = [900, 5, 700, 3].map((bytes, partition) => ({ topic: 'a', partition, replicas: [1], bytes }));
  const { moves } = planRebalance([broker(1), broker(2)], partitions);
  assert.deepEqual(
    moves.map(({ partition }) => partition),
    [1, 3],
  );
});

test('thousands of partitions are planned within seconds', () => {
  const brokers = Array.from({ length: 10 }, (_, id) => broker(id, `rack-${id % 3}`));
  const partitions = Array.from({ length: 6000 }, (_, at) => ({
    topic: `topic-${at % 50}`,
    partition: at,
    replicas: [at % 8, (at + 1) % 8, (at + 2) % 8],
    bytes: at,
  }));
  // Of this process alone: on a busy machine others take their turns.
  const before = process.cpuUsage();
  const after = carriedOut(partitions, planRebalance(brokers, partitions));
  // A replica in every rack leaves no choice between racks, only within each.
  for (const rack of [0, 1, 2]) {
    const members = brokers.filter(({ id }) => id % 3 === rack);
    assert.ok(spread(members.map(({ id }) => replicasOn(after, id))) <= 1);
  }
  const { user, system } = process.cpuUsage(before);
  const seconds = (user + system) / 1e6;
  assert.ok(seconds < 30, `took ${seconds} s`);
});
