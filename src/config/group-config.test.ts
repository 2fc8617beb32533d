import assert from 'node:assert/strict';
import { test } from 'node:test';
import { alterIncrementally } from './alter.ts';
import { loadBrokerConfig } from './broker-config.ts';
import { CONFIG_SOURCE, describeGroupConfigs } from './describe.ts';
import { groupConfigValue, validateGroupConfigs } from './group-config.ts';

const broker = loadBrokerConfig({});
const SESSION = 'consumer.session.timeout.ms';
const HEARTBEAT = 'consumer.heartbeat.interval.ms';

test('a group takes its own value, else the one of the broker', () => {
  assert.equal(groupConfigValue(broker, new Map(), SESSION), 45_000);
  assert.equal(groupConfigValue(broker, new Map([[SESSION, '50000']]), SESSION), 50_000);
});

test('a value that the bounds of the broker do not allow any more counts as the nearest that they do', () => {
  const narrow = loadBrokerConfig({ overrides: { 'group.consumer.max.session.timeout.ms': '46000' } });
  assert.equal(groupConfigValue(narrow, new Map([[SESSION, '50000']]), SESSION), 46_000);
});

test('what a group may be given is told in words', () => {
  const problem = (values: Record<string, string>): string | undefined =>
    validateGroupConfigs(broker, new Map(Object.entries(values)));
  assert.equal(problem({ [SESSION]: '50000', [HEARTBEAT]: '6000' }), undefined);
  assert.match(problem({ [SESSION]: '1' })!, /at least group\.consumer\.min\.session\.timeout\.ms, which is 45000/);
  assert.match(problem({ [HEARTBEAT]: '60000' })!, /at most group\.consumer\.max\.heartbeat/);
  assert.match(problem({ [SESSION]: 'long' })!, /not allowed/);
  assert.match(problem({ 'no.such': '1' })!, /groups have no such config/);
});

test('configs of kinds of groups that are not served are kept within the bounds of Kafka', () => {
  const problem = (name: string, value: string): string | undefined =>
    validateGroupConfigs(broker, new Map([[name, value]]));
  for (const [name, value] of [
    ['share.session.timeout.ms', '50000'],
    ['share.auto.offset.reset', 'by_duration:P1DT2H'],
    ['share.isolation.level', 'read_committed'],
    ['share.renew.acknowledge.enable', 'false'],
    ['streams.num.standby.replicas', '2'],
  ] as const) {
    assert.equal(problem(name, value), undefined, name);
  }
  for (const [name, value] of [
    ['share.session.timeout.ms', '44999'],
    ['share.auto.offset.reset', 'by_duration:P'],
    ['share.isolation.level', 'committed'],
    ['share.renew.acknowledge.enable', 'maybe'],
    ['streams.num.standby.replicas', '3'],
  ] as const) {
    assert.match(problem(name, value)!, /not allowed; allowed: /, name);
  }
  const own = new Map([['streams.num.standby.replicas', '2']]);
  const [described] = describeGroupConfigs(broker, own, { includeSynonyms: true, names: [...own.keys()] });
  assert.deepEqual([described!.value, described!.configSource], ['2', CONFIG_SOURCE.GROUP]);
  assert.deepEqual(
    described!.synonyms.map(({ name, value }) => [name, value]),
    [
      ['streams.num.standby.replicas', '2'],
      ['group.streams.num.standby.replicas', '0'],
    ],
  );
});

test('configs of a group are altered and described with where they come from', () => {
  const target = { kind: 'group', broker } as const;
  const changes = [{ name: SESSION, value: '50000', operation: 0 }];
  assert.deepEqual(alterIncrementally(target, new Map(), changes), {
    ok: true,
    changes: [{ name: SESSION, value: '50000' }],
  });
  const bad = alterIncrementally(target, new Map(), [{ name: SESSION, value: '1', operation: 0 }]);
  assert.equal(bad.ok ? undefined : bad.error, 'INVALID_CONFIG');
  const described = describeGroupConfigs(broker, new Map([[SESSION, '50000']]), { includeSynonyms: true });
  const own = described.find(({ name }) => name === SESSION)!;
  assert.deepEqual([own.value, own.configSource, own.configType], ['50000', CONFIG_SOURCE.GROUP, 3]);
  assert.deepEqual(
    own.synonyms.map(({ name }) => name),
    [SESSION, 'group.consumer.session.timeout.ms'],
  );
  assert.equal(described.find(({ name }) => name === HEARTBEAT)!.configSource, CONFIG_SOURCE.DEFAULT);
});
