import assert from 'node:assert/strict';
import { getEventListeners } from 'node:events';
import { test } from 'node:test';
import { SluiceError } from './../base/errors.ts';
import { onAbort, unlessAborted } from './abort.ts';

const never = new Promise<never>(() => undefined);
const isAborted = (error: unknown): boolean => error instanceof SluiceError && error.code === 'ABORTED';

test('any number of operations wait for one signal with one listener, and all end when it fires', async () => {
  const controller = new AbortController();
  const all = Array.from({ length: 100 }, () => unlessAborted(never, [controller.signal]));
  assert.equal(getEventListeners(controller.signal, 'abort').length, 1);
  controller.abort();
  for (const each of await Promise.allSettled(all)) {
    assert.equal(each.status, 'rejected');
    assert.ok(isAborted(each.reason));
  }
});

test('what has ended, or was stopped by another signal, is not called any more', async () => {
  const [one, other] = [new AbortController(), new AbortController()];
  let calls = 0;
  const detach = onAbort(one.signal, () => calls++);
  onAbort(one.signal, () => calls++);
  detach();
  assert.equal(await unlessAborted(Promise.resolve(7), [one.signal, undefined]), 7);
  const stopped = unlessAborted(never, [one.signal, other.signal]);
  other.abort();
  await assert.rejects(stopped, isAborted);
  one.abort();
  assert.equal(calls, 1);
});

test('a signal that has fired before stops at once, and what goes on may fail unheard', async () => {
  const failing = Promise.reject(new Error('unheard'));
  await assert.rejects(unlessAborted(failing, [AbortSignal.abort()]), isAborted);
});
