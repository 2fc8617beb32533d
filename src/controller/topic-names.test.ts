import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isInternalTopic, topicNameProblem } from './topic-names.ts';

test('a name is 1 to 249 letters, digits, dots, underscores and dashes, and not a directory', () => {
  for (const name of ['a', 'A.b_c-9', '...', '_', 'x'.repeat(249)])
    assert.equal(topicNameProblem(name), undefined, name);
  for (const name of ['', '.', '..', 'x'.repeat(250), 'a b', 'ä', 'a/b', 'a\0', 'a\n']) {
    assert.match(topicNameProblem(name)!, /^Topic name is invalid/, name);
  }
});

test('internal topics are those that brokers write themselves', () => {
  assert.deepEqual(['__consumer_offsets', '__transaction_state', '__mine', 'a'].map(isInternalTopic), [
    true,
    true,
    false,
    false,
  ]);
});
