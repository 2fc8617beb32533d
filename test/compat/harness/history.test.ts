import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Acknowledgement, checkHistory, type LogEntry } from './history.ts';

const PARTITION = 2;

/** Numbers 0 to 9 at offsets 0 to 9, all acknowledged. */
function soundHistory(): { acknowledged: Acknowledgement[]; entries: LogEntry[] } {
  const entries = Array.from({ length: 10 }, (_, i) => ({ offset: i, number: i }));
  return { entries, acknowledged: entries.map((entry) => ({ ...entry, partition: PARTITION })) };
}

function anomaliesIn(acknowledged: readonly Acknowledgement[], entries: readonly LogEntry[]): string[] {
  const found = checkHistory(acknowledged, new Map([[PARTITION, entries]])).map(({ anomaly }) => anomaly);
  return [...new Set(found)].sort();
}

test('a sound history has no violation, nor has one with records not acknowledged yet', () => {
  const { acknowledged, entries } = soundHistory();
  assert.deepEqual(anomaliesIn(acknowledged, entries), []);
  assert.deepEqual(anomaliesIn(acknowledged.slice(0, 4), entries), []);
});

test('an acknowledged record missing at the end is a loss', () => {
  const { acknowledged, entries } = soundHistory();
  assert.deepEqual(anomaliesIn(acknowledged, entries.slice(0, 9)), ['lost']);
});

test('a partition that is gone has lost everything', () => {
  const { acknowledged } = soundHistory();
  const violations = checkHistory(acknowledged, new Map());
  assert.equal(violations.length, 10);
  assert.ok(violations.every(({ anomaly }) => anomaly === 'lost'));
});

test('an acknowledged record missing in the middle is a loss and leaves a gap', () => {
  const { acknowledged, entries } = soundHistory();
  const without = entries.filter(({ number }) => number !== 5);
  assert.deepEqual(anomaliesIn(acknowledged, without), ['gap in offsets', 'lost', 'skipped']);
});

test('a record written twice is a duplicate', () => {
  const { acknowledged, entries } = soundHistory();
  assert.deepEqual(anomaliesIn(acknowledged, [...entries, { offset: 10, number: 9 }]), ['duplicate', 'moved']);
});

test('two records in each other’s place are out of order', () => {
  const { entries } = soundHistory();
  const swapped = entries.map(({ offset, number }) => ({
    offset,
    number: number === 4 ? 5 : number === 5 ? 4 : number,
  }));
  assert.deepEqual(anomaliesIn([], swapped), ['out of order', 'skipped']);
});

test('a record elsewhere than its acknowledgement said has moved', () => {
  const { acknowledged, entries } = soundHistory();
  const wrong = acknowledged.map((each) => (each.number === 3 ? { ...each, offset: 30 } : each));
  assert.deepEqual(anomaliesIn(wrong, entries), ['moved']);
});

test('a record, or an offset, acknowledged twice is told', () => {
  const { acknowledged, entries } = soundHistory();
  assert.deepEqual(anomaliesIn([...acknowledged, acknowledged[3]!], entries), [
    'acknowledged twice',
    'offset acknowledged twice',
  ]);
});

test('a record left out that nobody acknowledged is told, since its producer never gives up', () => {
  const { acknowledged, entries } = soundHistory();
  const later = entries.filter(({ number }) => number !== 5).map(({ number }, i) => ({ offset: i, number }));
  assert.deepEqual(anomaliesIn(acknowledged.slice(0, 5), later), ['skipped']);
});
