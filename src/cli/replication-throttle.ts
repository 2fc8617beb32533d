/** Limits what moving replicas may take of the network (KIP-73): set before they move, lifted when they have. */
import type { BrokerId } from '../base/units.ts';
import type { Admin } from '../client/admin/admin.ts';
import type { ConfigChange } from '../client/admin/configs.ts';
import { allOrThrow } from '../client/admin/outcome.ts';
import type { PlannedMove } from '../client/admin/rebalance-plan.ts';

const RATES = ['leader.replication.throttled.rate', 'follower.replication.throttled.rate'] as const;
const LEADERS = 'leader.replication.throttled.replicas';
const FOLLOWERS = 'follower.replication.throttled.replicas';

/** Replicas that are there send, replicas that are added fetch; nothing else is slowed down. */
export async function setThrottle(
  admin: Admin,
  {
    throttle,
    moves,
    brokers,
  }: {
    readonly throttle: number;
    readonly moves: readonly PlannedMove[];
    readonly brokers: readonly { readonly id: BrokerId }[];
  },
): Promise<void> {
  const rates = Object.fromEntries(RATES.map((name) => [name, String(throttle)]));
  const changes: ConfigChange[] = brokers.map(({ id }) => ({ type: 'broker', name: String(id), set: rates }));
  const topics = new Map<string, { leaders: string[]; followers: string[] }>();
  for (const { topic, partition, replicas, target } of moves) {
    const throttled = topics.get(topic) ?? { leaders: [], followers: [] };
    topics.set(topic, throttled);
    const added = target.filter((id) => !replicas.includes(id));
    if (added.length === 0) continue;
    throttled.leaders.push(...replicas.map((id) => `${partition}:${id}`));
    throttled.followers.push(...added.map((id) => `${partition}:${id}`));
  }
  for (const [name, { leaders, followers }] of topics) {
    if (leaders.length === 0) continue;
    changes.push({ type: 'topic', name, set: { [LEADERS]: leaders.join(','), [FOLLOWERS]: followers.join(',') } });
  }
  allOrThrow(await admin.alterConfigs(changes));
}

/** Also what an earlier command left behind. */
export async function liftThrottle(admin: Admin): Promise<void> {
  const [{ brokers }, topics] = await Promise.all([admin.describeCluster(), admin.listTopics()]);
  const resources = [
    ...brokers
      .filter(({ fenced }) => !fenced)
      .map(({ id }) => ({ type: 'broker' as const, name: String(id), options: RATES })),
    ...topics.map(({ name }) => ({ type: 'topic' as const, name, options: [LEADERS, FOLLOWERS] })),
  ];
  const own = { broker: 'broker', topic: 'topic' } as const;
  const changes = (await admin.describeConfigs(resources)).flatMap((described): ConfigChange[] => {
    if (!described.ok) return [];
    const { type, name, entries } = described;
    const remove = entries.filter(({ source }) => source === own[type as keyof typeof own]).map((entry) => entry.name);
    return remove.length === 0 ? [] : [{ type, name, remove }];
  });
  if (changes.length > 0) allOrThrow(await admin.alterConfigs(changes));
}
