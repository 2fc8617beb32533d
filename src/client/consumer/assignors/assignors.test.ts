import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { partitionName, type TopicPartition } from '../../../base/units.ts';
import type { ClassicAssignment, ClassicAssignor, JoinedMember } from './assignor.ts';
import { rangeAssignor } from './range.ts';
import { roundRobinAssignor } from './round-robin.ts';
import { cooperativeStickyAssignor, readHeld, stickyAssignor, writeHeld } from './sticky.ts';

const ALL: readonly ClassicAssignor[] = [rangeAssignor, roundRobinAssignor, stickyAssignor, cooperativeStickyAssignor];

function member(memberId: string, topics: readonly string[], more: Partial<JoinedMember> = {}): JoinedMember {
  return { memberId, instanceId: null, topics, owned: [], generation: -1, userData: null, rack: null, ...more };
}

function told(assignment: ClassicAssignment): Record<string, string[]> {
  return Object.fromEntries(
    [...assignment].map(([id, own]) => [id, own.map(({ topic, partition }) => partitionName(topic, partition)).sort()]),
  );
}

/** The member as it joins again, holding what it was given. */
function again(
  one: JoinedMember,
  assignor: ClassicAssignor,
  partitions: readonly TopicPartition[],
  generation: number,
) {
  const userData = assignor.userData({ partitions, generation });
  return { ...one, owned: assignor.cooperative ? partitions : [], generation, userData };
}

/** Joins until nobody has to let go of anything: what a group does by itself. */
function settle(assignor: ClassicAssignor, members: readonly JoinedMember[], topics: ReadonlyMap<string, number>) {
  let joined = members;
  let generation = 10;
  for (let round = 0; round < 3; round++) {
    const assignment = assignor.assign(joined, topics);
    joined = joined.map((one) => again(one, assignor, assignment.get(one.memberId)!, generation));
    generation++;
    if (round === 2) return { assignment, joined };
  }
  throw new Error('unreachable');
}

test('range gives consecutive partitions, the first members one more, static members before others', () => {
  const members = [member('b', ['t', 'u']), member('a', ['t']), member('z', ['t', 'u'], { instanceId: 'i' })];
  assert.deepEqual(
    told(
      rangeAssignor.assign(
        members,
        new Map([
          ['t', 4],
          ['u', 3],
        ]),
      ),
    ),
    {
      z: ['t-0', 't-1', 'u-0', 'u-1'],
      a: ['t-2'],
      b: ['t-3', 'u-2'],
    },
  );
});

test('roundrobin deals over all topics and passes over who does not want one', () => {
  const members = [member('a', ['t', 'u']), member('b', ['t'])];
  assert.deepEqual(
    told(
      roundRobinAssignor.assign(
        members,
        new Map([
          ['t', 3],
          ['u', 2],
        ]),
      ),
    ),
    {
      a: ['t-0', 't-2', 'u-0', 'u-1'],
      b: ['t-1'],
    },
  );
});

test('what a sticky member held is read back, also without a generation, and foreign bytes are nothing', () => {
  const held = {
    partitions: [
      { topic: 'tä', partition: 3 },
      { topic: 'tä', partition: 1 },
    ],
    generation: 7,
  };
  const bytes = writeHeld(held);
  assert.equal(bytes.toString('hex'), '00000001000374c3a400000002000000030000000100000007');
  assert.deepEqual(readHeld(bytes), held);
  assert.deepEqual(readHeld(bytes.subarray(0, -4)), { ...held, generation: -1 });
  assert.equal(readHeld(Buffer.from('0000000500', 'hex')), undefined);
});

test('a cooperative member gets what another one holds only after that one has let go', () => {
  const topics = new Map([['t', 4]]);
  const all = [0, 1, 2, 3].map((partition) => ({ topic: 't', partition }));
  const old = member('old', ['t'], { owned: all, generation: 1 });
  const joining = [old, member('new', ['t'])];
  assert.deepEqual(told(cooperativeStickyAssignor.assign(joining, topics)), { old: ['t-0', 't-1'], new: [] });
  const after = [{ ...old, owned: all.slice(0, 2), generation: 2 }, member('new', ['t'], { generation: 2 })];
  assert.deepEqual(told(cooperativeStickyAssignor.assign(after, topics)), {
    old: ['t-0', 't-1'],
    new: ['t-2', 't-3'],
  });
});

test('a claim of a later generation wins; two of one generation are both void', () => {
  const own = [{ topic: 't', partition: 0 }];
  const topics = new Map([['t', 2]]);
  const early = member('a', ['t'], { owned: own, generation: 3 });
  const late = member('b', ['t'], { owned: own, generation: 4 });
  assert.deepEqual(told(cooperativeStickyAssignor.assign([early, late], topics)), { a: ['t-1'], b: [] });
  const same = told(cooperativeStickyAssignor.assign([early, { ...late, generation: 3 }], topics));
  assert.ok(!Object.values(same).flat().includes('t-0'), JSON.stringify(same));
});

const groups = fc.record({
  counts: fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 4 }),
  wants: fc.array(fc.array(fc.integer({ min: 0, max: 3 }), { maxLength: 4 }), { minLength: 1, maxLength: 6 }),
  alike: fc.boolean(),
});

for (const assignor of ALL) {
  test(`${assignor.name} gives every wanted partition to exactly one member that wants it`, () => {
    fc.assert(
      fc.property(groups, ({ counts, wants, alike }) => {
        const topics = new Map(counts.map((count, index) => [`t${index}`, count]));
        const members = wants.map((want, index) =>
          member(
            `m${index}`,
            [...new Set(alike ? wants[0]! : want)].map((each) => `t${each}`),
          ),
        );
        const { assignment } = settle(assignor, members, topics);
        const given = new Set<string>();
        for (const { memberId, topics: wanted } of members) {
          for (const { topic, partition } of assignment.get(memberId)!) {
            assert.ok(wanted.includes(topic));
            assert.ok(!given.has(partitionName(topic, partition)));
            given.add(partitionName(topic, partition));
          }
        }
        const wanted = new Set(members.flatMap((each) => each.topics));
        const expected = [...topics].reduce((sum, [topic, count]) => sum + (wanted.has(topic) ? count : 0), 0);
        assert.equal(given.size, expected);
      }),
    );
  });
}

for (const assignor of [stickyAssignor, cooperativeStickyAssignor]) {
  test(`${assignor.name} is even, moves nothing without need, and only what it must when members come and go`, () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 30 }),
        fc.integer({ min: 1, max: 6 }),
        fc.boolean(),
        (count, size, leaves) => {
          const topics = new Map([['t', count]]);
          const members = Array.from({ length: size + 1 }, (_, index) => member(`m${index}`, ['t']));
          const first = settle(assignor, leaves ? members : members.slice(1), topics);
          const same = assignor.assign(first.joined, topics);
          assert.deepEqual(told(same), told(first.assignment));
          const changed = leaves ? first.joined.slice(1) : [...first.joined, members[0]!];
          const second = settle(assignor, changed, topics).assignment;
          const sizes = [...second.values()].map((own) => own.length);
          assert.ok(Math.max(...sizes) - Math.min(...sizes) <= 1);
          const before = told(first.assignment);
          const kept = Object.entries(told(second)).reduce(
            (sum, [id, own]) => sum + own.filter((name) => before[id]?.includes(name)).length,
            0,
          );
          const must = leaves ? count - first.assignment.get('m0')!.length : count - second.get('m0')!.length;
          assert.equal(kept, must);
        },
      ),
    );
  });
}

test('members that want different topics are as even as single moves can make them', () => {
  const topics = new Map([
    ['t0', 3],
    ['t1', 6],
  ]);
  const members = [member('a', ['t0', 't1']), member('b', ['t1']), member('c', ['t0'])];
  for (const assignor of [stickyAssignor, cooperativeStickyAssignor]) {
    const { assignment } = settle(assignor, members, topics);
    for (const own of assignment.values()) {
      for (const { topic } of own) {
        const others = members.filter((each) => each.topics.includes(topic));
        const least = Math.min(...others.map(({ memberId }) => assignment.get(memberId)!.length));
        assert.ok(own.length - least < 2, JSON.stringify(told(assignment)));
      }
    }
  }
});

test('members get partitions that have a replica where they are, as far as shares stay even', () => {
  const members = [member('a', ['t', 'u'], { rack: 'east' }), member('b', ['t', 'u'], { rack: 'west' })];
  const topics = new Map([
    ['t', 4],
    ['u', 4],
  ]);
  const near = (rack: string) => new Set([rack]);
  const places = [near('west'), near('west'), near('east'), near('west')];
  const racks = new Map([
    ['t', places],
    ['u', places],
  ]);
  for (const assignor of [rangeAssignor, stickyAssignor, cooperativeStickyAssignor]) {
    const assignment = assignor.assign(members, topics, racks);
    const isEast = ({ partition }: TopicPartition): boolean => partition === 2;
    assert.equal(assignment.get('a')!.filter(isEast).length, 2, assignor.name);
    assert.deepEqual(
      [...assignment.values()].map(({ length }) => length),
      [4, 4],
      assignor.name,
    );
  }
  // Topics that are cut alike stay so.
  const numbers = (topic: string) =>
    rangeAssignor
      .assign(members, topics, racks)
      .get('a')!
      .filter((each) => each.topic === topic)
      .map((each) => each.partition);
  assert.deepEqual(numbers('t'), numbers('u'));
});
