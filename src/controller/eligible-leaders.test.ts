import assert from 'node:assert/strict';
import { test } from 'node:test';
import { configsOf, RESOURCE_TYPE } from '../metadata/image.ts';
import { ErrorCode } from '../protocol/error-codes.ts';
import { incrementalAlterConfigs } from './configs.ts';
import { updateFeatures } from './features.ts';
import { after, config, type ImageSpec, imageOf, partitionOf, TOPIC } from './image.test-kit.ts';
import { OWN_FEATURES } from './registration.ts';

const SPEC: ImageSpec = {
  brokers: [1, 2, 3],
  minInSync: 2,
  eligibleLeaders: true,
  partitions: [{ replicas: [1, 2, 3], isr: [1], eligibleLeaderReplicas: [2, 3] }],
};

function alter(resourceType: number, resourceName: string, value: string | null, validateOnly = false) {
  const configs = [{ name: 'min.insync.replicas', configOperation: value === null ? 1 : 0, value }];
  const request = { resources: [{ resourceType, resourceName, configs }], validateOnly };
  const image = imageOf(SPEC);
  const { records, result } = incrementalAlterConfigs(image, request, config);
  return { image: after(image, records), code: result.responses[0]!.errorCode };
}

test('another measure of in-sync sets ends what the old one made eligible', () => {
  const ofTopic = alter(RESOURCE_TYPE.TOPIC, TOPIC, '3');
  assert.equal(ofTopic.code, ErrorCode.NONE);
  assert.deepEqual(partitionOf(ofTopic.image).eligibleLeaderReplicas, []);
  assert.deepEqual(partitionOf(alter(RESOURCE_TYPE.BROKER, '', '3').image).eligibleLeaderReplicas, []);
  assert.deepEqual(partitionOf(alter(RESOURCE_TYPE.TOPIC, TOPIC, '3', true).image).eligibleLeaderReplicas, [2, 3]);
});

test('the measure of the whole cluster cannot be taken away', () => {
  assert.equal(alter(RESOURCE_TYPE.BROKER, '', null).code, ErrorCode.INVALID_CONFIG);
});

test('the feature begins with one measure for the whole cluster', () => {
  const { eligibleLeaders: _, ...without } = SPEC;
  let image = imageOf(without);
  const brokers = [...image.brokers].map(([id, broker]) => [id, { ...broker, features: OWN_FEATURES }] as const);
  image = { ...image, brokers: new Map(brokers) };
  const featureUpdates = [
    { feature: 'eligible.leader.replicas.version', maxVersionLevel: 1, allowDowngrade: false, upgradeType: 1 },
  ];
  const { records, result } = updateFeatures(image, { timeoutMs: 1, featureUpdates, validateOnly: false }, 1, config);
  assert.equal(result.errorCode, ErrorCode.NONE);
  image = after(image, records);
  assert.equal(image.features.get('eligible.leader.replicas.version'), 1);
  assert.equal(configsOf(image, RESOURCE_TYPE.BROKER, '').get('min.insync.replicas'), '1');
});
