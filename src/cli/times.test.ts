import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SluiceError } from '../base/errors.ts';
import { duration, parseTime, pointInTime } from './times.ts';

const NOW_MS = Date.UTC(2026, 4, 1, 12);

test('reads durations with units, one behind the other, and those of ISO 8601', () => {
  for (const [text, ms] of [
    ['0', 0],
    ['250ms', 250],
    ['90m', 5_400_000],
    ['1h30m', 5_400_000],
    ['1.5h', 5_400_000],
    ['2d', 172_800_000],
    ['1w', 604_800_000],
    ['PT1H30M', 5_400_000],
    ['P1DT2H', 93_600_000],
    ['PT0.5S', 500],
  ] as const) {
    assert.equal(duration('--idle', text), ms, text);
  }
});

test('refuses what is no duration, and names the option', () => {
  for (const text of ['', '5', 'm', '5 m', '-5m', 'P', 'PT', '1h30', 'soon']) {
    assert.throws(
      () => duration('--idle', text),
      (error) => error instanceof SluiceError && error.code === 'INVALID_ARGUMENT' && error.message.includes('--idle'),
      text,
    );
  }
});

test('says which units a bare number may have', () => {
  assert.throws(() => duration('--linger', '5'), /--linger 5: give a unit, as in 5ms or 5s/);
});

test('reads times as numbers, as text in UTC where no zone is given, and relative to now', () => {
  for (const [text, ms] of [
    ['1777636800000', 1_777_636_800_000],
    ['1777636800', 1_777_636_800_000],
    ['0', 0],
    ['2026-05-01', Date.UTC(2026, 4, 1)],
    ['2026-05-01T10:30', Date.UTC(2026, 4, 1, 10, 30)],
    ['2026-05-01T10:30:00Z', Date.UTC(2026, 4, 1, 10, 30)],
    ['2026-05-01T10:30:00.250+02:00', Date.UTC(2026, 4, 1, 8, 30, 0, 250)],
    ['now', NOW_MS],
    ['-1h', NOW_MS - 3_600_000],
    ['+90s', NOW_MS + 90_000],
  ] as const) {
    assert.equal(parseTime(text, NOW_MS), ms, text);
  }
});

test('refuses what is no time', () => {
  for (const text of ['', 'soon', '2026-13-01', '-', '-5', '12:00', '9'.repeat(20)]) {
    assert.throws(() => pointInTime('--to-datetime', text, NOW_MS), /--to-datetime .*: give a time such as/, text);
  }
});
