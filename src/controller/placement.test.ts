import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { seededRandom } from '../base/random.ts';
import { placeReplicas, type UsableBroker } from './placement.ts';

const broker = (id: number, rack: string | null = null, fenced = false): UsableBroker => ({ id, rack, fenced });

function place(brokers: UsableBroker[], partitions: number, replicationFactor: number, seed = 1) {
  const placed = placeReplicas(brokers, { partitions, replicationFactor }, seededRandom(seed));
  assert.ok(typeof placed !== 'string', String(placed));
  return placed;
}

test('replicas are distinct, the leader is up, and each rack has one before any has two', () => {
  const brokers = fc
    .array(fc.record({ rack: fc.constantFrom('a', 'b', 'c', null), fenced: fc.boolean() }), {
      minLength: 1,
      maxLength: 12,
    })
    .map((list) => list.map((parts, id) => ({ id, ...parts })))
    .filter((list) => list.some(({ fenced }) => !fenced));
  fc.assert(
    fc.property(brokers, fc.nat(), fc.nat(11), (list, seed, factor) => {
      const replicationFactor = 1 + (factor % list.length);
      const byId = new Map(list.map((entry) => [entry.id, entry]));
      for (const replicas of place(list, 20, replicationFactor, seed)) {
        assert.equal(new Set(replicas).size, replicationFactor);
        assert.equal(byId.get(replicas[0]!)!.fenced, false);
        const racks = replicas.map((id) => byId.get(id)!.rack);
        const allRacks = new Set(list.map(({ rack }) => rack));
        assert.equal(new Set(racks).size, Math.min(replicationFactor, allRacks.size));
      }
    }),
  );
});

test('leaders and replicas are spread evenly over like brokers', () => {
  const brokers = [1, 2, 3, 4, 5, 6].map((id) => broker(id, `rack-${id % 3}`));
  for (const seed of [1, 2, 3]) {
    const placed = place(brokers, 600, 3, seed);
    const leaders = new Map<number, number>();
    const replicas = new Map<number, number>();
    for (const assignment of placed) {
      leaders.set(assignment[0]!, (leaders.get(assignment[0]!) ?? 0) + 1);
      for (const id of assignment) replicas.set(id, (replicas.get(id) ?? 0) + 1);
    }
    for (const { id } of brokers) {
      assert.ok(Math.abs(leaders.get(id)! - 100) <= 5, `broker ${id} leads ${leaders.get(id)}`);
      assert.ok(Math.abs(replicas.get(id)! - 300) <= 15, `broker ${id} holds ${replicas.get(id)}`);
    }
  }
});

test('a fenced broker gets a replica only where its rack has no other left', () => {
  const brokers = [broker(1, 'a'), broker(2, 'a', true), broker(3, 'b'), broker(4, 'b', true)];
  for (const replicas of place(brokers, 50, 2)) assert.deepEqual([...replicas].sort(), [1, 3]);
  for (const replicas of place(brokers, 50, 3)) assert.ok(replicas.includes(1) && replicas.includes(3));
});

test('the same seed places the same', () => {
  const brokers = [1, 2, 3, 4].map((id) => broker(id));
  assert.deepEqual(place(brokers, 30, 2, 9), place(brokers, 30, 2, 9));
});

test('what cannot be placed is told in words', () => {
  const why = (brokers: UsableBroker[], replicationFactor: number) =>
    placeReplicas(brokers, { partitions: 1, replicationFactor }, seededRandom(1));
  assert.match(String(why([broker(1)], 2)), /needs as many brokers; registered: 1/);
  assert.match(String(why([broker(1, null, true)], 1)), /all brokers are fenced/);
  assert.match(String(why([], 1)), /all brokers are fenced/);
  assert.match(String(why([broker(1)], 0)), /must be positive/);
});
