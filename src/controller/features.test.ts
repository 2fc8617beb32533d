import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  GROUP_VERSION_FEATURE,
  METADATA_VERSION_FEATURE,
  METADATA_VERSION_LEVEL,
  newRecord,
} from '../metadata/records.ts';
import { ErrorCode } from '../protocol/error-codes.ts';
import { type Cluster, withCluster } from './controller.test-kit.ts';

const UPGRADE = 1;
const SAFE_DOWNGRADE = 2;
const UNSAFE_DOWNGRADE = 3;

interface Asked {
  readonly feature?: string;
  readonly level: number;
  readonly upgradeType?: number;
  readonly validateOnly?: boolean;
  readonly apiVersion?: number;
}

async function ask({ controller }: Cluster, { level, ...asked }: Asked): Promise<number | undefined> {
  const { feature = GROUP_VERSION_FEATURE, upgradeType = UPGRADE, validateOnly = false, apiVersion = 2 } = asked;
  const update = { feature, maxVersionLevel: level, allowDowngrade: false, upgradeType };
  const request = { timeoutMs: 1000, featureUpdates: [update], validateOnly };
  return (await controller.updateFeatures(request, apiVersion)).errorCode;
}

const levelOf = ({ quorum }: Cluster): number | undefined => quorum.image().features.get(GROUP_VERSION_FEATURE);

test('a feature goes down and up again, each only by the name of what it is', async () => {
  await withCluster(async (cluster) => {
    assert.equal(levelOf(cluster), 1);
    assert.equal(await ask(cluster, { level: 0 }), ErrorCode.INVALID_UPDATE_VERSION);
    assert.equal(await ask(cluster, { level: 0, upgradeType: SAFE_DOWNGRADE, validateOnly: true }), ErrorCode.NONE);
    assert.equal(levelOf(cluster), 1);
    assert.equal(await ask(cluster, { level: 0, upgradeType: SAFE_DOWNGRADE }), ErrorCode.NONE);
    assert.equal(levelOf(cluster), undefined);
    assert.equal(await ask(cluster, { level: 1, upgradeType: SAFE_DOWNGRADE }), ErrorCode.INVALID_UPDATE_VERSION);
    assert.equal(await ask(cluster, { level: 1 }), ErrorCode.NONE);
    assert.equal(levelOf(cluster), 1);
  });
});

test('a level that some broker does not support, or nobody knows, is refused', async () => {
  await withCluster(async (cluster) => {
    for (const asked of [
      { level: 2 },
      { level: -1, upgradeType: SAFE_DOWNGRADE },
      { level: 1, upgradeType: 0 },
      { level: 1, upgradeType: 4 },
      { feature: 'no.such.version', level: 0 },
      { feature: 'no.such.version', level: 1 },
      { feature: METADATA_VERSION_FEATURE, level: METADATA_VERSION_LEVEL + 1 },
    ]) {
      assert.equal(await ask(cluster, asked), ErrorCode.INVALID_UPDATE_VERSION, JSON.stringify(asked));
    }
    const older = [{ name: GROUP_VERSION_FEATURE, minSupportedVersion: 0, maxSupportedVersion: 0 }];
    await ask(cluster, { level: 0, upgradeType: SAFE_DOWNGRADE });
    await cluster.addBroker(2, { features: older });
    assert.equal(await ask(cluster, { level: 1 }), ErrorCode.INVALID_UPDATE_VERSION);
  });
});

test('the version of the metadata stays or rises', async () => {
  await withCluster(async (cluster) => {
    const feature = METADATA_VERSION_FEATURE;
    assert.equal(await ask(cluster, { feature, level: METADATA_VERSION_LEVEL }), ErrorCode.NONE);
    for (const upgradeType of [UPGRADE, SAFE_DOWNGRADE, UNSAFE_DOWNGRADE]) {
      const asked = { feature, level: METADATA_VERSION_LEVEL - 1, upgradeType };
      assert.equal(await ask(cluster, asked), ErrorCode.INVALID_UPDATE_VERSION);
    }
    assert.equal(cluster.quorum.image().features.get(feature), METADATA_VERSION_LEVEL);
  });
});

test('what the cluster works at no more is given up, though nobody serves it, and not taken up again', async () => {
  await withCluster(async (cluster) => {
    const foreign = newRecord('featureLevel', { name: 'transaction.version', featureLevel: 2 });
    await cluster.quorum.append([foreign]);
    const feature = 'transaction.version';
    assert.equal(await ask(cluster, { feature, level: 0, upgradeType: SAFE_DOWNGRADE }), ErrorCode.NONE);
    assert.equal(cluster.quorum.image().features.has(feature), false);
    assert.equal(await ask(cluster, { feature, level: 2 }), ErrorCode.INVALID_UPDATE_VERSION);
  });
});

test('of several updates one that is refused refuses all, and older answers tell of each feature', async () => {
  await withCluster(async (cluster) => {
    const update = (feature: string, maxVersionLevel: number, upgradeType: number) => {
      return { feature, maxVersionLevel, allowDowngrade: false, upgradeType };
    };
    const down = update(GROUP_VERSION_FEATURE, 0, SAFE_DOWNGRADE);
    const wrong = { timeoutMs: 1, featureUpdates: [down, update('no.such.version', 1, UPGRADE)], validateOnly: false };
    const refused = await cluster.controller.updateFeatures(wrong, 1);
    assert.equal(refused.errorCode, ErrorCode.INVALID_UPDATE_VERSION);
    assert.deepEqual(refused.results, []);
    assert.equal(levelOf(cluster), 1);
    const right = { timeoutMs: 1, featureUpdates: [down], validateOnly: false };
    const { results } = await cluster.controller.updateFeatures(right, 1);
    assert.deepEqual(results, [{ feature: GROUP_VERSION_FEATURE, errorCode: ErrorCode.NONE, errorMessage: 'NONE' }]);
    assert.deepEqual((await cluster.controller.updateFeatures(right, 2)).results, []);
  });
});
