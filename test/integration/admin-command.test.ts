/** `sluice topics`, `config`, `groups` and `cluster` where they look at things and change them, as a user runs them. */
import assert from 'node:assert/strict';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { makeTemporaryDirectory } from '../../src/base/temporary-directory.ts';
import { SluiceCommand } from '../support/sluice-command.ts';
import { startTestBroker, type TestBroker } from '../support/test-broker.ts';

const FIRST_MS = Date.UTC(2026, 4, 1, 12);

let broker: TestBroker;
let sluice: SluiceCommand;
let home = '';

before(async () => {
  home = makeTemporaryDirectory('sluice-admin');
  broker = await startTestBroker();
  sluice = new SluiceCommand({ brokers: `127.0.0.1:${broker.port}`, cwd: home });
  await sluice.output(['topics', 'create', 'orders', '--partitions', '2']);
  const lines = Array.from({ length: 20 }, (_, at) => {
    return JSON.stringify({ partition: at % 2, timestamp: FIRST_MS + Math.floor(at / 2) * 60_000, value: String(at) });
  });
  await sluice.output(['produce', 'orders', '-f', 'json', '--keep-partitions'], { input: `${lines.join('\n')}\n` });
});

after(async () => {
  await broker.close();
  rmSync(home, { recursive: true, force: true });
});

describe('sluice topics', () => {
  const offsets = async (...args: readonly string[]) =>
    (await sluice.json<{ offset: number; timestamp: number }[]>('topics offsets', ['topics', 'offsets', ...args])).map(
      ({ offset, timestamp }) => [offset, timestamp],
    );

  it('tells offsets of places', async () => {
    assert.deepEqual(await offsets('orders'), [
      [10, null],
      [10, null],
    ]);
    assert.deepEqual(await offsets('orders', '--at', 'start', '-p', '1'), [[0, null]]);
    assert.deepEqual(await offsets('--at', '-3', '-p', '0'), [[7, null]]);
    assert.deepEqual(await offsets('--at', 'max-timestamp', '-p', '0'), [[9, FIRST_MS + 9 * 60_000]]);
    assert.deepEqual(await offsets('--at', '@2026-05-01T12:03:30', '-p', '0'), [[4, FIRST_MS + 4 * 60_000]]);
    assert.deepEqual(await offsets('--at', '@2027-01-01', '-p', '0'), [[null, null]]);
    assert.equal((await sluice.run(['topics', 'offsets', '--at', '1:2'])).code, 2);
    assert.equal((await sluice.run(['topics', 'offsets', 'orders', '-p', '7'])).code, 1);
  });

  it('deletes records before a place, or as a file says', async () => {
    const remove = <T>(args: readonly string[], input = '') =>
      sluice.json<T>('topics delete-records', ['topics', 'delete-records', ...args], { input });
    assert.deepEqual(await remove(['orders', '--before', '2', '-p', '1']), [
      { topic: 'orders', partition: 1, startOffset: 2 },
    ]);
    await remove(['orders', '--before', '@2026-05-01T12:04:00Z']);
    assert.deepEqual(await offsets('orders', '--at', 'start'), [
      [4, null],
      [4, null],
    ]);
    const file = { version: 1, partitions: [{ topic: 'orders', partition: 0, offset: -1 }] };
    await remove(['--from-file', '-'], JSON.stringify(file));
    assert.deepEqual(await offsets('orders', '--at', 'start'), [
      [10, null],
      [4, null],
    ]);
    for (const args of [['orders'], ['--before', '1'], ['orders', '--before', '1', '--from-file', 'x']]) {
      assert.equal((await sluice.run(['topics', 'delete-records', ...args])).code, 2, args.join(' '));
    }
    const bad = await sluice.run(['topics', 'delete-records', '--from-file', '-'], { input: '{"partitions":[{}]}' });
    assert.equal(bad.code, 2);
    assert.match(bad.stderr, /entry 1 is not whole\ntry: Give \{"partitions"/);
    const beyond = await sluice.run(['topics', 'delete-records', 'orders', '--before', '99']);
    assert.equal(beyond.code, 1);
  });

  it('tells once why nothing was changed', async () => {
    const alter = (...args: readonly string[]) => sluice.run(['topics', 'alter', 'orders', ...args]);
    const refused = await alter('--config', 'retention.ms=1000', '--config', 'segment.bytes=x');
    assert.equal(refused.code, 1);
    assert.equal(refused.stderr.match(/error:/g)?.length, 1, refused.stderr);
    const contradiction = await alter('--config', 'retention.ms=1000', '--reset', 'retention.ms');
    assert.equal(contradiction.code, 2);
    assert.match(contradiction.stderr, /retention\.ms cannot be set and reset at once/);
  });

  it('remembers producers', async () => {
    const producers = await sluice.json<{ partition: number; lastSequence: number; transactionStart: null }[]>(
      'topics producers',
      ['topics', 'producers', 'orders'],
    );
    assert.deepEqual(
      producers.map(({ partition, lastSequence, transactionStart }) => [partition, lastSequence, transactionStart]),
      [
        [0, 9, null],
        [1, 9, null],
      ],
    );
  });

  it('lists what matches, and passes over what is there or is not', async () => {
    const create = ['topics', 'create', 'orders', 'orders-eu', '--if-not-exists'];
    assert.deepEqual(
      (await sluice.json<{ name: string }[]>('topics create', create)).map(({ name }) => name),
      ['orders-eu'],
    );
    const list = ['topics', 'list', '--match', '-eu$'];
    assert.deepEqual(
      (await sluice.json<{ name: string }[]>('topics list', list)).map(({ name }) => name),
      ['orders-eu'],
    );
    const remove = ['topics', 'delete', 'orders-eu', 'none', '--if-exists'];
    assert.deepEqual(await sluice.json('topics delete', remove), [{ name: 'orders-eu', deleted: true }]);
  });

  it('finds partitions that somebody should look after', async () => {
    const find = <T>(flag: string) =>
      sluice.json<T[]>(`topics describe --${flag}`, ['topics', 'describe', `--${flag}`]);
    assert.deepEqual(await find('under-replicated'), []);
    assert.deepEqual(await find('unavailable'), []);
    assert.deepEqual(await find('under-min-isr'), []);
    const { length } = await find('at-min-isr');
    assert.ok(length >= 2, 'one replica is all that is asked for here');
    assert.equal((await sluice.run(['topics', 'describe'])).code, 2);
  });
});

describe('sluice config', () => {
  interface Described {
    readonly type: string;
    readonly name: string;
    readonly configs: readonly { readonly name: string; readonly value: string; readonly source: string }[];
  }
  const described = async (...args: readonly string[]) =>
    (await sluice.json<Described[]>('config describe', ['config', 'describe', ...args])).map(({ name, configs }) => [
      name,
      configs.map((each) => `${each.name}=${each.value} (${each.source})`).join(', '),
    ]);
  const alter = (...args: readonly string[]) => sluice.json('config alter', ['config', 'alter', ...args]);

  it('sets, adds to and resets what a topic has', async () => {
    assert.deepEqual(await alter('topic', 'orders', '--set', 'retention.ms=60000'), [
      { type: 'topic', name: 'orders', config: 'retention.ms', change: 'set', value: '60000' },
    ]);
    await alter('topic', 'orders', '--append', 'cleanup.policy=compact');
    assert.deepEqual(await described('topic', 'orders', '--option', 'cleanup.policy', '--option', 'retention.ms'), [
      ['orders', 'cleanup.policy=delete,compact (topic), retention.ms=60000 (topic)'],
    ]);
    await alter('topic', 'orders', '--subtract', 'cleanup.policy=compact', '--reset', 'retention.ms');
    assert.deepEqual(await described('topic'), [['orders', 'cleanup.policy=delete (topic)']]);
    await alter('topic', 'orders', '--reset', 'cleanup.policy', '--dry-run');
    assert.deepEqual(await described('topic', 'orders'), [['orders', 'cleanup.policy=delete (topic)']]);
  });

  it('changes one broker, or all of them', async () => {
    await alter('broker', '1', '--set', 'log.cleaner.threads=2');
    await alter('broker', '--set', 'log.retention.ms=86400000');
    const ofAll = async () => (await described('broker'))[0]![1]!;
    assert.match(await ofAll(), /log\.retention\.ms=86400000 \(all brokers\)/);
    const [[, own]] = (await described('broker', '1')) as [[string, string]];
    assert.match(own, /log\.cleaner\.threads=2 \(broker\)/);
    assert.match(own, /log\.retention\.ms=86400000 \(all brokers\)/);
    const all = await sluice.output(['config', 'describe', 'broker', '1', '--all', '--synonyms']);
    assert.match(all, /num\.partitions +1 +default/);
    await alter('broker', '--reset', 'log.retention.ms');
    assert.doesNotMatch(await ofAll(), /retention/);
  });

  it('says what has configs, and what cannot be', async () => {
    const list = ['config', 'list', '--type', 'topic'];
    assert.deepEqual(await sluice.json('config list', list), [{ type: 'topic', name: 'orders' }]);
    for (const [args, code, why] of [
      [['alter', 'topic', 'orders'], 2, /nothing to change/],
      [['alter', 'topic', '--set', 'a=b'], 2, /give the name of the topic/],
      [['alter', 'topic', 'orders', '--reset', 'retention.sm'], 1, /topics have no config retention\.sm/],
      [['alter', 'topic', 'orders', '--set', 'retention.ms=soon'], 1, /retention\.ms/],
      [['describe', 'planet'], 2, /Allowed choices are topic, broker/],
      [['describe', 'topic', 'none'], 1, /none/],
    ] as const) {
      const result = await sluice.run(['config', ...args]);
      assert.equal(result.code, code, args.join(' '));
      assert.match(result.stderr, why);
    }
  });
});

describe('sluice groups', () => {
  it('exports offsets, takes them again, and forgets them', async () => {
    const reset = ['groups', 'reset-offsets', 'g', '--topic', 'orders'];
    const exported = await sluice.output([...reset, '--to-latest', '--export']);
    assert.equal(exported, 'orders,0,10\norders,1,10\n');
    writeFileSync(join(home, 'offsets.csv'), exported);
    await sluice.output(['groups', 'reset-offsets', 'g', '--from-file', '-', '--execute'], { input: exported });
    const rows = await sluice.json<{ lag: number }[]>('groups describe', ['groups', 'describe', 'g']);
    assert.deepEqual(
      rows.map(({ lag }) => lag),
      [0, 0],
    );
    const forget = ['groups', 'delete-offsets', 'g', '--topic', 'orders:1'];
    const shown = await sluice.run(forget);
    assert.equal(shown.code, 0);
    assert.match(shown.stderr, /Nothing was changed/);
    assert.deepEqual(await sluice.json('groups delete-offsets', [...forget, '--execute']), [
      { group: 'g', topic: 'orders', partition: 1, currentOffset: 10 },
    ]);
    assert.equal((await sluice.json<unknown[]>('groups describe', ['groups', 'describe', 'g'])).length, 1);
    assert.equal((await sluice.run([...forget, '--execute'])).code, 1, 'there is nothing any more');
    assert.equal((await sluice.run([...reset, '--to-latest', '--export', '--execute'])).code, 2);
  });
});

describe('sluice cluster', () => {
  it('shows directories with what lies there', async () => {
    interface Directory {
      readonly path: string;
      readonly usableBytes: number;
      readonly replicas: readonly { readonly topic: string; readonly bytes: number }[];
    }
    const args = ['cluster', 'log-dirs', '--topic', 'orders', '--broker', '1'];
    const [directory] = await sluice.json<[Directory]>('cluster log-dirs', args);
    assert.equal(directory.path, broker.dataDirectory);
    assert.ok(directory.usableBytes > 0);
    assert.deepEqual(
      directory.replicas.map(({ topic, bytes }) => [topic, bytes > 0]),
      [
        ['orders', true],
        ['orders', true],
      ],
    );
    assert.match(await sluice.output([...args, '--replicas']), /orders +0 +\d/);
    assert.equal((await sluice.run(['cluster', 'log-dirs', '--broker', '9'])).code, 1);
  });

  it('shows what brokers speak', async () => {
    const versions = await sluice.json<{ api: string; from: number; to: number }[]>('cluster api-versions', [
      ...['cluster', 'api-versions', '--broker', '1'],
    ]);
    const produce = versions.find(({ api }) => api === 'Produce');
    assert.deepEqual([produce?.from, produce?.to], [0, 13]);
    assert.ok(!versions.some(({ api }) => api.startsWith('Unknown')));
  });

  it('shows and changes features', async () => {
    const features = await sluice.json<{ feature: string; level: number; supportedTo: number }[]>('cluster features', [
      ...['cluster', 'features'],
    ]);
    const metadata = features.find(({ feature }) => feature === 'metadata.version');
    assert.ok(metadata !== undefined && metadata.level >= 1, JSON.stringify(features));
    const dry = ['cluster', 'features', '--upgrade', `metadata.version=${metadata.level}`, '--dry-run'];
    assert.equal((await sluice.run(dry)).code, 0);
    const unknown = await sluice.run(['cluster', 'features', '--upgrade', 'no.such=1']);
    assert.equal(unknown.code, 1);
    assert.equal((await sluice.run(['cluster', 'features', '--upgrade', 'metadata.version'])).code, 2);
  });
});
