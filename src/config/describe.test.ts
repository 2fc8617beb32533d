import assert from 'node:assert/strict';
import { test } from 'node:test';
import { loadBrokerConfig } from './broker-config.ts';
import { CONFIG_SOURCE, describeBrokerConfigs, describeClusterDefaults, describeTopicConfigs } from './describe.ts';

const broker = loadBrokerConfig({
  file: { path: 'f', text: 'log.retention.hours=2\nssl.key.password=hush\nnode.id=3' },
}).withDynamic({
  perBroker: new Map([['log.cleaner.threads', '2']]),
  clusterDefault: new Map([['log.retention.ms', '9000']]),
});

test("synonyms come source by source, the topic's own value first", () => {
  const [entry] = describeTopicConfigs(broker, new Map([['retention.ms', '5']]), {
    names: ['retention.ms'],
    includeSynonyms: true,
    includeDocumentation: true,
  });
  assert.deepEqual(entry, {
    name: 'retention.ms',
    value: '5',
    readOnly: false,
    configSource: CONFIG_SOURCE.TOPIC,
    isSensitive: false,
    synonyms: [
      { name: 'retention.ms', value: '5', source: 1 },
      { name: 'log.retention.ms', value: '9000', source: 3 },
      { name: 'log.retention.hours', value: '2', source: 4 },
      { name: 'log.retention.hours', value: '168', source: 5 },
    ],
    configType: 5,
    documentation: 'Age at which segments are deleted; -1 keeps them forever.',
  });
});

test('a topic config without own value has the value and source of its broker option', () => {
  const entries = describeTopicConfigs(broker, new Map());
  const find = (name: string) => entries.find((entry) => entry.name === name)!;
  assert.deepEqual([find('retention.ms').value, find('retention.ms').configSource], ['9000', 3]);
  assert.deepEqual([find('segment.bytes').value, find('segment.bytes').configSource], ['1073741824', 5]);
  assert.equal(find('flush.ms').value, '9223372036854775807');
  assert.equal(find('min.cleanable.dirty.ratio').value, '0.5');
  assert.deepEqual(find('segment.bytes').synonyms, []);
  assert.ok(!entries.some(({ name }) => name.startsWith('internal.')));
});

test('an inherited source of static hours is static, with what comes before the asked name left out', () => {
  const hours = loadBrokerConfig({ overrides: { 'log.retention.hours': '2' } });
  const [topic] = describeTopicConfigs(hours, new Map(), { names: ['retention.ms'], includeSynonyms: true });
  assert.equal(topic!.value, '7200000');
  assert.deepEqual(topic!.synonyms, [], 'log.retention.ms itself has no value');
  const [own] = describeBrokerConfigs(hours, { names: ['log.retention.hours'], includeSynonyms: true });
  assert.deepEqual(
    own!.synonyms.map(({ source }) => source),
    [4, 5],
  );
});

test('a broker shows its values, hides secrets and tells which need a restart', () => {
  const entries = new Map(describeBrokerConfigs(broker).map((entry) => [entry.name, entry]));
  assert.deepEqual([entries.get('node.id')!.value, entries.get('node.id')!.readOnly], ['3', true]);
  assert.deepEqual(
    [entries.get('log.cleaner.threads')!.value, entries.get('log.cleaner.threads')!.configSource],
    ['2', 2],
  );
  const secret = entries.get('ssl.key.password')!;
  assert.deepEqual([secret.value, secret.isSensitive, secret.configSource], [null, true, 4]);
  assert.ok(!JSON.stringify([...entries.values()]).includes('hush'));
});

test('the broker without a name shows only what all brokers share', () => {
  assert.deepEqual(
    describeClusterDefaults(broker).map(({ name, value, configSource }) => [name, value, configSource]),
    [['log.retention.ms', '9000', 3]],
  );
});
