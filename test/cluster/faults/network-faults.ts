/** Faults of the network: hosts that do not hear others, are not heard, or slowly. */
import type { Broker } from '../harness/broker.ts';
import type { Cluster } from '../harness/cluster.ts';
import type { Host, Link } from '../harness/network.ts';
import {
  afflict,
  brokerThatIs,
  everywhere,
  type FaultKind,
  type FaultWorld,
  type Injected,
  nowhere,
  pick,
} from './fault.ts';

const cuttable = ({ network }: Cluster): boolean => network.cuttable;
/**
 * ZooKeeper calls a leader alive that hears ZooKeeper, whoever else it does not hear: without a way to the controller it
 * keeps its partitions, and cannot take out of the in-sync set who does not follow.
 */
const withoutEnsemble = ({ system }: Cluster): boolean => system.ensemble === undefined;
const withEnsemble = (cluster: Cluster): boolean => cuttable(cluster) && cluster.ensembleHosts.length > 0;

type Others = (cluster: Cluster, broker: Broker) => readonly Host[];
type Directions = 'both' | 'out' | 'in';

const peers: Others = ({ brokers }, broker) => brokers.filter((each) => each !== broker).map(({ place }) => place.host);
const ensemble: Others = ({ ensembleHosts }) => ensembleHosts;
const clients: Others = ({ network }) => [network.hub];
const everyone: Others = (cluster, broker) => [
  ...peers(cluster, broker),
  ...ensemble(cluster, broker),
  ...clients(cluster, broker),
];
const servers: Others = (cluster, broker) => [...peers(cluster, broker), ...ensemble(cluster, broker)];

function links(host: Host, others: readonly Host[], directions: Directions): Link[] {
  const out = others.map((other) => ({ from: host, to: other }));
  const back = others.map((other) => ({ from: other, to: host }));
  return directions === 'both' ? [...out, ...back] : directions === 'out' ? out : back;
}

async function cutOff(world: FaultWorld, victim: Broker, cut: readonly Link[]): Promise<Injected> {
  const { network } = world.cluster;
  const recovered = afflict(world, victim);
  for (const link of cut) await network.cut(link);
  return {
    what: { broker: victim.id },
    heal: async () => {
      for (const link of cut) await network.mendOne(link);
      recovered();
    },
  };
}

interface PartitionShape {
  readonly name: string;
  readonly weight: number;
  readonly others: Others;
  readonly directions: Directions;
  readonly possible?: (cluster: Cluster) => boolean;
}

function partition({ name, weight, others, directions, possible = cuttable }: PartitionShape): FaultKind {
  return {
    name,
    weight,
    tolerable: others === clients ? nowhere : others === peers ? withoutEnsemble : everywhere,
    possible,
    inject: async (world) => {
      const part = pick(world.random, ['leader', 'controller', 'any'] as const)!;
      const victim = await brokerThatIs(part, world);
      return victim && cutOff(world, victim, links(victim.place.host, others(world.cluster, victim), directions));
    },
  };
}

/** Two brokers that do not hear each other, while both hear everyone else. */
const twoApart: FaultKind = {
  name: 'two brokers apart',
  weight: 2,
  tolerable: withoutEnsemble,
  possible: cuttable,
  inject: async (world) => {
    const victim = await brokerThatIs('leader', world);
    if (victim === undefined) return undefined;
    const other = pick(world.random, peers(world.cluster, victim))!;
    return cutOff(world, victim, links(victim.place.host, [other], 'both'));
  },
};

const slowLink: FaultKind = {
  name: 'slow link',
  weight: 2,
  tolerable: everywhere,
  possible: cuttable,
  inject: async (world) => {
    const { network } = world.cluster;
    const victim = await brokerThatIs(pick(world.random, ['leader', 'follower'] as const)!, world);
    if (victim === undefined) return undefined;
    const recovered = afflict(world, victim);
    const means = await network.slow(victim.place.host);
    return {
      what: { broker: victim.id, means },
      heal: async () => {
        await network.unslow(victim.place.host);
        recovered();
      },
    };
  },
};

export const NETWORK_FAULTS: readonly FaultKind[] = [
  partition({ name: 'cut off from everyone', weight: 3, others: everyone, directions: 'both' }),
  partition({ name: 'cut off from all servers', weight: 3, others: servers, directions: 'both' }),
  partition({ name: 'cut off from brokers', weight: 3, others: peers, directions: 'both' }),
  partition({ name: 'cut off from clients', weight: 1, others: clients, directions: 'both' }),
  partition({ name: 'not heard by servers', weight: 2, others: servers, directions: 'out' }),
  partition({ name: 'does not hear servers', weight: 2, others: servers, directions: 'in' }),
  partition({ name: 'not heard by brokers', weight: 2, others: peers, directions: 'out' }),
  partition({ name: 'does not hear brokers', weight: 2, others: peers, directions: 'in' }),
  partition({
    name: 'cut off from ZooKeeper',
    weight: 3,
    others: ensemble,
    directions: 'both',
    possible: withEnsemble,
  }),
  twoApart,
  slowLink,
];
