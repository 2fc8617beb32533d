import assert from 'node:assert/strict';
import { test } from 'node:test';
import { loadBrokerConfig } from './broker-config.ts';
import { brokerOptions } from './broker-options.ts';
import { type Option, parseValue } from './option.ts';
import { resolveTopicConfig, validateTopicConfig, validateTopicConfigs } from './topic-config.ts';
import { topicOptionNames, topicOptions, topicSynonyms } from './topic-options.ts';

test('a topic config and its broker option agree in type, range and default', () => {
  for (const name of topicOptionNames) {
    const option: Option = topicOptions[name];
    if (option.default !== null) assert.ok(parseValue(option, option.default).ok, name);
    const synonym = topicSynonyms[name];
    if (synonym === undefined) continue;
    const brokerOption: Option = brokerOptions[synonym];
    assert.equal(brokerOption.type, option.type, name);
    if (name === 'flush.ms') continue;
    assert.deepEqual(
      [brokerOption.min, brokerOption.max, brokerOption.allowed],
      [option.min, option.max, option.allowed],
      name,
    );
    const config = resolveTopicConfig(loadBrokerConfig(), new Map());
    assert.equal(config.text(name), option.default, `${name}: the broker's default is the topic's`);
  }
});

test("a topic's own value counts more than the broker's", () => {
  const broker = loadBrokerConfig({ overrides: { 'log.retention.hours': '2', 'log.cleanup.policy': 'compact' } });
  const config = resolveTopicConfig(broker, new Map([['segment.ms', ' 100 ']]));
  assert.equal(config.get('segment.ms'), 100);
  assert.equal(config.text('segment.ms'), '100');
  assert.equal(config.get('retention.ms'), 7200000);
  assert.equal(config.text('retention.ms'), '7200000');
  assert.deepEqual(config.get('cleanup.policy'), ['compact']);
});

test('a bad value of a topic is named with what is allowed', () => {
  assert.equal(
    validateTopicConfig('min.insync.replicas', '0'),
    'min.insync.replicas=0: not allowed; allowed: a whole number of at least 1',
  );
  assert.match(validateTopicConfig('compression.type', 'brotli')!, /one of: uncompressed, zstd/);
  assert.match(validateTopicConfig('compression.gzip.level', '0')!, /from 1 to 9, or -1/);
  assert.match(validateTopicConfig('leader.replication.throttled.replicas', '1-2')!, /partition:broker/);
  assert.match(validateTopicConfig('retention.msec', '1')!, /did you mean retention.ms\?/);
  for (const [name, value] of [
    ['compression.gzip.level', '-1'],
    ['cleanup.policy', 'compact,delete'],
    ['leader.replication.throttled.replicas', '*'],
    ['follower.replication.throttled.replicas', '0:1,1:2'],
    ['retention.bytes', '-1'],
  ] as const) {
    assert.equal(validateTopicConfig(name, value), undefined, name);
  }
});

test('values are checked together with what the broker gives', () => {
  const broker = loadBrokerConfig({ overrides: { 'log.cleaner.max.compaction.lag.ms': '50' } });
  assert.match(
    validateTopicConfigs(broker, new Map([['min.compaction.lag.ms', '51']]))!,
    /at most max.compaction.lag.ms/,
  );
  assert.match(validateTopicConfigs(broker, new Map([['remote.storage.enable', 'true']]))!, /no tiered storage/);
  assert.equal(validateTopicConfigs(broker, new Map([['min.compaction.lag.ms', '50']])), undefined);
});
