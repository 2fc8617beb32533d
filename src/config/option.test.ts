import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bool, canonicalText, double, int, LONG_MAX, list, long, type Option, parseValue, string } from './option.ts';

function parsed(option: Option, text: string): unknown {
  const result = parseValue(option, text);
  return result.ok ? result.value : `allowed: ${result.allowed}`;
}

test('whole numbers are checked against their width and their range', () => {
  const option = int({ default: 1, min: 0 }, '');
  assert.equal(parsed(option, ' +7 '), 7);
  assert.equal(parsed(option, '2147483647'), 2147483647);
  for (const text of ['2147483648', '-1', '1.5', '', '0x10', '1e3', 'seven']) {
    assert.equal(parsed(option, text), 'allowed: a whole number of at least 0', text);
  }
  assert.equal(parsed(long({ default: 1 }, ''), '9223372036854775807'), LONG_MAX);
  assert.equal(parsed(long({ default: 1 }, ''), '9223372036854775808'), 'allowed: a whole number');
});

test('booleans take any case and nothing else', () => {
  const option = bool({ default: true }, '');
  assert.equal(parsed(option, 'FALSE'), false);
  assert.equal(parsed(option, '1'), 'allowed: true or false');
});

test('lists are split at commas, duplicates dropped, empty only where that is allowed', () => {
  const policy = list({ default: 'delete', allowed: ['compact', 'delete'], mayBeEmpty: true }, '');
  assert.deepEqual(parsed(policy, 'compact , delete'), ['compact', 'delete']);
  assert.deepEqual(parsed(policy, 'compact,compact'), ['compact']);
  assert.deepEqual(parsed(policy, ''), []);
  for (const text of ['compact,', 'shrink']) {
    assert.equal(parsed(policy, text), 'allowed: a list of: compact, delete', text);
  }
  assert.match(String(parsed(list({ default: 'a' }, ''), '')), /not empty/);
});

test('a word must be one of the allowed, in the declared case unless case does not matter', () => {
  const strict = string({ default: 'CreateTime', allowed: ['CreateTime', 'LogAppendTime'] }, '');
  assert.equal(parsed(strict, 'logappendtime'), 'allowed: one of: CreateTime, LogAppendTime');
  const lenient = string({ default: 'upgrade', allowed: ['upgrade', 'disabled'], ignoreCase: true }, '');
  assert.equal(parsed(lenient, 'UPGRADE'), 'upgrade');
});

test('texts are shown as Java shows the parsed value', () => {
  assert.equal(canonicalText(long({ default: 0 }, ''), ' +9223372036854775806'), '9223372036854775806');
  assert.equal(canonicalText(bool({ default: true }, ''), 'TRUE'), 'true');
  assert.equal(canonicalText(list({ default: '' }, ''), 'a , b'), 'a,b');
  const ratio = double({ default: 0.5 }, '');
  assert.equal(canonicalText(ratio, '1'), '1.0');
  assert.equal(canonicalText(ratio, '1e-5'), '1.0E-5');
  assert.equal(double({ default: Number.MAX_VALUE }, '').default, '1.7976931348623157E308');
});
