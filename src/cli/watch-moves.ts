/** Stays with replicas that are moving until they have arrived, or somebody has taken that back. */
import { systemClock } from '../base/clock.ts';
import { type BrokerId, partitionName } from '../base/units.ts';
import type { Admin } from '../client/admin/admin.ts';
import { remark } from './output.ts';
import { formatCounted, startProgress } from './progress.ts';

const LOOK_MS = 1000;
/** Between two lines where no terminal shows a bar: a log is to tell that it goes on. */
const REMARK_MS = 10_000;

/** Resolves, once nothing moves any more, with the names of the partitions that are not where they were to go. */
export async function watchMoves(admin: Admin): Promise<string[]> {
  const wanted = new Map<string, readonly BrokerId[]>();
  const progress = startProgress(1, systemClock);
  let most = 0;
  let toldMs = systemClock.monotonicMs();
  for (;;) {
    const ongoing = await admin.ongoingReassignments();
    for (const { topic, partition, replicas, removing } of ongoing) {
      const target = replicas.filter((id) => !removing.includes(id));
      wanted.set(partitionName(topic, partition), target);
    }
    const left = ongoing.length;
    most = Math.max(most, left);
    if (left === 0) break;
    const state = `${formatCounted(left, 'partition')} of ${most} ${left === 1 ? 'is' : 'are'} moving`;
    progress.update((most - left) / most, state);
    if (!process.stderr.isTTY && systemClock.monotonicMs() - toldMs >= REMARK_MS) {
      toldMs = systemClock.monotonicMs();
      remark(state);
    }
    await new Promise<void>((resolve) => systemClock.after(LOOK_MS, resolve, { holdsProcess: true }));
  }
  progress.end();
  return await elsewhere(admin, wanted);
}

/** A move that was taken back ends like one that was done, only elsewhere. */
async function elsewhere(admin: Admin, wanted: ReadonlyMap<string, readonly BrokerId[]>): Promise<string[]> {
  if (wanted.size === 0) return [];
  const names: string[] = [];
  for (const { name: topic, partitions } of await admin.listTopics()) {
    for (const { partition, replicas } of partitions) {
      const target = wanted.get(partitionName(topic, partition));
      if (target === undefined || target.every((id) => replicas.includes(id))) continue;
      names.push(partitionName(topic, partition));
    }
  }
  return names;
}
