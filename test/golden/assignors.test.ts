/** Holds the assignors against assignments that Apache Kafka 4.3's own classes made of the same groups. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { GroupSpec, TopicPartitions } from '../../src/coordinator/group/assignors/assignor.ts';
import { rangeAssignor } from '../../src/coordinator/group/assignors/range.ts';
import { uniformAssignor } from '../../src/coordinator/group/assignors/uniform.ts';
import { projectRoot } from '../support/declared-schemas.ts';

type Partitions = Record<string, number[]>;
interface Case {
  readonly homogeneous: boolean;
  readonly topics: Record<string, number>;
  readonly members: readonly { id: string; instance: string | null; topics: string[]; old: Partitions }[];
  readonly expected: Record<string, Record<string, Partitions>>;
}

const cases = JSON.parse(
  readFileSync(join(projectRoot, 'test/golden/assignors/kafka-4.3.json'), 'utf8'),
) as readonly Case[];

function specOf({ homogeneous, topics, members }: Case): GroupSpec {
  const assigned = new Set<string>();
  for (const { old } of members) {
    for (const [topicId, partitions] of Object.entries(old)) {
      for (const partition of partitions) assigned.add(`${topicId}:${partition}`);
    }
  }
  return {
    homogeneous,
    members: new Map(
      members.map(({ id, instance, topics: wanted, old }) => [
        id,
        { instanceId: instance, rackId: null, subscribedTopicIds: new Set(wanted), assignment: partitionsOf(old) },
      ]),
    ),
    partitionCount: (topicId) => topics[topicId]!,
    isAssigned: (topicId, partition) => assigned.has(`${topicId}:${partition}`),
  };
}

function partitionsOf(partitions: Partitions): TopicPartitions {
  return new Map(Object.entries(partitions).map(([topicId, numbers]) => [topicId, new Set(numbers)]));
}

for (const [index, one] of cases.entries()) {
  for (const assignor of [uniformAssignor, rangeAssignor]) {
    test(`${assignor.name} assigns group ${index} as Kafka does`, () => {
      const expected = Object.entries(one.expected[assignor.name]!).map(
        ([memberId, partitions]) => [memberId, partitionsOf(partitions)] as const,
      );
      assert.deepEqual(new Map(assignor.assign(specOf(one))), new Map(expected));
    });
  }
}

test('there is something to compare', () => {
  assert.ok(cases.length >= 8);
  assert.ok(cases.some(({ homogeneous }) => homogeneous) && cases.some(({ homogeneous }) => !homogeneous));
});
