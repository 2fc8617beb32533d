import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { LayeredMap } from './layered-map.ts';

test('every version behaves as a map copied at that moment, whatever came after', () => {
  const change = fc.tuple(fc.integer({ min: 0, max: 300 }), fc.option(fc.integer(), { nil: undefined }));
  fc.assert(
    fc.property(fc.array(fc.array(change, { maxLength: 40 }), { maxLength: 40 }), (batches) => {
      let layered = LayeredMap.empty<number, number>();
      const plain = new Map<number, number>();
      const versions: [LayeredMap<number, number>, [number, number][]][] = [];
      for (const batch of batches) {
        layered = layered.with(new Map(batch));
        for (const [key, value] of new Map(batch)) {
          if (value === undefined) plain.delete(key);
          else plain.set(key, value);
        }
        versions.push([layered, [...plain]]);
      }
      for (const [version, entries] of versions) {
        assert.equal(version.size, entries.length);
        assert.deepEqual([...version].sort(byKey), entries.sort(byKey));
        assert.deepEqual([...version.keys()].sort(), entries.map(([key]) => key).sort());
        for (const [key, value] of entries) assert.equal(version.get(key), value);
        assert.equal(version.has(1000), false);
      }
    }),
  );
});

test('a change costs far less than the size of the map', () => {
  let layered = LayeredMap.empty<number, number>().with(
    new Map(Array.from({ length: 100_000 }, (_, key) => [key, key])),
  );
  const started = process.hrtime.bigint();
  for (let round = 0; round < 1000; round++) layered = layered.with(new Map([[round, -round]]));
  const tookMs = Number(process.hrtime.bigint() - started) / 1e6;
  // Copying 100,000 entries a thousand times takes seconds.
  assert.ok(tookMs < 1000, `1,000 changes took ${tookMs} ms`);
  assert.equal(layered.size, 100_000);
});

function byKey(left: [number, number], right: [number, number]): number {
  return left[0] - right[0];
}
