/** `sluice cluster features`: levels at which the whole cluster works. */
import { Admin } from '../client/admin/admin.ts';
import type { FeatureUpdate } from '../client/admin/features.ts';
import { keyAndValue, wholeNumber } from './arguments.ts';
import type { FeaturesOptions } from './cluster.ts';
import { openCluster } from './open-cluster.ts';
import { printRows, type Row, remark } from './output.ts';

const COLUMNS = ['feature', 'level', 'supportedFrom', 'supportedTo'];

export async function features(options: FeaturesOptions): Promise<void> {
  const updates = updatesOf(options);
  await using cluster = await openCluster(options, 'sluice-cluster');
  const admin = new Admin(cluster);
  if (updates.length > 0) {
    await admin.updateFeatures(updates, { validateOnly: options.dryRun });
    if (options.dryRun) remark('Nothing was changed. Leave --dry-run out to do it.');
  }
  const changed = new Map(options.dryRun ? [] : updates.map(({ name, level }) => [name, level]));
  const rows = (await admin.describeFeatures()).map(
    ({ name, level, supported }): Row => ({
      feature: name,
      // What was agreed on this connection at its beginning is older than the change.
      level: changed.get(name) ?? level,
      supportedFrom: supported.from,
      supportedTo: supported.to,
    }),
  );
  printRows(rows, { json: options.json, columns: COLUMNS });
}

function updatesOf({ upgrade, downgrade, disable, unsafe }: FeaturesOptions): FeatureUpdate[] {
  const down = unsafe ? 'unsafe-downgrade' : 'safe-downgrade';
  const levelled = (option: string, texts: readonly string[], change: FeatureUpdate['change']): FeatureUpdate[] =>
    texts.map((text) => {
      const [name, level] = keyAndValue(option, text);
      return { name, level: wholeNumber(option, level), change };
    });
  return [
    ...levelled('--upgrade', upgrade, 'upgrade'),
    ...levelled('--downgrade', downgrade, down),
    ...disable.map((name): FeatureUpdate => ({ name, level: 0, change: down })),
  ];
}
