import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ErrorCode, errorMessage, errorName, isRetriable } from './error-codes.ts';

test('the codes are those from -1 to 133, each with a name and a sentence of its own', () => {
  const codes = Object.values(ErrorCode).sort((left, right) => left - right);
  assert.deepEqual(
    codes,
    Array.from({ length: 135 }, (_, index) => index - 1),
  );
  const messages = new Set(codes.map(errorMessage));
  assert.equal(messages.size, codes.length);
  for (const message of messages) assert.match(message, /^[A-Za-z].*\.$/);
});

test('a code has its name, and a number that is none counts as the unknown error', () => {
  assert.equal(errorName(ErrorCode.NOT_LEADER_OR_FOLLOWER), 'NOT_LEADER_OR_FOLLOWER');
  assert.equal(errorName(9999), 'UNKNOWN_SERVER_ERROR');
  assert.equal(errorMessage(9999), errorMessage(-1));
});

test('what clients retry is retriable and what they give up on is not', () => {
  for (const name of [
    'NOT_LEADER_OR_FOLLOWER',
    'NOT_ENOUGH_REPLICAS',
    'UNKNOWN_TOPIC_ID',
    'KAFKA_STORAGE_ERROR',
  ] as const) {
    assert.equal(isRetriable(ErrorCode[name]), true, name);
  }
  for (const name of ['NONE', 'UNKNOWN_SERVER_ERROR', 'MESSAGE_TOO_LARGE', 'OUT_OF_ORDER_SEQUENCE_NUMBER'] as const) {
    assert.equal(isRetriable(ErrorCode[name]), false, name);
  }
});
