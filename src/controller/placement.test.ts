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

/** Most minus least of what each broker was given. */
function spread(brokers: readonly UsableBroker[], given: readonly number[]): number {
  const counts = brokers.map(({ id }) => given.filter((each) => each === id).length);
  return Math.max(...counts) - Math.min(...counts);
}

const leadersOf = (placed: readonly (readonly number[])[]): number[] => placed.map(([leader]) => leader!);

test('brokers differ by one leader and one replica at most, however many partitions there are', () => {
  const shape = fc.record({
    count: fc.integer({ min: 1, max: 9 }),
    factor: fc.nat(8),
    partitions: fc.nat(70),
    seed: fc.nat(),
  });
  fc.assert(
    fc.property(shape, ({ count, factor, partitions, seed }) => {
      const brokers = Array.from({ length: count }, (_, id) => broker(id));
      const placed = place(brokers, partitions, 1 + (factor % count), seed);
      assert.ok(spread(brokers, leadersOf(placed)) <= 1);
      assert.ok(spread(brokers, placed.flat()) <= 1);
    }),
  );
});

test('racks of one size get as much each, and so do their brokers', () => {
  const shape = fc.record({
    racks: fc.integer({ min: 2, max: 4 }),
    size: fc.integer({ min: 1, max: 3 }),
    partitions: fc.nat(70),
    seed: fc.nat(),
  });
  fc.assert(
    fc.property(shape, ({ racks, size, partitions, seed }) => {
      const brokers = Array.from({ length: racks * size }, (_, id) => broker(id, `rack-${id % racks}`));
      const placed = place(brokers, partitions, racks, seed);
      assert.ok(spread(brokers, leadersOf(placed)) <= 1);
      assert.ok(spread(brokers, placed.flat()) <= 2);
    }),
  );
});

test('leaders are spread over racks of different sizes as well', () => {
  const brokers = [broker(1, 'a'), broker(2, 'b'), broker(3, 'b'), broker(4, 'b')];
  assert.ok(spread(brokers, leadersOf(place(brokers, 40, 2))) <= 1);
});

test('brokers share partitions with all others, so that the load of one that goes is taken by many', () => {
  const brokers = Array.from({ length: 6 }, (_, id) => broker(id));
  const placed = place(brokers, 300, 3);
  for (const { id } of brokers) {
    const others = new Set(placed.filter((replicas) => replicas[0] === id).map((replicas) => replicas[1]));
    assert.equal(others.size, 5, `of broker ${id} take over: ${[...others]}`);
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
