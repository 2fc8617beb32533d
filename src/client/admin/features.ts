/** Features that a cluster has switched on, and the levels that its brokers could work at. */
import { updateFeatures as updateFeaturesApi } from '../../protocol/apis/update-features.ts';
import { ErrorCode } from '../../protocol/error-codes.ts';
import type { Cluster } from '../cluster.ts';
import { refusedBy } from '../errors.ts';
import { type CallSettings, onController } from './topics.ts';

export interface Feature {
  readonly name: string;
  /** 0 where it is switched off. */
  readonly level: number;
  /** What the broker that was asked can work at. */
  readonly supported: { readonly from: number; readonly to: number };
}

/** As one broker tells; all brokers know the same levels, and may support different ones during an upgrade. */
export async function describeFeatures(cluster: Cluster, settings: CallSettings = {}): Promise<Feature[]> {
  const { versions } = await cluster.retrying(settings.signal, () => cluster.connection('any'));
  const levels = new Map(versions.features.map(({ name, level }) => [name, level]));
  return versions.supportedFeatures
    .map(({ name, from, to }) => ({ name, level: levels.get(name) ?? 0, supported: { from, to } }))
    .sort((left, right) => (left.name < right.name ? -1 : 1));
}

/** How a feature may change: up only, down where nothing is lost, or down at any price. */
export const FEATURE_CHANGES = { upgrade: 1, 'safe-downgrade': 2, 'unsafe-downgrade': 3 } as const;

export interface FeatureUpdate {
  readonly name: string;
  /** 0 switches it off. */
  readonly level: number;
  readonly change: keyof typeof FEATURE_CHANGES;
}

/** All of them or none. Rejects with the broker's refusal. */
export function updateFeatures(
  cluster: Cluster,
  updates: readonly FeatureUpdate[],
  settings: CallSettings & { readonly validateOnly?: boolean } = {},
): Promise<void> {
  const body = {
    timeoutMs: cluster.options.connection.requestTimeoutMs,
    featureUpdates: updates.map(({ name, level, change }) => ({
      ...{ feature: name, maxVersionLevel: level },
      // What says this in the first version and in those since.
      ...{ allowDowngrade: change !== 'upgrade', upgradeType: FEATURE_CHANGES[change] },
    })),
    validateOnly: settings.validateOnly ?? false,
  };
  return onController(cluster, settings, async () => {
    const connection = await cluster.connection('controller');
    const answer = await connection.request(updateFeaturesApi, body);
    if (answer.errorCode !== ErrorCode.NONE) {
      throw refusedBy(answer.errorCode, 'changing features', answer.errorMessage);
    }
    const refused = answer.results.find(({ errorCode }) => errorCode !== ErrorCode.NONE);
    if (refused !== undefined) throw refusedBy(refused.errorCode, `feature ${refused.feature}`, refused.errorMessage);
  });
}
