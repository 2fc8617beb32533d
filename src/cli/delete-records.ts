/** `sluice topics delete-records`: where partitions shall begin. */
import { readWhole } from '../base/byte-source.ts';
import { systemClock } from '../base/clock.ts';
import { messageOf, SluiceError } from '../base/errors.ts';
import { Admin } from '../client/admin/admin.ts';
import type { DeleteRecordsBefore } from '../client/admin/partitions.ts';
import type { Cluster } from '../client/cluster.ts';
import { numberList } from './arguments.ts';
import { confirm } from './confirm.ts';
import { offsetRange, resolveRange } from './offset-range.ts';
import { openCluster } from './open-cluster.ts';
import { fail, printRows } from './output.ts';
import { placesOf } from './show-offsets.ts';
import type { DeleteRecordsOptions } from './topics.ts';

export async function deleteRecords(names: readonly string[], options: DeleteRecordsOptions): Promise<void> {
  const listed = options.fromFile === undefined ? undefined : await readPlaces(options.fromFile);
  if ((listed === undefined) === (options.before === undefined) || (listed === undefined) !== names.length > 0) {
    throw new SluiceError('INVALID_ARGUMENT', 'give topics and --before, or --from-file alone');
  }
  const chosen = options.partition.flatMap((text) => numberList('--partition', text));
  await using cluster = await openCluster(options, 'sluice-topics');
  const before = listed ?? (await resolvePlaces(cluster, names, { before: options.before!, chosen }));
  const topics = [...new Set(before.map(({ topic }) => topic))].join(', ');
  await confirm(`Delete the first records of ${before.length} partitions of ${topics}?`, options);
  const outcomes = await new Admin(cluster).deleteRecords(before);
  const rows = outcomes.flatMap((outcome) => {
    if (!outcome.ok) return [];
    const { topic, partition, start } = outcome;
    return [{ topic, partition, startOffset: start }];
  });
  if (rows.length > 0 || options.json) {
    printRows(rows, { json: options.json, columns: ['topic', 'partition', 'startOffset'] });
  }
  for (const outcome of outcomes) if (!outcome.ok) fail(outcome.error);
}

async function resolvePlaces(
  cluster: Cluster,
  names: readonly string[],
  { before, chosen }: { readonly before: string; readonly chosen: readonly number[] },
): Promise<DeleteRecordsBefore[]> {
  const range = offsetRange(before, systemClock.wallMs());
  if (range.until !== undefined) {
    throw new SluiceError('INVALID_ARGUMENT', `--before ${before}: give one place, not a range`);
  }
  const places = await placesOf(cluster, names, { chosen, internal: true });
  const options = { isolation: 'read_uncommitted', stopAtEnd: false } as const;
  const resolved = await resolveRange(new Admin(cluster), places, range, options);
  return resolved.map(({ topic, partition, from }) => ({ topic, partition, before: from }));
}

/** What kafka-delete-records takes; an offset of -1 is the end. */
async function readPlaces(file: string): Promise<DeleteRecordsBefore[]> {
  let parsed: unknown;
  try {
    parsed = JSON.parse((await readWhole(file)).toString('utf8'));
  } catch (error) {
    throw new SluiceError('INVALID_ARGUMENT', `--from-file ${file}: ${messageOf(error)}`, { cause: error });
  }
  const { partitions } = (parsed ?? {}) as { readonly partitions?: unknown };
  if (!Array.isArray(partitions) || partitions.length === 0) throw badFile(file, 'there are no partitions');
  return partitions.map((each: unknown, index) => {
    const { topic, partition, offset } = (each ?? {}) as Readonly<Record<string, unknown>>;
    const isWhole = typeof topic === 'string' && Number.isSafeInteger(partition) && Number.isSafeInteger(offset);
    if (!isWhole || Number(partition) < 0 || Number(offset) < -1)
      throw badFile(file, `entry ${index + 1} is not whole`);
    return { topic, partition: Number(partition), before: offset === -1 ? 'latest' : Number(offset) };
  });
}

function badFile(file: string, why: string): SluiceError {
  return new SluiceError('INVALID_ARGUMENT', `--from-file ${file}: ${why}`, {
    remedy: 'Give {"partitions": [{"topic": "orders", "partition": 0, "offset": 42}]}',
  });
}
