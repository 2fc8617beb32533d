import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MemoryBudget } from './memory-budget.ts';

function waiter(name: string, log: string[], budget?: MemoryBudget, rest = 0) {
  return {
    onBudget: (finishFrame: boolean) => {
      log.push(finishFrame ? `${name} finishes` : name);
      if (finishFrame) budget?.take(rest);
    },
  };
}

test('without a limit nothing is ever exhausted', () => {
  const budget = new MemoryBudget(-1);
  budget.take(2 ** 40);
  assert.equal(budget.exhausted, false);
});

test('connections resume in the order in which they had to stop, as far as the budget goes', () => {
  const budget = new MemoryBudget(100);
  const log: string[] = [];
  budget.take(150);
  budget.wait(waiter('a', log), 10);
  const b = waiter('b', log);
  budget.wait(b, 10);
  budget.wait(waiter('c', log), 10);
  assert.deepEqual(log, []);
  budget.release(40);
  assert.deepEqual(log, []);
  budget.leave(b);
  budget.release(20);
  assert.deepEqual(log, ['a', 'c']);
  assert.equal(budget.waiting, 0);
});

test('when unfinished frames hold the whole budget the oldest alone may finish', () => {
  const budget = new MemoryBudget(100);
  const log: string[] = [];
  budget.take(60);
  budget.take(60);
  budget.wait(waiter('a', log, budget, 1000), 60);
  assert.deepEqual(log, []);
  budget.wait(waiter('b', log, budget, 1000), 60);
  assert.deepEqual(log, ['a finishes']);
  assert.equal(budget.usedBytes, 1120);
  budget.release(1060);
  assert.deepEqual(log, ['a finishes', 'b']);
});

test('a waiter that must wait again at once does not keep the others from their turn', () => {
  const budget = new MemoryBudget(100);
  const log: string[] = [];
  const stubborn = {
    onBudget: () => {
      log.push('stubborn');
      budget.take(200);
      budget.wait(stubborn, 200);
    },
  };
  budget.take(100);
  budget.wait(stubborn, 0);
  budget.wait(waiter('next', log), 0);
  budget.release(50);
  assert.deepEqual(log, ['stubborn']);
  budget.release(250);
  assert.deepEqual(log.slice(0, 3), ['stubborn', 'next', 'stubborn']);
});

test('giving back more than was taken is a bug that is noticed', () => {
  const budget = new MemoryBudget(10);
  budget.take(5);
  assert.throws(() => budget.release(6), { name: 'AssertionError' });
});
