import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Pattern, PatternSyntaxError } from './pattern.ts';

const matching = (pattern: string, names: readonly string[]): string[] =>
  names.filter((name) => new Pattern(pattern).matches(name));

test('all of a name must match', () => {
  assert.deepEqual(matching('a|ab', ['a', 'ab', 'abc', 'xa']), ['a', 'ab']);
  assert.deepEqual(matching('', ['', 'a']), ['']);
  assert.deepEqual(matching('orders-.*', ['orders-', 'orders-1', 'my-orders-1']), ['orders-', 'orders-1']);
});

test('what RE2 knows is known', () => {
  const cases: readonly (readonly [string, readonly string[], readonly string[]])[] = [
    ['[a-c&]+', ['abc', 'a&'], ['d', '']],
    ['[^a-c]', ['d', '.'], ['a', 'dd']],
    ['[]a]', [']', 'a'], ['b']],
    ['[[:alpha:]_]\\d{2,3}', ['a12', '_123'], ['a1', 'a1234', '112']],
    ['(?i)AbC', ['abc', 'ABC'], ['ab']],
    ['(?i:a)b', ['Ab', 'ab'], ['AB']],
    ['a(?i)b|c', ['aB', 'C'], ['AB']],
    ['\\Qa.b\\E+', ['a.b', 'a.bb'], ['axb']],
    ['\\x61\\x{62}\\143', ['abc'], ['abd']],
    ['\\pL\\p{Nd}\\P{L}', ['a1.', 'Z0-'], ['1a.', 'aaa']],
    ['(?P<name>a)(?:b)*', ['a', 'abb'], ['b']],
    ['^a\\b-\\Bb?$', ['a-'], ['a-b', 'ab']],
    ['\\Aa\\z', ['a'], ['aa']],
    ['(a|b)*?c{,2}', ['ac{,2}', 'c{,2}'], ['acc']],
  ];
  for (const [pattern, good, bad] of cases) {
    assert.deepEqual(matching(pattern, [...good, ...bad]), good, pattern);
  }
});

test('what RE2 refuses is refused', () => {
  const refused =
    '( ) [ [b-a] [[:none:]] a** a+++ * a|* (?=a) (?!a) (?<=a) (?P<x>a)(?P<x>b) a{1001} a{3,1} \\ \\1 \\q \\p{None} \\Z x{1000}{1000}';
  for (const pattern of refused.split(' ')) assert.throws(() => new Pattern(pattern), PatternSyntaxError, pattern);
  assert.throws(() => new Pattern('('.repeat(2000) + ')'.repeat(2000)), PatternSyntaxError);
});

test('a pattern that backtracking would choke on costs no more than others', () => {
  const name = `${'a'.repeat(248)}!`;
  for (const text of ['(a+)+', '(a|a)*', '(a*)*b', '(.*a){20}', '((a?){30}a{30})*', '(a|b|ab)*bc']) {
    const pattern = new Pattern(text);
    assert.equal(pattern.matches(name), false);
    assert.ok(pattern.work < 500_000, `${text}: ${pattern.work} steps`);
  }
});

test('patterns of one meaning in both agree with the engine of this runtime', () => {
  const atom = fc.constantFrom('a', 'b', '.', '[ab]', '[^a]', '\\d', '\\w', '-', '(a|b)', '(?:ab)', '\\b', '^', '$');
  const piece = fc.tuple(atom, fc.constantFrom('', '', '*', '+', '?', '{2}', '{1,2}'));
  const seed = Number(process.env['SLUICE_SEED'] ?? Math.floor(Math.random() * 2 ** 31));
  const property = fc.property(
    fc.array(piece, { maxLength: 5 }),
    fc.array(fc.stringMatching(/^[ab1.-]{0,5}$/), { minLength: 8, maxLength: 8 }),
    (pieces, names) => {
      const text = pieces.map(([one, times]) => (/^[\\^$]b?$/.test(one) ? one : one + times)).join('');
      const native = new RegExp(`^(?:${text})$`);
      const pattern = new Pattern(text);
      for (const name of names)
        assert.equal(pattern.matches(name), native.test(name), `${text} on ${name}, seed ${seed}`);
    },
  );
  fc.assert(property, { seed, numRuns: 1000 });
});
