import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SluiceError } from '../base/errors.ts';
import { applyRecords, emptyImage, type MetadataImage } from '../metadata/image.ts';
import { type MetadataRecord, newRecord } from '../metadata/records.ts';
import { type DecisionQuorum, PendingImage } from './pending-image.ts';

/** A quorum whose commits happen when the test says so. */
function manualQuorum() {
  let image = emptyImage('cluster');
  const waiting: {
    records: readonly MetadataRecord[];
    resolve: (offset: number) => void;
    reject: (error: Error) => void;
  }[] = [];
  const quorum: DecisionQuorum = {
    image: () => image,
    isActiveController: () => true,
    append: (records) => new Promise((resolve, reject) => waiting.push({ records, resolve, reject })),
  };
  const commit = (): void => {
    const { records, resolve } = waiting.shift()!;
    image = applyRecords(image, records, image.offset + records.length, 1).image;
    resolve(image.offset);
  };
  const failAll = (): void => {
    for (const { reject } of waiting.splice(0)) reject(new SluiceError('METADATA_WRITE_FAILED', 'injected'));
  };
  return { quorum, commit, failAll };
}

const feature = (name: string) => [newRecord('featureLevel', { name, featureLevel: 1 })];
const settle = () => new Promise((resolve) => setTimeout(resolve, 1));
const names = (image: MetadataImage): string[] => [...image.features.keys()];

test('a decision sees what earlier ones have written and not yet committed', async () => {
  const { quorum, commit } = manualQuorum();
  const pending = new PendingImage(quorum);
  const seen: string[][] = [];
  const first = pending.run((image) => ({ records: feature('a'), result: seen.push(names(image)) }));
  const second = pending.run((image) => ({ records: feature('b'), result: seen.push(names(image)) }));
  assert.deepEqual(seen, [[], ['a']]);
  commit();
  commit();
  await Promise.all([first, second]);
});

test('an answer that writes nothing waits for what it was decided on', async () => {
  const { quorum, commit } = manualQuorum();
  const pending = new PendingImage(quorum);
  const writing = pending.run(() => ({ records: feature('a'), result: 'written' }));
  let answered = false;
  const refusing = pending
    .run(() => ({ records: [], result: 'there is an a already' }))
    .then((answer) => {
      answered = true;
      return answer;
    });
  await settle();
  assert.equal(answered, false);
  commit();
  assert.equal(await refusing, 'there is an a already');
  assert.equal(await writing, 'written');
});

test('after a failed write decisions begin again from what is committed', async () => {
  const { quorum, commit, failAll } = manualQuorum();
  const pending = new PendingImage(quorum);
  const lost = [
    pending.run(() => ({ records: feature('a'), result: 1 })),
    pending.run(() => ({ records: feature('b'), result: 2 })),
    pending.run(() => ({ records: [], result: 3 })),
  ];
  failAll();
  const outcomes = await Promise.allSettled(lost);
  assert.deepEqual(
    outcomes.map(({ status }) => status),
    ['rejected', 'rejected', 'rejected'],
  );
  const next = pending.run((image) => ({ records: feature('c'), result: names(image) }));
  commit();
  assert.deepEqual(await next, []);
  assert.deepEqual(names(quorum.image()), ['c']);
});

test('a node that does not control decides nothing', async () => {
  const { quorum } = manualQuorum();
  const pending = new PendingImage({ ...quorum, isActiveController: () => false });
  await assert.rejects(
    pending.run(() => assert.fail('must not decide')),
    { code: 'NOT_CONTROLLER', retriable: true },
  );
});
