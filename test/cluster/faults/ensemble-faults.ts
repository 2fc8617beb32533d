/** Faults of ZooKeeper: one server gone or held, the quorum gone. */
import type { Cluster } from '../harness/cluster.ts';
import type { Ensemble, EnsembleNode } from '../harness/zookeeper.ts';
import { everywhere, type FaultKind, type FaultWorld } from './fault.ts';

const withEnsemble = ({ system }: Cluster): boolean => system.ensemble !== undefined;

/** Servers that serve, in an order from the seed; `leaderFirst` begins with the one that leads. */
async function serving(ensemble: Ensemble, { random }: FaultWorld): Promise<EnsembleNode[]> {
  const nodes = ensemble.nodes.filter(({ running }) => running);
  const roles = await Promise.all(nodes.map((node) => node.role()));
  const leader = nodes.find((_, index) => roles[index] === 'leader');
  const others = nodes.filter((node) => node !== leader);
  if (leader === undefined || random.below(2) === 0) return [...others, ...(leader ? [leader] : [])];
  return [leader, ...others];
}

interface EnsembleFault {
  readonly name: string;
  readonly weight: number;
  readonly servers: 'one' | 'quorum';
  readonly how: 'kill' | 'hold';
}

function ensembleFault({ name, weight, servers, how }: EnsembleFault): FaultKind {
  return {
    name,
    weight,
    // Without a quorum leaders keep serving: nobody else needs one.
    tolerable: everywhere,
    possible: withEnsemble,
    inject: async (world) => {
      const ensemble = world.cluster.system.ensemble!;
      const found = await serving(ensemble, world);
      // One fault of the ensemble at a time.
      if (found.length < ensemble.nodes.length) return undefined;
      const victims = found.slice(0, servers === 'one' ? 1 : Math.ceil(ensemble.nodes.length / 2));
      for (const victim of victims) {
        if (how === 'hold') victim.stop();
        else await victim.kill();
      }
      return {
        what: { servers: victims.map(({ id }) => id) },
        heal: async () => {
          for (const victim of victims) {
            if (how === 'hold') victim.cont();
            else await victim.start({ wait: false });
          }
        },
      };
    },
  };
}

export const ENSEMBLE_FAULTS: readonly FaultKind[] = [
  ensembleFault({ name: 'ZooKeeper server killed', weight: 2, servers: 'one', how: 'kill' }),
  ensembleFault({ name: 'ZooKeeper server held', weight: 2, servers: 'one', how: 'hold' }),
  ensembleFault({ name: 'ZooKeeper quorum killed', weight: 2, servers: 'quorum', how: 'kill' }),
  ensembleFault({ name: 'ZooKeeper quorum held', weight: 2, servers: 'quorum', how: 'hold' }),
];
