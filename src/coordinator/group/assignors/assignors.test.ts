import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Uuid } from '../../../base/uuid.ts';
import { type Assignor, type GroupAssignment, type GroupSpec, type MemberSpec, NO_PARTITIONS } from './assignor.ts';
import { rangeAssignor } from './range.ts';
import { uniformAssignor } from './uniform.ts';

const RUNS = 300;
const seed = Number(process.env['SLUICE_SEED'] ?? Math.floor(Math.random() * 2 ** 31));
const topicId = (index: number): Uuid => Buffer.alloc(16, index + 1).toString('base64url');

interface Shape {
  readonly counts: readonly number[];
  /** Topic indexes of each member. */
  readonly wants: readonly (readonly number[])[];
  readonly homogeneous: boolean;
}

function specOf({ counts, wants, homogeneous }: Shape, before: GroupAssignment = new Map()): GroupSpec {
  const members = new Map<string, MemberSpec>(
    wants.map((topics, index) => [
      `m${index}`,
      {
        instanceId: index % 3 === 2 ? `i${index}` : null,
        rackId: null,
        subscribedTopicIds: new Set(topics.map(topicId)),
        assignment: before.get(`m${index}`) ?? NO_PARTITIONS,
      },
    ]),
  );
  return {
    members,
    homogeneous,
    partitionCount: (id) => counts[counts.findIndex((_, index) => topicId(index) === id)]!,
    isAssigned: (id, partition) => [...members.values()].some(({ assignment }) => assignment.get(id)?.has(partition)),
  };
}

const shapes: fc.Arbitrary<Shape> = fc
  .record({
    counts: fc.array(fc.integer({ min: 1, max: 12 }), { minLength: 1, maxLength: 5 }),
    members: fc.integer({ min: 1, max: 9 }),
    homogeneous: fc.boolean(),
  })
  .chain(({ counts, members, homogeneous }) => {
    const some = fc.subarray(counts.map((_, index) => index));
    const wants = homogeneous
      ? some.map((topics) => Array.from({ length: members }, () => topics))
      : fc.array(some, { minLength: members, maxLength: members });
    return wants.map((chosen) => ({ counts, wants: chosen, homogeneous }));
  });

/** Owners by partition; fails where two own one, or somebody owns what it does not want. */
function ownersOf(spec: GroupSpec, assignment: GroupAssignment): Map<string, string> {
  const owners = new Map<string, string>();
  for (const [memberId, topics] of assignment) {
    for (const [id, partitions] of topics) {
      assert.ok(spec.members.get(memberId)!.subscribedTopicIds.has(id), `${memberId} wants the topic`);
      for (const partition of partitions) {
        assert.equal(owners.has(`${id}:${partition}`), false, `one owner of ${id}:${partition}`);
        owners.set(`${id}:${partition}`, memberId);
      }
    }
  }
  return owners;
}

function wanted({ counts, wants }: Shape): number {
  return counts.reduce((sum, count, index) => sum + (wants.some((topics) => topics.includes(index)) ? count : 0), 0);
}

const sizeOf = (assignment: GroupAssignment, memberId: string): number =>
  [...(assignment.get(memberId) ?? NO_PARTITIONS).values()].reduce((sum, partitions) => sum + partitions.size, 0);

function check(title: string, property: fc.IPropertyWithHooks<[Shape]>): void {
  test(`${title} (seed ${seed})`, () => fc.assert(property, { seed, numRuns: RUNS }));
}

for (const assignor of [uniformAssignor, rangeAssignor] satisfies Assignor[]) {
  check(
    `${assignor.name} gives every wanted partition to one member that wants it`,
    fc.property(shapes, (shape) => {
      const spec = specOf(shape);
      assert.equal(ownersOf(spec, assignor.assign(spec)).size, wanted(shape));
    }),
  );

  check(
    `${assignor.name} changes nothing where nothing changed`,
    fc.property(shapes, (shape) => {
      const before = assignor.assign(specOf(shape));
      const spec = specOf(shape, before);
      assert.deepEqual(ownersOf(spec, assignor.assign(spec)), ownersOf(spec, before));
    }),
  );
}

check(
  'uniform gives members that want the same equally much',
  fc.property(shapes, (shape) => {
    const assignment = uniformAssignor.assign(specOf(shape));
    if (!shape.homogeneous) return;
    const sizes = shape.wants.map((_, index) => sizeOf(assignment, `m${index}`));
    assert.ok(Math.max(...sizes) - Math.min(...sizes) <= 1, sizes.join());
  }),
);

check(
  'uniform leaves no partition where another member that wants it has two fewer and both want only that topic',
  fc.property(shapes, (shape) => {
    const spec = specOf(shape);
    const assignment = uniformAssignor.assign(spec);
    for (const [left, leftWants] of shape.wants.entries()) {
      for (const [right, rightWants] of shape.wants.entries()) {
        if (leftWants.join() !== rightWants.join()) continue;
        assert.ok(Math.abs(sizeOf(assignment, `m${left}`) - sizeOf(assignment, `m${right}`)) <= 1);
      }
    }
  }),
);

check(
  'uniform moves no more than it must when a member joins or leaves',
  fc.property(shapes, (shape) => {
    if (!shape.homogeneous) return;
    const before = uniformAssignor.assign(specOf(shape));
    for (const wants of [[...shape.wants, shape.wants[0]!], shape.wants.slice(0, -1)]) {
      if (wants.length === 0) continue;
      const spec = specOf({ ...shape, wants }, before);
      const owners = ownersOf(spec, uniformAssignor.assign(spec));
      const least = Math.floor(wanted(shape) / wants.length);
      const kept = [...ownersOf(specOf(shape), before)].filter(([partition, owner]) => owners.get(partition) === owner);
      const keepable = shape.wants
        .map((_, index) => (index < wants.length ? Math.min(sizeOf(before, `m${index}`), least) : 0))
        .reduce((sum, size) => sum + size, 0);
      assert.ok(kept.length >= keepable, `${kept.length} kept of ${keepable}`);
    }
  }),
);

test('a group without members is assigned nothing', () => {
  const spec = specOf({ counts: [3], wants: [], homogeneous: true });
  for (const assignor of [uniformAssignor, rangeAssignor]) assert.equal(assignor.assign(spec).size, 0);
});

test('range gives the first members one partition more, static members first', () => {
  const spec = specOf({
    counts: [4, 4],
    wants: [
      [0, 1],
      [0, 1],
      [0, 1],
    ],
    homogeneous: true,
  });
  const assignment = rangeAssignor.assign(spec);
  const of = (memberId: string): number[][] => [...assignment.get(memberId)!.values()].map((range) => [...range]);
  assert.deepEqual(
    [of('m2'), of('m0'), of('m1')],
    [
      [
        [0, 1],
        [0, 1],
      ],
      [[2], [2]],
      [[3], [3]],
    ],
  );
});
