import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SluiceError } from '../base/errors.ts';
import { type BrokerConfigSources, loadBrokerConfig } from './broker-config.ts';
import { brokerOptionNames, brokerOptions } from './broker-options.ts';
import { type Option, parseValue } from './option.ts';

function problems(sources: BrokerConfigSources): string[] {
  try {
    loadBrokerConfig(sources);
  } catch (error) {
    assert.ok(error instanceof SluiceError);
    assert.equal(error.code, 'INVALID_CONFIG');
    return error.message.split('\n');
  }
  return [];
}

const file = (text: string): BrokerConfigSources => ({ file: { path: 'server.properties', text } });

test('every declared default is a valid value of its own option', () => {
  for (const name of brokerOptionNames) {
    const option: Option = brokerOptions[name];
    if (option.default !== null) assert.ok(parseValue(option, option.default).ok, name);
    assert.ok(option.doc.endsWith('.') && !option.doc.includes('\n'), `${name} has one line of documentation`);
  }
});

test('every fallback names a declared option', () => {
  for (const name of brokerOptionNames) {
    for (const fallback of brokerOptions[name].fallbacks) assert.ok(fallback.option in brokerOptions, name);
  }
});

test('flags count more than the environment, which counts more than the file', () => {
  const config = loadBrokerConfig({
    file: { path: 'server.properties', text: 'num.partitions=2\nlog.dirs=/a\nlog.segment.bytes=2000000' },
    environment: { KAFKA_NUM_PARTITIONS: '3', KAFKA_LOG_DIRS: '/b' },
    overrides: { 'num.partitions': '4' },
  });
  assert.equal(config.get('num.partitions'), 4);
  assert.deepEqual(config.get('log.dirs'), ['/b']);
  assert.equal(config.get('log.segment.bytes'), 2000000);
  assert.equal(config.sourceOf('num.partitions'), 'flag');
  const row = config.explain().find(({ name }) => name === 'log.segment.bytes');
  assert.deepEqual([row?.value, row?.source, row?.origin], ['2000000', 'file', 'server.properties:3']);
});

test('hours and minutes give milliseconds where no milliseconds are given', () => {
  assert.equal(loadBrokerConfig().get('log.retention.ms'), 168 * 3600000);
  assert.equal(loadBrokerConfig(file('log.retention.minutes=3')).get('log.retention.ms'), 180000);
  assert.equal(loadBrokerConfig(file('log.retention.minutes=3\nlog.retention.ms=5')).get('log.retention.ms'), 5);
  assert.equal(loadBrokerConfig(file('log.retention.hours=-1')).get('log.retention.ms'), -1);
  assert.equal(loadBrokerConfig(file('log.flush.scheduler.interval.ms=7')).get('log.flush.interval.ms'), 7);
  assert.equal(loadBrokerConfig(file('log.retention.hours=1')).sourceOf('log.retention.ms'), 'file');
});

test('a bad value is one line with option, value, what is allowed and where it was given', () => {
  assert.deepEqual(problems(file('\nnum.partitions=0')), [
    'num.partitions=0: not allowed; allowed: a whole number of at least 1 (server.properties:2)',
  ]);
  assert.deepEqual(problems({ environment: { KAFKA_DELETE_TOPIC_ENABLE: 'yes' } }), [
    'delete.topic.enable=yes: not allowed; allowed: true or false (KAFKA_DELETE_TOPIC_ENABLE)',
  ]);
});

test('an unknown name is an error that proposes the nearest option', () => {
  assert.deepEqual(problems(file('log.retention.houres=1')), [
    'log.retention.houres=1: unknown option; did you mean log.retention.hours? (server.properties:1)',
  ]);
  assert.match(problems(file('advertised.host.name=x'))[0]!, /use advertised.listeners/);
  assert.match(problems(file('remote.log.storage.system.enable=true'))[0]!, /tiered storage/);
  assert.match(problems(file('qqqq=1'))[0]!, /unknown option; see sluice config/);
});

test('all problems are told at once', () => {
  assert.equal(problems(file('num.partitions=0\nfoo.bar.baz=1\nlog.roll.ms=x')).length, 3);
});

test('KAFKA_ variables that are no option are set aside, whatever they hold', () => {
  const config = loadBrokerConfig({
    environment: {
      KAFKA_HOME: '/opt',
      KAFKA_HEAP_OPTS: '-Xmx1G',
      KAFKA_OPTS: '',
      PATH: '/bin',
      KAFKA_BROKER_RACK: 'r1',
    },
  });
  assert.deepEqual(config.ignoredVariables, ['KAFKA_HEAP_OPTS', 'KAFKA_HOME', 'KAFKA_OPTS']);
  assert.equal(config.get('broker.rack'), 'r1');
});

test('node.id and broker.id are one number under two names', () => {
  assert.equal(loadBrokerConfig(file('broker.id=7')).get('node.id'), 7);
  assert.equal(loadBrokerConfig(file('node.id=8')).get('broker.id'), 8);
  assert.match(problems(file('node.id=1\nbroker.id=2'))[0]!, /differs from node.id=1/);
});

test('rules between options are checked', () => {
  assert.match(problems(file('log.retention.ms=0'))[0]!, /-1 or at least 1/);
  assert.match(problems(file('queued.max.request.bytes=10'))[0]!, /socket.request.max.bytes/);
  assert.match(problems(file('max.connections.per.ip=0'))[0]!, /overrides/);
  assert.match(problems(file('max.connections.per.ip.overrides=a:b'))[0]!, /address:count/);
});

test("a listener's own value counts for that listener only", () => {
  const config = loadBrokerConfig(
    file(
      'ssl.client.auth=none\nlistener.name.external.ssl.client.auth=required\nlistener.name.x.plain.sasl.jaas.config=u',
    ),
  );
  assert.equal(config.getForListener('EXTERNAL', 'ssl.client.auth'), 'required');
  assert.equal(config.getForListener('INTERNAL', 'ssl.client.auth'), 'none');
  assert.equal(config.getForListener('X', 'sasl.jaas.config', 'PLAIN'), 'u');
  assert.match(problems(file('listener.name.external.ssl.client.auth=maybe'))[0]!, /one of: required/);
});

test('dynamic values lie over static ones, this broker before the cluster', () => {
  const config = loadBrokerConfig(file('message.max.bytes=1000'));
  const clusterDefault = new Map([
    ['message.max.bytes', '2000'],
    ['log.retention.ms', '5'],
  ]);
  const dynamic = config.withDynamic({ clusterDefault, perBroker: new Map([['message.max.bytes', '3000']]) });
  assert.equal(dynamic.get('message.max.bytes'), 3000);
  assert.equal(dynamic.get('log.retention.ms'), 5);
  assert.equal(dynamic.sourceOf('message.max.bytes'), 'dynamic-broker');
  assert.equal(config.get('message.max.bytes'), 1000, 'the first config has not changed');
  const invalid = config.withDynamic({ clusterDefault: new Map([['message.max.bytes', 'x']]), perBroker: new Map() });
  assert.equal(invalid.get('message.max.bytes'), 1000, 'what is no longer valid counts as absent');
});

test('secrets are never shown', () => {
  const rows = loadBrokerConfig(file('ssl.key.password=hush')).explain();
  assert.ok(!JSON.stringify(rows).includes('hush'));
  assert.ok(!problems(file('ssl.keystore.password=hush\nnum.partitions=0')).join().includes('hush'));
});

test('options without effect are named, with the reason', () => {
  const config = loadBrokerConfig(file('num.io.threads=4\nnum.partitions=2\nquota.window.num=5'));
  assert.deepEqual(config.inertGiven(), [
    { name: 'num.io.threads', inert: 'never' },
    { name: 'quota.window.num', inert: 'later' },
  ]);
});

test('options that tune what is not there are ignored and told, as the file that Kafka ships needs it', () => {
  const text = 'share.coordinator.state.topic.min.isr=1\nremote.log.manager.task.interval.ms=30000\n';
  const config = loadBrokerConfig({ file: { path: 'server.properties', text } });
  assert.deepEqual(
    [...config.ignoredOptions],
    [
      ['share.coordinator.state.topic.min.isr', 'no share groups'],
      ['remote.log.manager.task.interval.ms', 'no tiered storage'],
    ],
  );
});

test('asking for tiered storage itself is refused', () => {
  assert.throws(
    () => loadBrokerConfig({ overrides: { 'remote.log.storage.system.enable': 'true' } }),
    /remote\.log\.storage\.system\.enable=true: not an option here \(no tiered storage\)/,
  );
});
