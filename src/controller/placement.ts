/**
 * Which brokers hold the replicas of new partitions: striped over racks, then over the brokers of each rack, as Kafka's
 * StripedReplicaPlacer. With racks A, B, C of three brokers each and nothing left to chance:
 *
 *    partition 0: A0 B0 C0
 *    partition 1: B1 C1 A1
 *    partition 2: C2 A2 B2
 *
 * Starting points are random. The first replica, the leader, is never on a fenced broker; other replicas are only where
 * a rack has no other broker left.
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
  const racks = new Racks(brokers, random);
  return Array.from({ length: partitions }, () => racks.place(replicationFactor));
}

/** A round through some brokers that starts one further in each epoch. */
class BrokerRound {
  readonly brokers: BrokerId[];
  #start: number;
  #taken = 0;
  #epoch = 0;

  constructor(brokers: BrokerId[], random: Random) {
    this.brokers = brokers.sort((left, right) => left - right);
    this.#start = brokers.length === 0 ? 0 : random.below(brokers.length);
  }

  /** The next broker of this epoch's round, undefined where it is complete. */
  next(epoch: number): BrokerId | undefined {
    if (this.#epoch !== epoch) {
      this.#epoch = epoch;
      this.#taken = 0;
      this.#start++;
    }
    if (this.#taken >= this.brokers.length) return undefined;
    return this.brokers[(this.#start + this.#taken++) % this.brokers.length];
  }
}

interface Rack {
  readonly unfenced: BrokerRound;
  readonly fenced: BrokerRound;
}

class Racks {
  readonly #random: Random;
  readonly #racks: Rack[];
  readonly #unfencedBrokers: number;
  /** Rack that the next partition starts with. */
  #start: number;
  #epoch = 0;

  constructor(brokers: readonly UsableBroker[], random: Random) {
    this.#random = random;
    const names = [...new Set(brokers.map(({ rack }) => rack))].sort(compareRacks);
    const members = (rack: string | null, fenced: boolean): BrokerId[] =>
      brokers.filter((broker) => broker.rack === rack && broker.fenced === fenced).map(({ id }) => id);
    this.#racks = names.map((rack) => ({
      unfenced: new BrokerRound(members(rack, false), random),
      fenced: new BrokerRound(members(rack, true), random),
    }));
    this.#unfencedBrokers = brokers.filter(({ fenced }) => !fenced).length;
    this.#start = random.below(this.#racks.length);
  }

  place(replicationFactor: number): BrokerId[] {
    this.#mix();
    const replicas: BrokerId[] = [];
    const leaderRack = this.#firstUnfenced(replicas);
    // The leader's rack has had its turn in this round, wherever the round comes to it.
    let skip = leaderRack;
    for (let at = this.#start; replicas.length < replicationFactor; at = (at + 1) % this.#racks.length) {
      if (at === skip) {
        skip = -1;
        continue;
      }
      const rack = this.#racks[at]!;
      const broker = rack.unfenced.next(this.#epoch) ?? rack.fenced.next(this.#epoch);
      if (broker !== undefined) replicas.push(broker);
    }
    this.#epoch++;
    this.#start = (this.#start + 1) % this.#racks.length;
    return replicas;
  }

  /** After as many partitions as there are leaders the same assignments would come again: shuffle. */
  #mix(): void {
    if (this.#epoch !== this.#unfencedBrokers || this.#unfencedBrokers <= 1) return;
    shuffle(this.#racks, this.#random);
    for (const { unfenced, fenced } of this.#racks) {
      shuffle(unfenced.brokers, this.#random);
      shuffle(fenced.brokers, this.#random);
    }
    this.#epoch = 0;
  }

  #firstUnfenced(replicas: BrokerId[]): number {
    for (let at = this.#start; ; at = (at + 1) % this.#racks.length) {
      const leader = this.#racks[at]!.unfenced.next(this.#epoch);
      if (leader === undefined) continue;
      replicas.push(leader);
      return at;
    }
  }
}

/** Brokers without a rack first. */
function compareRacks(left: string | null, right: string | null): number {
  if (left === null || right === null) return Number(left !== null) - Number(right !== null);
  return left < right ? -1 : 1;
}

/** Fisher and Yates. */
function shuffle<T>(items: T[], random: Random): void {
  for (let last = items.length - 1; last > 0; last--) {
    const other = random.below(last + 1);
    [items[last], items[other]] = [items[other]!, items[last]!];
  }
}
