import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { changedPartitions, type MetadataDelta } from './delta.ts';
import { applyRecords, emptyImage, type MetadataImage } from './image.ts';
import { imageDifference } from './image-difference.ts';
import { recordsOf } from './image-records.ts';
import { type MetadataRecord, newRecord } from './records.ts';

const ids = ['AAAAAAAAAAAAAAAAAAAACQ', 'AAAAAAAAAAAAAAAAAAAACg', 'AAAAAAAAAAAAAAAAAAAACw'];

/** One change that fits the image, or none where it would contradict it. */
function change(image: MetadataImage, kind: number, which: number): MetadataRecord[] {
  const topicId = ids[which]!;
  const topic = image.topics.byId.get(topicId);
  if (kind === 0 && topic === undefined) {
    const partition = {
      topicId,
      partitionId: 0,
      replicas: [1],
      isr: [1],
      leader: 1,
      leaderEpoch: 0,
      partitionEpoch: 0,
    };
    const lists = { addingReplicas: [], removingReplicas: [], directories: [] };
    return [newRecord('topic', { name: `t${which}`, topicId }), newRecord('partition', { ...partition, ...lists })];
  }
  if (kind === 1 && topic !== undefined) return [newRecord('removeTopic', { topicId })];
  if (kind === 2 && topic !== undefined)
    return [newRecord('partitionChange', { topicId, partitionId: 0, leader: which })];
  if (kind === 3) {
    return [newRecord('config', { resourceType: 4, resourceName: `${which}`, name: 'a', value: `${image.offset}` })];
  }
  if (kind === 4) return [newRecord('featureLevel', { name: `f${which}`, featureLevel: image.offset + 2 })];
  return [];
}

/** What a delta names, without what it carries along. */
function names(delta: MetadataDelta) {
  return {
    created: delta.createdTopics.map(({ name, id }) => `${name} ${id}`).sort(),
    deleted: delta.deletedTopics.map(({ name, id }) => `${name} ${id}`).sort(),
    changed: delta.changedTopics.flatMap((topic) =>
      [...changedPartitions(topic)].map(({ partition, now }) => `${topic.topic.name}-${partition} ${now.leaderEpoch}`),
    ),
    configs: delta.changedConfigs.map(({ resourceType, resourceName }) => `${resourceType} ${resourceName}`).sort(),
    features: delta.featuresChanged,
  };
}

test('the difference to a snapshot is that to the image itself, and names what came and went', () => {
  const steps = fc.array(fc.tuple(fc.nat(4), fc.nat(2)), { maxLength: 20 });
  fc.assert(
    fc.property(steps, steps, (before, between) => {
      const walk = (from: MetadataImage, kinds: readonly (readonly [number, number])[]): MetadataImage => {
        let image = from;
        for (const [kind, which] of kinds) {
          image = applyRecords(image, change(image, kind, which), image.offset + 1, 1).image;
        }
        return image;
      };
      const from = walk(emptyImage('c'), before);
      const to = walk(from, between);
      // As a snapshot makes it: equal, and nothing shared.
      const copy = applyRecords(emptyImage('c'), [...recordsOf(to)], to.offset, 1).image;
      assert.deepEqual(names(imageDifference(from, copy)), names(imageDifference(from, to)));
      assert.deepEqual(names(imageDifference(to, copy)), names(imageDifference(to, to)));
      const { created, deleted } = names(imageDifference(from, to));
      assert.deepEqual(
        created,
        [...to.topics.byId.values()]
          .filter(({ id }) => !from.topics.byId.has(id))
          .map(({ name, id }) => `${name} ${id}`)
          .sort(),
      );
      for (const gone of deleted) assert.ok(!to.topics.byId.has(gone.split(' ')[1]!));
    }),
  );
});

test('nothing differs between an image and itself', () => {
  const { image } = applyRecords(emptyImage('c'), change(emptyImage('c'), 0, 1), 1, 1);
  assert.deepEqual(names(imageDifference(image, image)), {
    created: [],
    deleted: [],
    changed: [],
    configs: [],
    features: false,
  });
});
