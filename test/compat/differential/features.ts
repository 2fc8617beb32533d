/** UpdateFeatures: what may be finalized, and what the broker-driven protocol of groups answers at each level. */
import { apiVersions } from '../../../src/protocol/apis/api-versions.ts';
import { consumerGroupHeartbeat } from '../../../src/protocol/apis/consumer-group-heartbeat.ts';
import { updateFeatures } from '../../../src/protocol/apis/update-features.ts';
import type { Body } from '../../support/wire.ts';
import type { Pair } from '../harness/differential/pair.ts';
import type { Scenarios } from '../harness/differential/scenarios.ts';

const CLIENT = { clientSoftwareName: 'a-client', clientSoftwareVersion: '1.0' };
const UPGRADE = 1;
const SAFE_DOWNGRADE = 2;
const UNSAFE_DOWNGRADE = 3;

interface Update {
  readonly level: number;
  readonly feature?: string;
  readonly upgradeType?: number;
  readonly allowDowngrade?: boolean;
}

function updating(updates: readonly Update[], more: Body = {}): Body {
  const featureUpdates = updates.map(({ level, feature = 'group.version', ...how }) => ({
    feature,
    maxVersionLevel: level,
    allowDowngrade: how.allowDowngrade ?? false,
    upgradeType: how.upgradeType ?? UPGRADE,
  }));
  return { timeoutMs: 10_000, featureUpdates, ...more };
}

async function levelOfGroups(pair: Pair, level: number): Promise<void> {
  const finalized = (body: Body): number => {
    const features = body['finalizedFeatures'] as { name: string; maxVersionLevel: number }[];
    return features.find(({ name }) => name === 'group.version')?.maxVersionLevel ?? 0;
  };
  await pair.settle(apiVersions, 4, CLIENT, (body) => finalized(body) === level);
  const supported = (body: Body): unknown =>
    (body['supportedFeatures'] as { name: string }[]).filter(({ name }) => name === 'group.version');
  for (const version of [3, 4]) {
    await pair.ask(`told at level ${level}`, apiVersions, version, CLIENT, { pick: supported });
  }
  const join = {
    groupId: 'of-features',
    memberId: 'AAAAAAAAAAAAAAAAAAAAAA',
    memberEpoch: 0,
    rebalanceTimeoutMs: 10_000,
    subscribedTopicNames: ['of-features'],
    topicPartitions: [],
  };
  const pick = ({ errorCode }: Body): Body => ({ errorCode });
  await pair.ask(`a member at level ${level}`, consumerGroupHeartbeat, 0, join, { pick });
}

async function levels(pair: Pair): Promise<void> {
  const ask = (what: string, ...updates: Update[]) => pair.askAll(what, updateFeatures, updating(updates));
  await levelOfGroups(pair, 1);
  await ask('the same level', { level: 1 });
  await ask('a downgrade that is not called one', { level: 0 });
  await ask('a downgrade that version 0 calls one', { level: 0, allowDowngrade: true });
  const trial = updating([{ level: 0, upgradeType: SAFE_DOWNGRADE }], { validateOnly: true });
  await pair.askAll('a downgrade on trial', updateFeatures, trial, { from: 1 });
  await levelOfGroups(pair, 1);
  for (const upgradeType of [SAFE_DOWNGRADE, UNSAFE_DOWNGRADE]) {
    const down = updating([{ level: 0, upgradeType }]);
    await pair.ask(`downgrade ${upgradeType}`, updateFeatures, 1, down);
    await levelOfGroups(pair, 0);
    await pair.ask(`downgrade ${upgradeType} once more`, updateFeatures, 2, down);
    await pair.ask(`downgrade ${upgradeType} upwards`, updateFeatures, 2, updating([{ level: 1, upgradeType }]));
    await pair.ask('upgrade', updateFeatures, 2, updating([{ level: 1 }]));
    await levelOfGroups(pair, 1);
  }
}

async function refusals(pair: Pair): Promise<void> {
  const ask = (what: string, ...updates: Update[]) => pair.askAll(what, updateFeatures, updating(updates));
  await ask('nothing');
  await ask('too high', { level: 2 });
  await ask('below 0', { level: -1 });
  await ask('an unknown feature', { feature: 'no.such.version', level: 1 });
  await ask('an unknown feature at 0', { feature: 'no.such.version', level: 0 });
  await ask('no feature', { feature: '', level: 1 });
  await ask('the metadata as it is', { feature: 'metadata.version', level: 30 });
  await ask('the metadata too high', { feature: 'metadata.version', level: 99 });
  await ask('the metadata at 0', { feature: 'metadata.version', level: 0 });
  await ask('one good, one unknown', { level: 1 }, { feature: 'no.such.version', level: 1 });
  for (const upgradeType of [0, 4, -1, 127]) {
    const body = updating([{ level: 1, upgradeType }]);
    await pair.askAll(`upgrade type ${upgradeType}`, updateFeatures, body, { from: 1 });
  }
  for (const upgradeType of [SAFE_DOWNGRADE, UNSAFE_DOWNGRADE]) {
    const body = updating([{ feature: 'metadata.version', level: 25, upgradeType }]);
    await pair.askAll(`the metadata down ${upgradeType}`, updateFeatures, body, { from: 1 });
  }
}

export const featureScenarios: Scenarios = {
  'UpdateFeatures moves group.version, and members of the broker-driven protocol follow': levels,
  'UpdateFeatures refuses what cannot be': refusals,
};
