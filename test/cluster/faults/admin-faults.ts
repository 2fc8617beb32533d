/**
 * An operator at the worst moment: replicas are moved while the controller that was asked for it dies. Where there are more
 * brokers than replicas they move to others; else one goes, and comes back when it is healed.
 */
import { Admin } from '../../../src/client/admin/admin.ts';
import { Cluster as ClientCluster } from '../../../src/client/cluster.ts';
import type { Cluster } from '../harness/cluster.ts';
import { type FaultKind, type FaultWorld, faultOfOne, type Placement, pause, startAgain } from './fault.ts';

const REPLICAS = 3;
const PARTITIONS_AT_ONCE = 3;
const REQUEST_TIMEOUT_MS = 5000;
const PATIENCE_MS = 60_000;
const RETRY_MS = 200;
/** The controller dies before, while or after it answers. */
const LONGEST_START_MS = 60;

async function asOperator<T>(cluster: Cluster, work: (admin: Admin) => Promise<T>): Promise<T> {
  const client = new ClientCluster({
    bootstrapServers: cluster.bootstrap,
    clientId: 'operator',
    connectTimeoutMs: 1000,
    requestTimeoutMs: REQUEST_TIMEOUT_MS,
    operationTimeoutMs: REQUEST_TIMEOUT_MS,
  });
  try {
    return await work(new Admin(client));
  } finally {
    await client.close();
  }
}

/** New places for some partitions. */
async function choose({ cluster, topic, random }: FaultWorld): Promise<Placement[]> {
  const view = await cluster.view(topic);
  const ids = cluster.brokers.map(({ id }) => id);
  const shuffled = (list: readonly number[]): number[] =>
    list
      .map((id) => ({ id, order: random.fraction() }))
      .sort((a, b) => a.order - b.order)
      .map(({ id }) => id);
  const chosen = shuffled((view?.partitions ?? []).map(({ partition }) => partition)).slice(0, PARTITIONS_AT_ONCE);
  const count = ids.length > REPLICAS ? REPLICAS : REPLICAS - 1;
  return chosen.map((partition) => ({ topic, partition, replicas: shuffled(ids).slice(0, count) }));
}

/** Whatever comes of it: the controller is about to die. */
async function askFor(cluster: Cluster, placements: readonly Placement[]): Promise<void> {
  await asOperator(cluster, (admin) => admin.reassignPartitions(placements)).catch(() => undefined);
}

/** Every partition that was moved gets as many replicas as before. Rejects where that does not come about in time. */
export async function settleMoves({ cluster, moved }: FaultWorld): Promise<void> {
  if (moved.size === 0) return;
  const ids = cluster.brokers.map(({ id }) => id);
  const wanted = [...moved.values()].map((placement) => ({
    ...placement,
    replicas: [...placement.replicas, ...ids.filter((id) => !placement.replicas.includes(id))].slice(0, REPLICAS),
  }));
  moved.clear();
  const deadline = performance.now() + PATIENCE_MS;
  let last: unknown;
  for (let asked = false; performance.now() < deadline; await pause(RETRY_MS)) {
    try {
      const under = await asOperator(cluster, async (admin) => {
        if (!asked) {
          const outcomes = await admin.reassignPartitions(wanted);
          asked = outcomes.every(({ ok }) => ok);
          last = outcomes.find(({ ok }) => !ok);
        }
        return admin.ongoingReassignments(wanted);
      });
      if (asked && under.length === 0) return;
      if (under.length > 0) last = under;
    } catch (error) {
      last = error;
    }
  }
  throw new Error(
    `replicas did not get to where they were moved within ${PATIENCE_MS} ms: ${JSON.stringify(last)} ${last}`,
  );
}

const reassignment = faultOfOne({
  name: 'reassignment over the death of the controller',
  weight: 2,
  parts: ['controller'],
  // With a copy less and a broker less there are too few.
  tolerable: ({ brokers }) => brokers.length > REPLICAS,
  needsWhole: true,
  harm: async (victim, world) => {
    const placements = await choose(world);
    const asking = askFor(world.cluster, placements);
    await pause(world.random.below(LONGEST_START_MS));
    await victim.kill();
    await asking;
    return {
      what: { placements: placements.map(({ partition, replicas }) => `${partition}: ${replicas}`) },
      heal: async () => {
        await startAgain(world, victim);
        for (const placement of placements) world.moved.set(placement.partition, placement);
      },
    };
  },
});

export const ADMIN_FAULTS: readonly FaultKind[] = [reassignment];
