/**
 * Which brokers hold the replicas of new partitions. Each partition is led by the broker that has been given fewest
 * leaders, and its other replicas go one to each rack before any rack has two, there to the brokers that have been given
 * fewest replicas; chance decides between like ones, so that brokers share partitions with all others rather than with
 * the same few. Leaders are never on fenced brokers; other replicas are only where a rack has no other broker left.
 */
import type { Random } from '../base/random.ts';
import type { BrokerId } from '../base/units.ts';

export interface UsableBroker {
  readonly id: BrokerId;
  readonly rack: string | null;
  readonly fenced: boolean;
}

export interface PlacementRequest {
  readonly partitions: number;
  readonly replicationFactor: number;
}

/** The replicas of each partition, the preferred leader first; a text says why there is no placement. */
export function placeReplicas(
  brokers: readonly UsableBroker[],
  { partitions, replicationFactor }: PlacementRequest,
  random: Random,
): readonly (readonly BrokerId[])[] | string {
  if (replicationFactor < 1) return `the replication factor must be positive, not ${replicationFactor}`;
  if (!brokers.some(({ fenced }) => !fenced)) return 'all brokers are fenced';
  if (replicationFactor > brokers.length) {
    return `a replication factor of ${replicationFactor} needs as many brokers; registered: ${brokers.length}`;
  }
  const placement = new Placement(brokers, random);
  return Array.from({ length: partitions }, () => placement.place(replicationFactor));
}

interface Candidate extends UsableBroker {
  leaders: number;
  replicas: number;
  /** Drawn anew for every partition. */
  lot: number;
}

type Order = (left: Candidate, right: Candidate) => number;

const byLeaders: Order = (left, right) =>
  left.leaders - right.leaders || left.replicas - right.replicas || left.lot - right.lot;
const byReplicas: Order = (left, right) =>
  Number(left.fenced) - Number(right.fenced) ||
  left.replicas - right.replicas ||
  // Who leads much follows in its stead.
  right.leaders - left.leaders ||
  left.lot - right.lot;

class Placement {
  readonly #random: Random;
  readonly #candidates: readonly Candidate[];

  constructor(brokers: readonly UsableBroker[], random: Random) {
    this.#random = random;
    this.#candidates = brokers.map((broker) => ({ ...broker, leaders: 0, replicas: 0, lot: 0 }));
  }

  place(replicationFactor: number): BrokerId[] {
    for (const candidate of this.#candidates) candidate.lot = this.#random.below(2 ** 30);
    const leader = least(
      this.#candidates.filter(({ fenced }) => !fenced),
      byLeaders,
    );
    leader.leaders++;
    const chosen = new Set<Candidate>([leader]);
    let racks = new Set([leader.rack]);
    while (chosen.size < replicationFactor) {
      const left = this.#candidates.filter((candidate) => !chosen.has(candidate));
      const elsewhere = left.filter(({ rack }) => !racks.has(rack));
      if (elsewhere.length === 0) {
        // Every rack that has brokers left has had its turn.
        racks = new Set();
        continue;
      }
      const next = leastOfItsRack(elsewhere);
      chosen.add(next);
      racks.add(next.rack);
    }
    for (const candidate of chosen) candidate.replicas++;
    return [...chosen].map(({ id }) => id);
  }
}

/** Within each rack a fenced broker comes last; between the racks only the load counts. */
function leastOfItsRack(candidates: readonly Candidate[]): Candidate {
  const best = new Map<string | null, Candidate>();
  for (const candidate of candidates) {
    const other = best.get(candidate.rack);
    if (other === undefined || byReplicas(candidate, other) < 0) best.set(candidate.rack, candidate);
  }
  return least([...best.values()], byReplicas);
}

function least(candidates: readonly Candidate[], order: Order): Candidate {
  return candidates.reduce((best, candidate) => (order(candidate, best) < 0 ? candidate : best));
}
