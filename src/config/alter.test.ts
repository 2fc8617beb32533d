import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type AlterResult, alterIncrementally, alterWholly, checkNewTopicConfigs } from './alter.ts';
import { loadBrokerConfig } from './broker-config.ts';

const broker = loadBrokerConfig({ overrides: { 'node.id': '1' } });
const topic = { kind: 'topic', broker } as const;
const SET = 0;
const DELETE = 1;
const APPEND = 2;
const SUBTRACT = 3;

function changes(result: AlterResult): Record<string, string | null> {
  assert.ok(result.ok, result.ok ? '' : result.message);
  return Object.fromEntries(result.changes.map(({ name, value }) => [name, value]));
}

function refusal(result: AlterResult): string {
  assert.ok(!result.ok);
  return `${result.error}: ${result.message}`;
}

test('single values are set, removed, added to and taken away from', () => {
  const current = new Map([
    ['retention.ms', '1'],
    ['cleanup.policy', 'delete'],
  ]);
  const one = (name: string, operation: number, value: string | null) =>
    changes(alterIncrementally(topic, current, [{ name, operation, value }]));
  assert.deepEqual(one('segment.ms', SET, '5'), { 'segment.ms': '5' });
  assert.deepEqual(one('retention.ms', DELETE, null), { 'retention.ms': null });
  assert.deepEqual(one('cleanup.policy', APPEND, 'compact'), { 'cleanup.policy': 'delete,compact' });
  assert.deepEqual(one('cleanup.policy', SUBTRACT, 'delete'), { 'cleanup.policy': '' });
});

test('a list without own value is added to from its default', () => {
  const operations = [{ name: 'cleanup.policy', operation: APPEND, value: 'compact' }];
  assert.deepEqual(changes(alterIncrementally(topic, new Map(), operations)), { 'cleanup.policy': 'delete,compact' });
});

test('what changes nothing is left out for a topic and kept for a broker', () => {
  const set = [{ name: 'retention.ms', operation: SET, value: '1' }];
  assert.deepEqual(changes(alterIncrementally(topic, new Map([['retention.ms', '1']]), set)), {});
  assert.deepEqual(
    changes(alterIncrementally(topic, new Map(), [{ name: 'retention.ms', operation: DELETE, value: null }])),
    {},
  );
  const target = { kind: 'broker', id: 1, broker } as const;
  const same = [{ name: 'log.cleaner.threads', operation: SET, value: '2' }];
  assert.deepEqual(changes(alterIncrementally(target, new Map([['log.cleaner.threads', '2']]), same)), {
    'log.cleaner.threads': '2',
  });
});

test('one bad value refuses the whole resource', () => {
  const operations = [
    { name: 'segment.ms', operation: SET, value: '5' },
    { name: 'retention.ms', operation: SET, value: 'x' },
  ];
  assert.match(refusal(alterIncrementally(topic, new Map(), operations)), /^INVALID_CONFIG: retention.ms=x/);
});

test('malformed requests are told from bad values', () => {
  const twice = [
    { name: 'segment.ms', operation: SET, value: '5' },
    { name: 'segment.ms', operation: SET, value: '6' },
  ];
  assert.match(refusal(alterIncrementally(topic, new Map(), twice)), /^INVALID_REQUEST: segment.ms stands twice/);
  const absent = [{ name: 'segment.ms', operation: SET, value: null }];
  assert.match(refusal(alterIncrementally(topic, new Map(), absent)), /^INVALID_REQUEST: no value for: segment.ms/);
  const unknown = [{ name: 'segment.ms', operation: 9, value: '1' }];
  assert.match(refusal(alterIncrementally(topic, new Map(), unknown)), /^INVALID_REQUEST/);
  const noList = [{ name: 'segment.ms', operation: APPEND, value: '1' }];
  assert.match(refusal(alterIncrementally(topic, new Map(), noList)), /^INVALID_CONFIG: segment.ms: is no list/);
  const long = [{ name: 'leader.replication.throttled.replicas', operation: SET, value: '1:1,'.repeat(9000) }];
  assert.match(refusal(alterIncrementally(topic, new Map(), long)), /longer than 32767/);
});

test('the older request removes what it does not name', () => {
  const current = new Map([
    ['retention.ms', '1'],
    ['segment.ms', '2'],
  ]);
  assert.deepEqual(changes(alterWholly(topic, current, [{ name: 'retention.ms', value: '3' }])), {
    'retention.ms': '3',
    'segment.ms': null,
  });
});

test('broker values are refused where only a restart or one broker could change them', () => {
  const one = (id: number | undefined, name: string, value: string) =>
    alterIncrementally({ kind: 'broker', id, broker }, new Map(), [{ name, operation: SET, value }]);
  assert.match(
    refusal(one(1, 'num.partitions', '2')),
    /^INVALID_REQUEST: num.partitions: can only be changed by a restart/,
  );
  assert.match(refusal(one(undefined, 'cordoned.log.dirs', '/a')), /for one broker, not for all/);
  assert.match(refusal(one(1, 'ssl.client.auth', 'none')), /for one listener/);
  assert.match(refusal(one(1, 'message.max.bytes', '-1')), /at least 0/);
  assert.match(refusal(one(1, 'log.retention.ms', '0')), /-1 or at least 1/);
  assert.match(refusal(one(1, 'mesage.max.bytes', '1')), /^INVALID_CONFIG: .*did you mean message.max.bytes/);
  assert.deepEqual(changes(one(undefined, 'message.max.bytes', '5')), { 'message.max.bytes': '5' });
  assert.deepEqual(changes(one(1, 'listener.name.external.ssl.client.auth', 'required')), {
    'listener.name.external.ssl.client.auth': 'required',
  });
});

test('the configs of a new topic must be known, valid and given once', () => {
  assert.deepEqual(changes(checkNewTopicConfigs(broker, [{ name: 'retention.ms', value: '1' }])), {
    'retention.ms': '1',
  });
  assert.match(refusal(checkNewTopicConfigs(broker, [{ name: 'retention.ms', value: null }])), /^INVALID_CONFIG/);
});
