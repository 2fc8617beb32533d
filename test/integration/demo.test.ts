/** `sluice demo` as a user runs it: to its end, and interrupted. */
import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, before, it } from 'node:test';
import { makeTemporaryDirectory } from '../../src/base/temporary-directory.ts';
import { ended, MAIN, SluiceCommand } from '../support/sluice-command.ts';

let home = '';
let sluice: SluiceCommand;

before(() => {
  home = makeTemporaryDirectory('sluice-demo');
  sluice = new SluiceCommand({ cwd: home });
});

after(() => {
  rmSync(home, { recursive: true, force: true });
});

it('streams a file, shares it among workers, gives it to subscribers, kills, rewinds, and ends', async () => {
  const args = ['demo', MAIN, '--port', '0', '--data-dir', join(home, 'whole'), '--exit', '--speed', '6'];
  const { code, stdout, stderr } = await sluice.run(args);
  assert.equal(code, 0, `${stdout}\n${stderr}`);
  const story = [
    /every line came back byte for byte and in order, once/,
    /workers is a queue: two workers share the partitions/,
    /a third one comes/,
    /worker-1 is killed/,
    /its partitions are with the others/,
    /✓ the workers got every line once/,
    /✓ audit and search got every line as well/,
    /audit is rewound/,
    /✓ it read all [\d,]+ lines again/,
  ];
  let from = 0;
  for (const scene of story) {
    const at = stdout.slice(from).search(scene);
    assert.notEqual(at, -1, `${scene} in its turn:\n${stdout}`);
    from += at;
  }
  assert.match(stdout, /sent; workers: worker-1 [\d,]+ \| worker-2 [\d,]+, lag/, 'tells who owns what');
});

it('ends cleanly when it is interrupted, and makes do with another port where the usual one is taken', async () => {
  const taken = createServer().listen(9092, 'localhost');
  // Somebody else may have it already, which is as good.
  await new Promise((resolve) => taken.once('listening', resolve).once('error', resolve));
  const child = sluice.start(['demo', MAIN, '--data-dir', join(home, 'interrupted')]);
  let errors = '';
  child.stderr!.on('data', (chunk: Buffer) => {
    errors += chunk;
  });
  let told = '';
  for await (const line of createInterface({ input: child.stdout! })) {
    told += `${line}\n`;
    if (line.includes('lines of')) child.kill('SIGINT');
  }
  assert.equal(await ended(child), 0, `${told}\n${errors}`);
  assert.match(told, /told to connect to \S+:(?!9092)\d+/);
  assert.equal(errors, '');
  taken.close();
});
