/** `sluice cluster move-log-dirs`, and reassignments with directories, against a broker in this process that has two. */
import assert from 'node:assert/strict';
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, it } from 'node:test';
import { makeTemporaryDirectory } from '../../src/base/temporary-directory.ts';
import { SluiceCommand } from '../support/sluice-command.ts';
import { startTestBroker, type TestBroker } from '../support/test-broker.ts';

let home = '';
let broker: TestBroker;
let sluice: SluiceCommand;

interface Move {
  readonly topic: string;
  readonly partition: number;
  readonly from: string;
  readonly to: string;
}

const directory = (name: string): string => join(home, name);

/** Partitions of the topic in a directory. */
async function partitionsIn(path: string): Promise<number[]> {
  const args = ['cluster', 'log-dirs', '--topic', 'orders'];
  const directories = await sluice.json<{ path: string; replicas: { partition: number }[] }[]>(
    'cluster log-dirs',
    args,
  );
  return directories
    .find((each) => each.path === path)!
    .replicas.map(({ partition }) => partition)
    .sort();
}

const move = (to: string, ...args: readonly string[]) => ['cluster', 'move-log-dirs', '1', to, ...args];

before(async () => {
  home = makeTemporaryDirectory('sluice-move-log-dirs');
  for (const name of ['a', 'b']) mkdirSync(directory(name));
  broker = await startTestBroker({ dataDirectory: `${directory('a')},${directory('b')}` });
  sluice = new SluiceCommand({ brokers: `127.0.0.1:${broker.port}` });
  await sluice.output(['topics', 'create', 'orders', '--partitions', '4']);
  const input = Array.from({ length: 100 }, (_, at) => `${at}\n`).join('');
  await sluice.output(['produce', 'orders', '--partitioner', 'round-robin'], { input });
  // Wherever the broker has put them.
  await sluice.output(move(directory('a'), '--from', directory('b'), '--execute', '--watch'));
});

after(async () => {
  await broker.close();
  rmSync(home, { recursive: true, force: true });
});

it('shows what would move and moves nothing', async () => {
  const args = move(directory('b'), '--topic', 'orders:1,3');
  const moves = await sluice.json<Move[]>('cluster move-log-dirs', args);
  assert.deepEqual(
    moves.map(({ topic, partition, from, to }) => [topic, partition, from, to]),
    [1, 3].map((partition) => ['orders', partition, directory('a'), directory('b')]),
  );
  assert.match((await sluice.run(args)).stderr, /Nothing was changed/);
  assert.deepEqual(await partitionsIn(directory('a')), [0, 1, 2, 3]);
});

it('moves replicas and stays until they are there, with every record', async () => {
  const { code, stderr } = await sluice.run(move(directory('b'), '--topic', 'orders:1,3', '--execute', '--watch'));
  assert.equal(code, 0, stderr);
  assert.match(stderr, /2 replicas in /);
  assert.deepEqual(await partitionsIn(directory('b')), [1, 3]);
  const values = (await sluice.output(['consume', 'orders', '-o', ':'])).split('\n').filter(Boolean);
  assert.equal(new Set(values).size, 100);
  assert.match((await sluice.run(move(directory('b'), '--topic', 'orders:1'))).stderr, /nothing needs to move/);
});

it('empties a directory', async () => {
  await sluice.output(move(directory('b'), '--from', directory('a'), '--topic', 'orders', '--execute', '--watch'));
  assert.deepEqual(await partitionsIn(directory('a')), []);
});

it('takes the file of kafka-reassign-partitions with directories', async () => {
  const entry = { topic: 'orders', partition: 2, replicas: [1], log_dirs: [directory('a')] };
  const any = { topic: 'orders', partition: 1, replicas: [1], log_dirs: ['any'] };
  const input = JSON.stringify({ version: 1, partitions: [entry, any] });
  await sluice.output(['cluster', 'reassign', '--from-file', '-', '--execute'], { input });
  const deadline = performance.now() + 20_000;
  while ((await partitionsIn(directory('a'))).length === 0 || (await partitionsIn(directory('b'))).length === 4) {
    assert.ok(performance.now() < deadline, 'it arrives');
  }
  assert.deepEqual(await partitionsIn(directory('a')), [2]);
  assert.deepEqual(await partitionsIn(directory('b')), [0, 1, 3]);
  const bad = { ...entry, log_dirs: [] };
  const refused = await sluice.run(['cluster', 'reassign', '--from-file', '-'], {
    input: JSON.stringify({ partitions: [bad] }),
  });
  assert.equal(refused.code, 2);
  assert.match(refused.stderr, /entry 1 needs as many log_dirs as replicas/);
});

it('says what is not there', async () => {
  for (const [args, code, why] of [
    [move(directory('b')), 2, /give --topic, or --from/],
    [move('/nowhere', '--topic', 'orders'), 1, /broker 1 has no directory \/nowhere[\s\S]*Choose from .*\/a, .*\/b/],
    [move(directory('b'), '--topic', 'none'), 1, /broker 1 has no replica of none/],
    [move(directory('b'), '--topic', 'orders:9'), 1, /broker 1 has no replica of orders-9/],
    [['cluster', 'move-log-dirs', '9', '/x', '--topic', 'orders'], 1, /broker 9 is not up/],
  ] as const) {
    const result = await sluice.run(args);
    assert.equal(result.code, code, result.stderr);
    assert.match(result.stderr, why);
  }
});
