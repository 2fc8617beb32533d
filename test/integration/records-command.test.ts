/** `sluice produce`, `consume` and `profile` as a user runs them, against a broker in this process. */
import assert from 'node:assert/strict';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, before, describe, it } from 'node:test';
import { makeTemporaryDirectory } from '../../src/base/temporary-directory.ts';
import { ended, SluiceCommand } from '../support/sluice-command.ts';
import { makeTopic, startTestBroker, type TestBroker } from '../support/test-broker.ts';
import type { Wire } from '../support/wire.ts';

const FIRST_MS = Date.UTC(2026, 4, 1, 12);
const MINUTE_MS = 60_000;

let broker: TestBroker;
let wire: Wire;
let home = '';
let sluice: SluiceCommand;

/** Ten records in each of two partitions, a minute apart; keys are even or odd. */
function corpus(): string {
  const lines = Array.from({ length: 20 }, (_, at) => {
    const [partition, offset] = [at % 2, Math.floor(at / 2)];
    const timestamp = FIRST_MS + offset * MINUTE_MS;
    return { partition, timestamp, key: offset % 2 === 0 ? 'even' : 'odd', value: `${partition}-${offset}` };
  });
  return lines.map((line) => `${JSON.stringify(line)}\n`).join('');
}

async function values(...args: readonly string[]): Promise<string[]> {
  return (await sluice.output(['consume', 'orders', ...args])).split('\n').filter(Boolean).sort();
}

const numbers = (partition: number, from: number, to: number) =>
  Array.from({ length: to - from }, (_, at) => `${partition}-${from + at}`);

before(async () => {
  home = makeTemporaryDirectory('sluice-records');
  broker = await startTestBroker({ config: { 'group.initial.rebalance.delay.ms': '0' } });
  wire = broker.wire();
  const brokers = `127.0.0.1:${broker.port}`;
  sluice = new SluiceCommand({ brokers, cwd: home, configHome: join(home, 'config') });
  await makeTopic(wire, 'orders', { partitions: 2 });
  await sluice.output(['produce', 'orders', '--format', 'json', '--keep-partitions'], { input: corpus() });
});

after(async () => {
  wire.close();
  await broker.close();
  rmSync(home, { recursive: true, force: true });
});

describe('sluice consume', () => {
  it('reads from and up to offsets, from both ends, and between times', async () => {
    const of = (from: number, to: number) => [...numbers(0, from, to), ...numbers(1, from, to)];
    for (const [offset, expected] of [
      ['start:', of(0, 10)],
      [':3', of(0, 3)],
      ['7:', of(7, 10)],
      ['4:6', of(4, 6)],
      ['-2:', of(8, 10)],
      ['+2:+4', of(2, 4)],
      ['+8:end', of(8, 10)],
      ['@2026-05-01T12:03:00Z:@2026-05-01T12:05', of(3, 5)],
      [`@${FIRST_MS + 8 * MINUTE_MS}:`, of(8, 10)],
      ['end:', []],
      ['6:2', []],
    ] as const) {
      assert.deepEqual(await values('--offset', offset), [...expected].sort(), offset);
    }
    assert.deepEqual(await values('-o', '8', '-p', '1', '-e'), numbers(1, 8, 10));
    assert.equal((await values('-o', 'start', '-p', '0-1', '-n', '1')).length, 1);
    assert.equal((await values('-o', '5', '--idle', '200ms')).length, 10);
  });

  it('shows only what matches', async () => {
    const all = ['--from-beginning', '--exit'];
    assert.deepEqual(await values(...all, '--grep-value', '^1-[89]'), numbers(1, 8, 10));
    assert.equal((await values(...all, '--grep-key', 'odd')).length, 10);
    assert.equal((await values(...all, '--grep', 'odd|-0')).length, 12);
    assert.equal((await values(...all, '--grep', 'odd|-0', '--invert-match')).length, 8);
    assert.deepEqual(await values('-o', 'start', '--grep-key', 'odd', '-n', '1', '-p', '1'), ['1-1']);
  });

  it('prints as it is told, into a file as well', async () => {
    const text = await values('-o', '3:4', '-f', '%i %t[%p]@%o %k %S %T{iso}\\n');
    assert.deepEqual(
      text.map((line) => line.slice(2)).sort(),
      [0, 1].map((partition) => `orders[${partition}]@3 odd 3 2026-05-01T12:03:00.000Z`),
    );
    assert.equal(await sluice.output(['consume', 'orders', '-o', ':1', '-p', '0', '-O', 'out.txt']), '');
    assert.equal(readFileSync(join(home, 'out.txt'), 'utf8'), '0-0\n');
    const lines = await sluice.json<{ value: string }[]>('consume', ['consume', 'orders', '-o', ':1', '-p', '1']);
    assert.deepEqual(
      lines.map(({ value }) => value),
      ['1-0'],
    );
  });

  it('reads every topic that matches', async () => {
    await makeTopic(wire, 'orders-eu');
    await sluice.output(['produce', 'orders-eu'], { input: 'x\n' });
    const read = async (pattern: string) =>
      (await sluice.output(['consume', pattern, '-r', '-o', 'start', '-e'])).split('\n').filter(Boolean).length;
    assert.equal(await read('orders'), 20);
    assert.equal(await read('orders.*'), 21);
    const none = await sluice.run(['consume', 'none.*', '-r']);
    assert.equal(none.code, 1);
    assert.match(none.stderr, /no topic matches/);
  });

  for (const protocol of ['classic', 'consumer']) {
    it(`goes on where its group is (${protocol} protocol)`, async () => {
      const group = ['consume', 'orders', '--group', `g-${protocol}`, '--group-protocol', protocol, '-f', '%p-%o\\n'];
      const first = (await sluice.output([...group, '-o', 'start', '-n', '7'])).split('\n').filter(Boolean);
      const looked = (await sluice.output([...group, '-e', '--no-commit'])).split('\n').filter(Boolean);
      const rest = (await sluice.output([...group, '-e'])).split('\n').filter(Boolean);
      assert.equal(first.length, 7);
      assert.deepEqual(looked.sort(), [...rest].sort());
      assert.deepEqual([...first, ...rest].sort(), [...numbers(0, 0, 10), ...numbers(1, 0, 10)].sort());
      assert.equal(await sluice.output([...group, '--exit']), '', 'all of it was committed');
    });
  }

  it('ends when it is told to, and leaves its group', async () => {
    const child = sluice.start(['consume', 'orders', '-g', 'stopped', '-o', 'start']);
    let lines = 0;
    for await (const _ of createInterface({ input: child.stdout! })) if (++lines === 20) child.kill('SIGINT');
    assert.equal(await ended(child), 0);
    const rows = await sluice.json<{ lag: number; consumerId: string | null }[]>('groups describe', [
      ...['groups', 'describe', 'stopped'],
    ]);
    assert.deepEqual(
      rows.map(({ lag, consumerId }) => [lag, consumerId]),
      [
        [0, null],
        [0, null],
      ],
    );
  });

  it('refuses what makes no sense before it contacts anybody', async () => {
    for (const [args, why] of [
      [['--offset', 'soon'], /--offset soon: give start, end, a number/],
      [['--offset', '1', '--from-beginning'], /one of --offset and --from-beginning/],
      [['--partition', '3-1'], /--partition 3-1: give numbers and ranges/],
      [['--grep', '('], /--grep \(/],
      [['--max', '-1'], /--max -1/],
      [['--idle', '5'], /--idle 5: give a unit, as in 5ms or 5s/],
      [['--format', '%q'], /%q is not known/],
      [['--group', 'g', '--offset', '5'], /a group goes on where it is/],
      [['--group', 'g', '--partition', '0'], /a group decides by itself/],
      [['--isolation', 'none'], /Allowed choices are read_uncommitted, read_committed/],
      [['--form', 'json'], /unknown option '--form'/],
    ] as const) {
      const { code, stdout, stderr } = await sluice.run(['consume', 'orders', '-b', 'localhost:1', ...args]);
      assert.equal(code, 2, args.join(' '));
      assert.equal(stdout, '');
      assert.match(stderr, why);
    }
    const { code, stderr } = await sluice.run(['consume', 'orders', '-p', '7', '-e']);
    assert.equal(code, 1);
    assert.match(stderr, /orders has no partition 7\ntry: It has 2, from 0 on/);
  });
});

describe('sluice produce', () => {
  const read = async (topic: string, format: string) =>
    (await sluice.output(['consume', topic, '-o', 'start', '-e', '-f', format])).split('\n').filter(Boolean);

  it('reads keys, headers and values as the input has them', async () => {
    await makeTopic(wire, 'shaped');
    const produce = (args: readonly string[], input: string) =>
      sluice.output(['produce', 'shaped', ...args], { input });
    await produce(['-K', '\\t', '-H', 'h=1'], 'a\tb\n');
    await produce(['-f', '[%k] %v;'], '[c] d\ne;[f] g;');
    await produce(['-D', '\\0', '-k', 'fixed'], 'x\0y');
    await produce(['-Z', '-K', ':', '-z', 'zstd', '--acks', '1'], 'gone:\n');
    assert.deepEqual(await read('shaped', '%o %k{json} %v{json} %h\\n'), [
      '0 "a" "b" h=1',
      '1 "c" "d\\ne" ',
      '2 "f" "g" ',
      '3 "fixed" "x" ',
      '4 "fixed" "y" ',
      '5 "gone" null ',
    ]);
  });

  it('sends files, each line or whole', async () => {
    await makeTopic(wire, 'files');
    writeFileSync(join(home, 'one'), 'a\nb\n');
    writeFileSync(join(home, 'two'), 'c');
    await sluice.output(['produce', 'files', 'one', '-', 'two'], { input: 'in\n' });
    await sluice.output(['produce', 'files', '--whole', 'one', 'two']);
    assert.deepEqual(await read('files', '%v{json}\\n'), ['"a"', '"b"', '"in"', '"c"', '"a\\nb\\n"', '"c"']);
    const absent = await sluice.run(['produce', 'files', 'three']);
    assert.equal(absent.code, 1);
    assert.match(absent.stderr, /cannot read three/);
  });

  it('tells where each record is', async () => {
    await makeTopic(wire, 'told', { partitions: 2 });
    const args = ['produce', 'told', '--report', '--partitioner', 'round-robin'];
    const lines = await sluice.output(args, { input: '1\n2\n3\n' });
    const places = lines
      .split('\n')
      .filter(Boolean)
      .map((line) => line.split('\t').slice(0, 3).join(' '));
    assert.deepEqual(places, ['told 0 0', 'told 1 0', 'told 0 1']);
    const told = await sluice.json<{ offset: number }[]>('produce --report', args, { input: '4\n' });
    assert.deepEqual(
      told.map(({ offset }) => offset),
      [2],
    );
    const summary = await sluice.json<{ records: number }>('produce', ['produce', 'told'], { input: '5\n6\n' });
    assert.equal(summary.records, 2);
  });

  it('copies a topic by way of JSON, bytes, tombstones, headers and times included', async () => {
    await makeTopic(wire, 'from');
    await makeTopic(wire, 'to');
    const input = [
      { key: { base64: '/wD+' }, value: { base64: 'gA==' }, timestamp: FIRST_MS, headers: [{ key: 'h', value: null }] },
      { key: null, value: null, timestamp: FIRST_MS + 1, headers: [] },
    ].map((line) => `${JSON.stringify(line)}\n`);
    await sluice.output(['produce', 'from', '-f', 'json'], { input: input.join('') });
    const copied = await sluice.output(['consume', 'from', '-o', ':', '--json']);
    await sluice.output(['produce', 'to', '-f', 'json'], { input: copied });
    const format = '%o %T %k{hex} %v{hex} %S %h{json}\\n';
    assert.deepEqual(await read('to', format), await read('from', format));
    assert.match((await read('to', format))[0]!, / ff00fe 80 1 \[\{"key":"h","value":null\}\]$/);
  });

  it('says what is wrong with the input', async () => {
    for (const [args, input, why] of [
      [['-f', 'json'], '{"key":1}\n', /no object with a value/],
      [['-K', ':'], 'none\n', /a line has no ":": none/],
      [['-p', '9'], 'x\n', /orders-9/],
    ] as const) {
      const { code, stderr } = await sluice.run(['produce', 'orders', ...args], { input });
      assert.equal(code, 1, stderr);
      assert.match(stderr, why);
    }
  });
});

describe('sluice produce to a broker that makes no topics', () => {
  let strict: TestBroker;
  let there: SluiceCommand;

  before(async () => {
    strict = await startTestBroker({ config: { 'auto.create.topics.enable': 'false' } });
    there = new SluiceCommand({ brokers: `127.0.0.1:${strict.port}` });
  });

  after(() => strict.close());

  it('says within seconds that there is no such topic, and how to create it', async () => {
    const startedMs = performance.now();
    const [produced, measured] = await Promise.all([
      there.run(['produce', 'oders', '--json'], { input: 'x\n' }),
      there.run(['perf', 'produce', 'oders', '-n', '1', '--timeout', '500ms']),
    ]);
    assert.ok(performance.now() - startedMs < 30_000);
    assert.deepEqual([produced.code, measured.code], [1, 1]);
    const { error } = JSON.parse(produced.stderr) as { error: { code: string; remedy: string } };
    assert.equal(error.code, 'UNKNOWN_TOPIC_OR_PARTITION');
    assert.match(error.remedy, /sluice topics create oders/);
    assert.match(measured.stderr, /there is no topic oders/);
  });

  it('leaves a topic alone that the lines do not go to', async () => {
    await there.output(['topics', 'create', 'named']);
    await there.output(['produce', 'oders', '-f', '%t %v\n'], { input: 'named x\n' });
    assert.equal(await there.output(['consume', 'named', '-o', ':']), 'x\n');
  });
});

describe('sluice profile', () => {
  it('names clusters, of which one is used where no brokers are given', async () => {
    const brokers = `127.0.0.1:${broker.port}`;
    const environment = { SLUICE_BROKERS: undefined };
    const profile = <T>(verb: string, ...args: readonly string[]) =>
      sluice.json<T>(`profile ${verb}`, ['profile', verb, ...args], { environment });
    assert.deepEqual(await profile('create', 'here', '-b', brokers), [{ name: 'here', brokers, current: true }]);
    await profile('create', 'nowhere', '-b', 'localhost:1');
    assert.match(await sluice.output(['topics', 'list'], { environment }), /orders/);
    assert.equal((await sluice.run(['topics', 'list', '--profile', 'nowhere'], { environment })).code, 3);
    await profile('use', 'nowhere');
    assert.equal((await sluice.run(['topics', 'list'], { environment })).code, 3);
    assert.match(await sluice.output(['topics', 'list', '--profile', 'here'], { environment }), /orders/);
    await profile('delete', 'nowhere');
    assert.deepEqual(await profile('list'), [{ name: 'here', brokers, current: false }]);
    const unknown = await sluice.run(['topics', 'list', '--profile', 'nowhere', '--json'], { environment });
    assert.equal(unknown.code, 2);
    const { error } = JSON.parse(unknown.stderr) as { error: { code: string; remedy: string } };
    assert.equal(error.code, 'UNKNOWN_PROFILE');
    assert.match(error.remedy, /Choose from here/);
    assert.equal((await sluice.run(['profile', 'create', 'bad', '-b', '::'], { environment })).code, 2);
  });
});

describe('the command line', () => {
  it('takes connection options in front of the command, too', async () => {
    const away = new SluiceCommand({ brokers: 'localhost:1' });
    assert.match(await away.output(['--brokers', `127.0.0.1:${broker.port}`, 'topics', 'list']), /orders/);
    assert.equal((await away.run(['--timeout', '1s', 'topics', 'list'])).code, 3);
  });

  it('that makes no sense ends with 2 and says where help is', async () => {
    for (const [args, why] of [
      [[], /Usage: sluice/],
      [['topics'], /Usage: sluice topics/],
      [['topics', 'creat'], /Did you mean create\?/],
      [['topics', 'create'], /missing required argument 'names'[\s\S]*try: sluice topics create --help/],
      [['consume', 'orders', '--brokers', '::'], /"::" is no address/],
      [['groups', 'list', '--timeout', 'long'], /--timeout long: give a duration/],
    ] as const) {
      const { code, stderr } = await sluice.run(args);
      assert.equal(code, 2, args.join(' '));
      assert.match(stderr, why);
    }
    for (const args of [['--help'], ['--version'], ['help', 'topics'], ['topics', 'create', '--help']]) {
      assert.equal((await sluice.run(args)).code, 0, args.join(' '));
    }
  });
});
