/** `sluice groups delete-offsets`: where a group is in topics that it no longer reads. */
import { SluiceError } from '../base/errors.ts';
import { partitionName } from '../base/units.ts';
import { Admin } from '../client/admin/admin.ts';
import type { DeleteOffsetsOptions } from './groups.ts';
import { openCluster } from './open-cluster.ts';
import { fail, printRows, type Row, remark } from './output.ts';
import { topicChoice } from './reset-targets.ts';

const COLUMNS = ['group', 'topic', 'partition', 'currentOffset'];

export async function deleteOffsets(group: string, options: DeleteOffsetsOptions): Promise<void> {
  if (options.topic.length === 0) throw new SluiceError('INVALID_ARGUMENT', 'no topic given: name some with --topic');
  const choices = options.topic.map(topicChoice);
  await using cluster = await openCluster(options, 'sluice-groups');
  const admin = new Admin(cluster);
  const chosen = (await admin.groupOffsets(group)).filter((each) =>
    choices.some(({ topic, partitions }) => topic === each.topic && (partitions?.includes(each.partition) ?? true)),
  );
  if (chosen.length === 0) {
    throw new SluiceError('NO_OFFSETS', `group ${group} has committed nothing of ${options.topic.join(', ')}`, {
      remedy: `sluice groups describe ${group} shows what it has.`,
    });
  }
  const outcomes = options.execute ? await admin.deleteGroupOffsets(group, chosen) : [];
  const refused = new Set(
    outcomes.filter(({ ok }) => !ok).map(({ topic, partition }) => partitionName(topic, partition)),
  );
  const rows = chosen
    .filter(({ topic, partition }) => !refused.has(partitionName(topic, partition)))
    .map(({ topic, partition, offset }): Row => ({ group, topic, partition, currentOffset: offset }));
  if (rows.length > 0 || options.json) printRows(rows, { json: options.json, columns: COLUMNS });
  if (!options.execute) remark('Nothing was changed. Add --execute to do it.');
  for (const outcome of outcomes) if (!outcome.ok) fail(outcome.error);
}
