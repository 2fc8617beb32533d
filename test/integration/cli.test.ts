import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { readdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { disk } from '../../src/base/disk.ts';
import { makeTemporaryDirectory } from '../../src/base/temporary-directory.ts';
import { JSON_OUTPUT, mismatch } from '../../src/cli/json-output.ts';
import { type CommandResult, ended, MAIN, SluiceCommand } from '../support/sluice-command.ts';

const START_TIMEOUT_MS = 15_000;

let home = '';
let address = '';
let broker: ChildProcess | undefined;
let command: SluiceCommand;

function sluice(args: readonly string[], input = ''): Promise<CommandResult> {
  return command.run(args, { input });
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });
}

/** Starts a broker in the foreground and resolves with its ready line. */
async function start(port: number, directory: string): Promise<{ child: ChildProcess; ready: string }> {
  const args = [MAIN, 'start', '--port', String(port), '--data-dir', directory, '--log-level', 'warn'];
  const child = spawn(process.execPath, args, { cwd: home, stdio: ['ignore', 'pipe', 'inherit'] });
  const ready = await new Promise<string>((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error('no ready line')), START_TIMEOUT_MS);
    child.stdout!.once('data', (line: Buffer) => {
      clearTimeout(timer);
      resolve(line.toString());
    });
  });
  return { child, ready };
}

describe('the command line', () => {
  before(async () => {
    home = makeTemporaryDirectory('sluice-cli');
    const port = await freePort();
    address = `localhost:${port}`;
    command = new SluiceCommand({ brokers: address, cwd: home, configHome: join(home, 'config') });
    const { child, ready } = await start(port, join(home, 'data'));
    broker = child;
    assert.match(ready, new RegExp(`told to connect to ${address} \\(data in .*data\\)\n$`));
  });
  after(async () => {
    if (broker?.exitCode === null) {
      const exit = ended(broker);
      broker.kill('SIGTERM');
      assert.equal(await exit, 0, 'SIGTERM ends a broker in order');
    }
    await disk.removeTree(home);
  });

  it('creates, lists, describes, alters and deletes topics', async () => {
    const [created] = (await command.json('topics create', [
      ...['topics', 'create', 'orders', '--partitions', '2', '--config', 'retention.ms=60000'],
    ])) as { readonly name: string; readonly partitions: number }[];
    assert.deepEqual([created!.name, created!.partitions], ['orders', 2]);
    const again = await sluice(['topics', 'create', 'orders']);
    assert.equal(again.code, 1);
    assert.match(again.stderr, /already exists/);
    assert.equal(again.stdout, '');
    await command.json('topics alter', [
      'topics',
      'alter',
      'orders',
      '--partitions',
      '3',
      '--config',
      'cleanup.policy=compact',
    ]);
    const [described] = (await command.json('topics describe', ['topics', 'describe', 'orders'])) as {
      readonly partitions: readonly unknown[];
      readonly configs: readonly { readonly name: string; readonly value: string }[];
    }[];
    assert.equal(described!.partitions.length, 3);
    assert.deepEqual(described!.configs.map(({ name, value }) => `${name}=${value}`).sort(), [
      'cleanup.policy=compact',
      'retention.ms=60000',
    ]);
    const mistyped = await sluice(['topics', 'alter', 'orders', '--reset', 'retention.sm']);
    assert.equal(mistyped.code, 1);
    assert.match(mistyped.stderr, /topics have no config retention\.sm/);
    assert.equal((await sluice(['topics', 'alter', 'orders', '--reset', 'retention.ms'])).code, 0);
    assert.deepEqual(await command.json('topics delete', ['topics', 'delete', 'orders']), [
      { name: 'orders', deleted: true },
    ]);
    assert.deepEqual(await command.json('topics list', ['topics', 'list']), []);
  });

  it('sends lines and prints them again, byte for byte', async () => {
    await sluice(['topics', 'create', 'lines']);
    const input = Array.from({ length: 5000 }, (_, index) => `${index}\tä\u0000${'x'.repeat(index % 50)}\r\n`).join('');
    for (const codec of ['none', 'gzip', 'snappy', 'lz4', 'zstd']) {
      const produced = await sluice(['produce', 'lines', '--compression', codec], input);
      assert.equal(produced.code, 0, produced.stderr);
      assert.equal(produced.stdout, '');
    }
    const all = await sluice(['consume', 'lines', '--from-beginning', '--exit']);
    assert.equal(all.code, 0, all.stderr);
    assert.ok(all.stdout === input.repeat(5), `${all.stdout.length} characters came back: ${all.stderr}`);
    const piece = await sluice(['consume', 'lines', '--offset', '4999', '--partition', '0', '--max', '2']);
    assert.equal(piece.stdout, `${input.split('\n')[4999]!}\n${input.split('\n')[0]!}\n`);
    const last = await sluice(['consume', 'lines', '--offset', '-1', '--exit', '--format', '%o\\n']);
    assert.equal(last.stdout, '24999\n');
  });

  it('splits keys from values, makes tombstones and shows both as JSON and by template', async () => {
    await sluice(['topics', 'create', 'keyed']);
    const args = ['produce', 'keyed', '--key-separator', '::', '--tombstones', '--header', 'from=test'];
    assert.equal((await sluice(args, 'a::1\nb::2::3\na::\n')).code, 0);
    const { stdout } = await sluice(['consume', 'keyed', '--from-beginning', '--max', '3', '--json']);
    const records = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    assert.deepEqual(
      records.map(({ key, value }) => [key, value]),
      [
        ['a', '1'],
        ['b', '2::3'],
        ['a', null],
      ],
    );
    assert.deepEqual(records[0].headers, [{ key: 'from', value: 'test' }]);
    const text = await sluice(['consume', 'keyed', '--offset', 'start', '--max', '2', '--format', '%p/%o %k=%v\\n']);
    assert.equal(text.stdout, '0/0 a=1\n0/1 b=2::3\n');
    const bad = await sluice(['produce', 'keyed', '--key-separator', '::'], 'no separator\n');
    assert.equal(bad.code, 1);
    assert.match(bad.stderr, /a line has no "::": no separator/);
  });

  it('dumps segments and indexes', async () => {
    const directory = join(home, 'data', 'keyed-0');
    const segment = readdirSync(directory).find((name) => name.endsWith('.log'))!;
    const { stdout } = await sluice(['log', 'dump', join(directory, segment), '--records', '--json']);
    const entries = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    for (const entry of entries) assert.equal(mismatch(entry, JSON_OUTPUT['log dump']!.shape), undefined);
    for (const file of readdirSync(directory)) {
      const dumped = await sluice(['log', 'dump', join(directory, file), '--json']);
      for (const line of dumped.stdout.split('\n').filter(Boolean)) {
        assert.equal(mismatch(JSON.parse(line), JSON_OUTPUT['log dump']!.shape), undefined, `${file}: ${line}`);
      }
    }
    assert.equal(entries[0].type, 'batch');
    assert.equal(entries[0].valid, true);
    assert.deepEqual(
      entries.filter(({ type }) => type === 'record').map(({ key }) => key),
      ['a', 'b', 'a'],
    );
  });

  it('explains the configuration and names what is wrong with it', async () => {
    writeFileSync(join(home, 'server.properties'), 'log.retention.hours=24\n');
    const rows = (await command.json('config explain', [
      'config',
      '--changed',
      '--config',
      'server.properties',
      '--set',
      'num.partitions=7',
    ])) as {
      readonly name: string;
      readonly value: string;
      readonly source: string;
    }[];
    const sourceOf = (name: string) => rows.find((row) => row.name === name)?.source;
    assert.equal(sourceOf('log.retention.hours'), 'file');
    assert.equal(sourceOf('num.partitions'), 'flag');
    const bad = await sluice(['config', '--set', 'num.partitions=none']);
    assert.equal(bad.code, 1);
    assert.match(bad.stderr, /num\.partitions=none: not allowed; allowed: .*whole number/);
    assert.match((await sluice(['config', '--set', 'num.partition=3'])).stderr, /did you mean num\.partitions\?/);
  });

  it('says what to do about a broker that is not there, a port that is taken and a directory in use', async () => {
    const port = await freePort();
    const absent = await sluice(['topics', 'list', '--brokers', `localhost:${port}`]);
    assert.equal(absent.code, 3);
    assert.match(absent.stderr, /error: .*\n(.*\n)*try: /);
    const [, taken] = address.split(':');
    const busy = await sluice(['start', '--port', taken!, '--data-dir', join(home, 'other')]);
    assert.equal(busy.code, 1);
    assert.match(busy.stderr, new RegExp(`port ${taken}|${taken}`));
    const locked = await sluice(['start', '--port', String(port), '--data-dir', join(home, 'data')]);
    assert.equal(locked.code, 1);
    assert.match(locked.stderr, /in use by process/);
  });

  it('keeps records over a stop and a start', async () => {
    const exit = ended(broker!);
    broker!.kill('SIGTERM');
    assert.equal(await exit, 0);
    broker = (await start(Number(address.split(':')[1]), join(home, 'data'))).child;
    const { stdout } = await sluice(['consume', 'keyed', '--from-beginning', '--max', '1']);
    assert.equal(stdout, '1\n');
  });
});
