import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type FetchAnswer, FetchAnswerIndex } from './fetch-request.ts';
import { readPosition } from './read-position.ts';

const ID = 'b8tRS7h4TJ2Vt43Dp85v2A';

test('finds every partition of a topic that comes up several times in an answer', () => {
  const part = (partitionIndex: number) => ({ partitionIndex, errorCode: 0 }) as never;
  const responses = [
    { topic: '', topicId: ID, partitions: [part(0)] },
    { topic: '', topicId: 'AAAAAAAAAAAAAAAAAAAAAB', partitions: [part(0)] },
    { topic: '', topicId: ID, partitions: [part(1)] },
  ];
  const index = new FetchAnswerIndex({ responses } as unknown as FetchAnswer);
  const topic = { name: 'orders', id: ID, internal: false, partitions: [] };
  for (const partition of [0, 1]) {
    const position = readPosition({ topic: 'orders', partition }, 0);
    assert.equal(index.get({ position, topic })?.partitionIndex, partition);
  }
});
