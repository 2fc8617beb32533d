/** Faults of the network: hosts that do not hear others, are not heard, or slowly. */
import type { Broker } from '../harness/broker.ts';
import type { Cluster } from '../harness/cluster.ts';
import type { Host, Link } from '../harness/network.ts';
import { everywhere, type FaultKind, faultOfOne, nowhere, pick } from './fault.ts';

const cuttable = ({ network }: Cluster): boolean => network.cuttable;
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

/** Returns what mends the links again. */
async function cut({ network }: Cluster, severed: readonly Link[]): Promise<{ heal(): Promise<void> }> {
  for (const link of severed) await network.cut(link);
  return {
    heal: async () => {
      for (const link of severed) await network.mendOne(link);
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
  return faultOfOne({
    name,
    weight,
    parts: ['leader', 'controller', 'any'],
    // Who leads for clients that do not reach it leads on.
    tolerable: others === clients ? nowhere : everywhere,
    possible,
    harm: (victim, { cluster }) => cut(cluster, links(victim.place.host, others(cluster, victim), directions)),
  });
}

/** Two brokers that do not hear each other, while both hear everyone else. */
const twoApart = faultOfOne({
  name: 'two brokers apart',
  weight: 2,
  parts: ['leader'],
  possible: cuttable,
  harm: async (victim, { cluster, random }) => {
    const other = pick(random, peers(cluster, victim))!;
    return { what: { from: other.name }, ...(await cut(cluster, links(victim.place.host, [other], 'both'))) };
  },
});

const slowLink = faultOfOne({
  name: 'slow link',
  weight: 2,
  parts: ['leader', 'follower'],
  possible: cuttable,
  harm: async ({ place: { host } }, { cluster: { network } }) => {
    const means = await network.slow(host);
    return { what: { means }, heal: () => network.unslow(host) };
  },
});

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
