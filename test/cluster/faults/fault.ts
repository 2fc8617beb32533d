/** What a fault is: something that can be done to a cluster from a seed, and be undone. */
import type { Random } from '../../../src/base/random.ts';
import type { Broker } from '../harness/broker.ts';
import type { Cluster } from '../harness/cluster.ts';
import type { ClusterView } from '../harness/cluster-view.ts';

export interface FaultWorld {
  readonly cluster: Cluster;
  readonly topic: string;
  readonly group: string;
  readonly random: Random;
  /** Brokers that nothing may happen to: a cluster on a local quorum cannot do without its first. */
  readonly spared: ReadonlySet<number>;
  /** Faults under way, by broker: each broker suffers one at a time. */
  readonly afflicted: Set<number>;
  /** Partitions whose replicas somebody has begun to move, by number. */
  readonly moved: Map<number, Placement>;
}

export interface Placement {
  readonly topic: string;
  readonly partition: number;
  readonly replicas: readonly number[];
}

export interface Injected {
  /** For the history: to whom, and how. */
  readonly what: Readonly<Record<string, unknown>>;
  heal(): Promise<void>;
}

export interface FaultKind {
  readonly name: string;
  /** How often it is chosen beside the others. */
  readonly weight: number;
  /** Whether a cluster that was whole takes writes to every partition while it lasts. */
  tolerable(cluster: Cluster): boolean;
  /** Whether this cluster on this machine can suffer it at all. */
  possible(cluster: Cluster): boolean;
  /** Undefined where it has nobody to happen to right now. */
  inject(world: FaultWorld): Promise<Injected | undefined>;
}

export const everywhere = (): boolean => true;
export const nowhere = (): boolean => false;

export function pick<T>(random: Random, candidates: readonly T[]): T | undefined {
  return candidates[random.below(candidates.length)];
}

export function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

/** Brokers that run and suffer nothing yet. */
export function soundBrokers({ cluster, afflicted, spared }: FaultWorld): Broker[] {
  return cluster.brokers.filter(({ id, running, held }) => running && !held && !afflicted.has(id) && !spared.has(id));
}

/** Notes that a broker suffers, until what is returned is called. */
export function afflict({ afflicted }: FaultWorld, { id }: Broker): () => void {
  afflicted.add(id);
  return () => afflicted.delete(id);
}

export type Part = 'leader' | 'follower' | 'controller' | 'coordinator' | 'any';

/** A sound broker that plays a part; any of them where nobody tells who does. */
export async function brokerThatIs(part: Part, world: FaultWorld): Promise<Broker | undefined> {
  const sound = soundBrokers(world);
  const id = await idThatIs(part, world);
  const found = sound.find((broker) => broker.id === id);
  if (found !== undefined || part === 'leader') return found;
  return pick(world.random, sound);
}

async function idThatIs(part: Part, world: FaultWorld): Promise<number | undefined> {
  const { cluster, topic, group, random, afflicted } = world;
  if (part === 'coordinator') return cluster.coordinator(group);
  if (part === 'any') return undefined;
  const view = await cluster.view(topic, [...afflicted]);
  if (view === undefined) return undefined;
  if (part === 'controller') return view.controller;
  const partition = pick(random, view.partitions);
  if (part === 'leader') return partition?.leader;
  return partition?.replicas.find((replica) => replica !== partition.leader && !afflicted.has(replica));
}

export interface FaultOfOne {
  readonly name: string;
  readonly weight: number;
  /** Whom it happens to: each time to somebody else of these. */
  readonly parts: readonly Part[];
  /** Left out, everywhere. */
  readonly tolerable?: (cluster: Cluster) => boolean;
  readonly possible?: (cluster: Cluster) => boolean;
  /** It takes a copy away: two are promised to suffice, one is not. */
  readonly needsWhole?: boolean;
  harm(victim: Broker, world: FaultWorld): Harm | Promise<Harm>;
}

interface Harm {
  /** For the history, besides whom. */
  readonly what?: Readonly<Record<string, unknown>>;
  heal(): void | Promise<void>;
}

/** What happens to one broker, which suffers nothing else meanwhile. */
export function faultOfOne(shape: FaultOfOne): FaultKind {
  const { name, weight, parts, tolerable = everywhere, possible = everywhere, needsWhole = false, harm } = shape;
  return {
    name,
    weight,
    tolerable,
    possible,
    inject: async (world) => {
      if (needsWhole && !(await isWhole(world))) return undefined;
      const victim = await brokerThatIs(pick(world.random, parts)!, world);
      if (victim === undefined) return undefined;
      const recovered = afflict(world, victim);
      const { what, heal } = await harm(victim, world);
      return {
        what: { broker: victim.id, ...what },
        heal: async () => {
          await heal();
          recovered();
        },
      };
    },
  };
}

/** A broker that may have ended is there again. */
export async function startAgain({ cluster }: FaultWorld, broker: Broker): Promise<void> {
  if (!broker.running) await cluster.startBroker(broker);
}

/** Whether nothing at all is wrong: some faults may only meet a cluster that has all its copies. */
export async function isWhole({ cluster, topic, afflicted }: FaultWorld): Promise<boolean> {
  if (afflicted.size > 0) return false;
  const view: ClusterView | undefined = await cluster.view(topic);
  if (view === undefined || view.partitions.length === 0) return false;
  return view.partitions.every(({ inSync, replicas }) => inSync.length === replicas.length);
}
