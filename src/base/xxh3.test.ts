import assert from 'node:assert/strict';
import { test } from 'node:test';
import { xxh3 } from './xxh3.ts';

/** By length: hashes, signed, of the bytes (31 * index + length) mod 256, computed by hash4j 0.22. */
const KNOWN: readonly (readonly [number, bigint])[] = [
  [0, 3244421341483603138n],
  [1, -2220562881957146901n],
  [3, -5570833691430056204n],
  [4, -8394590309949769834n],
  [8, 7338816517367379888n],
  [9, -5335940021630501941n],
  [16, 5320234459269034259n],
  [17, -8257514064531154185n],
  [64, 1327853013434487024n],
  [128, 5812963814302388527n],
  [129, -7744135266785456595n],
  [200, -311443566576265320n],
  [240, 9084983125367926793n],
  [241, 3585666268267129781n],
  [251, -6727863398420337553n],
  [299, 6108900908197532251n],
  [785, -6058993317251511239n],
  [1076, -2105447503483168081n],
  [2531, 4499456751144243619n],
];

for (const [length, hash] of KNOWN) {
  test(`${length} bytes hash as another implementation hashes them`, () => {
    const input = Buffer.from(Array.from({ length }, (_, index) => (index * 31 + length) % 256));
    assert.equal(BigInt.asIntN(64, xxh3(input)), hash);
  });
}
