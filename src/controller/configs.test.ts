import assert from 'node:assert/strict';
import { test } from 'node:test';
import { brokerConfigsOf, topicConfigsOf } from '../metadata/image.ts';
import { errorName } from '../protocol/error-codes.ts';
import { type Cluster, creation, withCluster } from './controller.test-kit.ts';

const TOPIC = 2;
const BROKER = 4;

async function set(
  { controller }: Cluster,
  resources: [type: number, name: string, configs: Record<string, string>][],
  validateOnly = false,
): Promise<string[]> {
  const { responses } = await controller.incrementalAlterConfigs({
    resources: resources.map(([resourceType, resourceName, configs]) => ({
      resourceType,
      resourceName,
      configs: Object.entries(configs).map(([name, value]) => ({ name, configOperation: 0, value })),
    })),
    validateOnly,
  });
  return responses.map(({ errorCode }) => errorName(errorCode ?? 0));
}

test('configs of topics and brokers are changed, each resource for itself', async () => {
  await withCluster(async (cluster) => {
    await cluster.controller.createTopics(creation([{ name: 'a' }, { name: 'b' }]));
    const image = () => cluster.quorum.image();
    assert.deepEqual(await set(cluster, [[TOPIC, 'a', { 'retention.ms': '1' }]], true), ['NONE']);
    assert.equal(topicConfigsOf(image(), 'a').size, 0, 'validated only');
    const outcome = await set(cluster, [
      [TOPIC, 'a', { 'retention.ms': '1' }],
      [TOPIC, 'b', { 'retention.ms': 'x' }],
      [BROKER, '', { 'message.max.bytes': '5' }],
      [BROKER, '1', { 'log.cleaner.threads': '2' }],
    ]);
    assert.deepEqual(outcome, ['NONE', 'INVALID_CONFIG', 'NONE', 'NONE']);
    assert.equal(topicConfigsOf(image(), 'a').get('retention.ms'), '1');
    assert.equal(brokerConfigsOf(image(), 1).clusterDefault.get('message.max.bytes'), '5');
    assert.equal(brokerConfigsOf(image(), 1).perBroker.get('log.cleaner.threads'), '2');
  });
});

test('each mistake has the code that Kafka gives it', async () => {
  await withCluster(async (cluster) => {
    const code = async (type: number, name: string, configs = {}): Promise<string> =>
      (await set(cluster, [[type, name, configs]]))[0]!;
    assert.equal(await code(TOPIC, 'none'), 'UNKNOWN_TOPIC_OR_PARTITION');
    assert.equal(await code(TOPIC, ''), 'INVALID_REQUEST');
    assert.equal(await code(TOPIC, 'a b'), 'INVALID_TOPIC_EXCEPTION');
    assert.equal(await code(BROKER, '9'), 'INVALID_REQUEST');
    assert.equal(await code(BROKER, 'one'), 'INVALID_REQUEST');
    assert.equal(await code(BROKER, '-1'), 'INVALID_REQUEST');
    assert.equal(await code(BROKER, '1', { 'node.id': '2' }), 'INVALID_REQUEST');
    assert.equal(await code(16, 'x'), 'INVALID_REQUEST');
    const twice = await set(cluster, [
      [BROKER, '', {}],
      [BROKER, '', {}],
    ]);
    assert.deepEqual(twice, ['INVALID_REQUEST', 'INVALID_REQUEST']);
  });
});

test('the older request replaces all values of a topic', async () => {
  await withCluster(async (cluster) => {
    const configs = [
      { name: 'retention.ms', value: '1' },
      { name: 'segment.ms', value: '2' },
    ];
    await cluster.controller.createTopics(creation([{ name: 'a', configs }]));
    const { responses } = await cluster.controller.alterConfigs({
      resources: [{ resourceType: TOPIC, resourceName: 'a', configs: [{ name: 'segment.ms', value: '3' }] }],
      validateOnly: false,
    });
    assert.deepEqual(responses, [{ resourceType: TOPIC, resourceName: 'a', errorCode: 0, errorMessage: null }]);
    assert.deepEqual([...topicConfigsOf(cluster.quorum.image(), 'a')], [['segment.ms', '3']]);
  });
});
