/** Prints completions for a shell: at once, and silently where nobody can be asked. */
import type { Command } from 'commander';
import { systemClock } from '../base/clock.ts';
import { type Candidate, type Completion, completionOf, type NameKind } from './complete.ts';
import { clusterOptionsOf } from './connection-options.ts';
import { readProfiles } from './profiles.ts';
import { formatCounted } from './progress.ts';

/** Whoever pressed a key waits no longer; a broker on the same machine answers in a tenth of it. */
const PATIENCE_MS = 1000;
const MOST_CANDIDATES = 2000;

export async function printCompletions(program: Command, words: readonly string[]): Promise<void> {
  const late = systemClock.after(PATIENCE_MS, () => process.exit(0));
  const completion = completionOf(program, words);
  const names = completion.names === undefined ? [] : await namesOf(completion.names, completion).catch(() => []);
  late.cancel();
  const matching = [...completion.candidates, ...names].filter(({ word }) => word.startsWith(completion.prefix));
  const lines = matching.slice(0, MOST_CANDIDATES).map(({ word, description }) => `${word}\t${description}\n`);
  process.stdout.write(completion.files ? ':files\n' : lines.join(''));
}

async function namesOf(kind: NameKind, { connection, prefix }: Completion): Promise<Candidate[]> {
  if (kind === 'profiles') {
    const { profiles } = readProfiles();
    return Object.entries(profiles).map(([word, { brokers }]) => ({ word, description: brokers }));
  }
  const [{ Cluster }, { Admin }] = await Promise.all([
    import('../client/cluster.ts'),
    import('../client/admin/admin.ts'),
  ]);
  const timeout = `${PATIENCE_MS}ms`;
  await using cluster = new Cluster(clusterOptionsOf({ ...connection, timeout }, 'sluice-completion'));
  const admin = new Admin(cluster);
  switch (kind) {
    case 'topics':
      return (await admin.listTopics())
        .filter(({ internal }) => !internal || prefix.startsWith('_'))
        .map(({ name, partitions }) => ({ word: name, description: formatCounted(partitions.length, 'partition') }));
    case 'groups':
      return (await admin.listGroups()).map(({ id, state }) => ({ word: id, description: state }));
    case 'brokers':
      return (await admin.describeCluster()).brokers.map(({ id, host, port }) => {
        return { word: String(id), description: `${host}:${port}` };
      });
  }
}
