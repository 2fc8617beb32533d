/**
 * Where replicas should lie so that every broker has its share, decided from where they lie now. Pure. Moves as little
 * as it can: first what must move (brokers that are drained or gone, racks that hold two replicas while another holds
 * none), then one replica at a time from the fullest broker to the emptiest, then only the order of replicas, so that
 * preferred leaders are spread as well. A second plan after the first is empty.
 */
import type { BrokerId, TopicPartition } from '../../base/units.ts';

export interface PlannedBroker {
  readonly id: BrokerId;
  readonly rack: string | null;
}

export interface PlannedPartition extends TopicPartition {
  /** The preferred leader first. */
  readonly replicas: readonly BrokerId[];
  /** Of one replica; 0 where nobody knows. */
  readonly bytes: number;
}

export interface PlannedMove extends PlannedPartition {
  /** Where the replicas shall lie. */
  readonly target: readonly BrokerId[];
}

export interface RebalancePlan {
  /** Partitions whose replicas change, or their order. */
  readonly moves: readonly PlannedMove[];
  /** Partitions with replicas where none may stay, for which there is no other broker. */
  readonly stuck: readonly PlannedPartition[];
}

/** `brokers` are those that may hold replicas; what lies elsewhere is moved onto them. */
export function planRebalance(
  brokers: readonly PlannedBroker[],
  partitions: readonly PlannedPartition[],
): RebalancePlan {
  const plan = new Plan(brokers, partitions);
  plan.leaveOthers();
  plan.spreadRacks();
  plan.evenOut();
  plan.evenOutLeaders();
  return plan.result();
}

/** `brokers` are those that stay; nothing but what lies elsewhere is moved. */
export function planDrain(brokers: readonly PlannedBroker[], partitions: readonly PlannedPartition[]): RebalancePlan {
  const plan = new Plan(brokers, partitions);
  plan.leaveOthers();
  return plan.result();
}

interface Draft extends PlannedPartition {
  readonly target: BrokerId[];
  /** The racks of the target, in an order of their own: what can be moved where depends on nothing else. */
  mix: RackMix;
}

type Rack = string | null;

interface RackMix {
  readonly key: string;
  readonly racks: readonly Rack[];
  readonly distinct: number;
}

class Plan {
  readonly #racks: ReadonlyMap<BrokerId, Rack>;
  readonly #rackCount: number;
  readonly #drafts: Draft[];
  /** Drafts with a replica on each broker, by their rack mixes. */
  readonly #held = new Map<BrokerId, Map<string, Set<Draft>>>();
  readonly #counts = new Map<BrokerId, number>();
  /** Replicas of each topic on each broker. */
  readonly #ofTopic = new Map<string, Map<BrokerId, number>>();

  constructor(brokers: readonly PlannedBroker[], partitions: readonly PlannedPartition[]) {
    const sorted = [...brokers].sort((left, right) => left.id - right.id);
    this.#racks = new Map(sorted.map(({ id, rack }) => [id, rack]));
    this.#rackCount = new Set(this.#racks.values()).size;
    for (const id of this.#racks.keys()) {
      this.#held.set(id, new Map());
      this.#counts.set(id, 0);
    }
    this.#drafts = partitions.map((partition) => {
      const target = [...partition.replicas];
      return { ...partition, target, mix: this.#mixOf(target) };
    });
    for (const draft of this.#drafts) {
      this.#index(draft);
      for (const id of draft.target) this.#count(draft, id, 1);
    }
  }

  #mixOf(target: readonly BrokerId[]): RackMix {
    const racks = target.map((id) => this.#racks.get(id) ?? null).sort();
    return { key: JSON.stringify(racks), racks, distinct: new Set(racks).size };
  }

  #index(draft: Draft): void {
    for (const id of draft.target) {
      const held = this.#held.get(id);
      if (held === undefined) continue;
      const alike = held.get(draft.mix.key) ?? new Set();
      held.set(draft.mix.key, alike.add(draft));
    }
  }

  #count({ topic }: Draft, id: BrokerId, change: 1 | -1): void {
    const total = this.#counts.get(id);
    if (total !== undefined) this.#counts.set(id, total + change);
    const counts = this.#ofTopic.get(topic) ?? new Map<BrokerId, number>();
    this.#ofTopic.set(topic, counts.set(id, (counts.get(id) ?? 0) + change));
  }

  #move(draft: Draft, from: BrokerId, to: BrokerId): void {
    for (const id of draft.target) this.#held.get(id)?.get(draft.mix.key)?.delete(draft);
    draft.target[draft.target.indexOf(from)] = to;
    draft.mix = this.#mixOf(draft.target);
    this.#index(draft);
    this.#count(draft, from, -1);
    this.#count(draft, to, 1);
  }

  /** Brokers from the emptiest to the fullest; of like ones the one with the lower id. */
  #byCount(): BrokerId[] {
    return [...this.#racks.keys()].sort((left, right) => this.#total(left) - this.#total(right) || left - right);
  }

  #total(id: BrokerId): number {
    return this.#counts.get(id)!;
  }

  leaveOthers(): void {
    for (const draft of this.#drafts) {
      for (const from of draft.target.filter((id) => !this.#racks.has(id))) {
        const to = this.#bestHome(draft, from);
        if (to !== undefined) this.#move(draft, from, to);
      }
    }
  }

  /** Partitions that have two replicas in one rack and none in another get one there. */
  spreadRacks(): void {
    for (const draft of this.#drafts) {
      for (;;) {
        const twice = draft.target.findLast((id, at) => {
          const rack = this.#racks.get(id);
          return draft.target.some((other, earlier) => earlier < at && this.#racks.get(other) === rack);
        });
        if (twice === undefined || draft.mix.distinct >= Math.min(draft.target.length, this.#rackCount)) break;
        const to = this.#bestHome(draft, twice);
        if (to === undefined || this.#distinctAfter(draft, twice, to) <= draft.mix.distinct) break;
        this.#move(draft, twice, to);
      }
    }
  }

  /** Racks of a partition after a move. */
  #distinctAfter({ mix }: Draft, from: BrokerId, to: BrokerId): number {
    return distinctAfter(mix, this.#racks.get(from) ?? null, this.#racks.get(to) ?? null);
  }

  /** Where a replica goes best: into most racks, then to the broker that holds least, of the topic and at all. */
  #bestHome(draft: Draft, from: BrokerId): BrokerId | undefined {
    let best: { id: BrokerId; rank: readonly number[] } | undefined;
    for (const id of this.#byCount()) {
      if (draft.target.includes(id)) continue;
      const ofTopic = this.#ofTopic.get(draft.topic)?.get(id) ?? 0;
      const rank = [-this.#distinctAfter(draft, from, id), this.#total(id), ofTopic];
      if (best === undefined || isLess(rank, best.rank)) best = { id, rank };
    }
    return best?.id;
  }

  evenOut(): void {
    for (;;) {
      const path = this.#pathDown();
      if (path === undefined) return;
      // From the far end, so that each step sees the brokers as the search saw them.
      for (let at = path.length - 2; at >= 0; at--) {
        const draft = this.#movable(path[at]!, path[at + 1]!);
        if (draft === undefined) return;
        this.#move(draft, path[at]!, path[at + 1]!);
      }
    }
  }

  /**
   * A way from a full broker to one that holds at least two less, one replica moved at each step. Mostly it is direct;
   * racks may ask for a way over others.
   */
  #pathDown(): BrokerId[] | undefined {
    const rising = this.#byCount();
    for (const full of rising.toReversed()) {
      const enough = this.#total(full) - 2;
      if (this.#total(rising[0]!) > enough) return undefined;
      if (this.#isMovable(full, rising[0]!)) return [full, rising[0]!];
      const path = shortestPath(
        full,
        (id) => this.#total(id) <= enough,
        (from) => rising.filter((to) => to !== from && this.#isMovable(from, to)),
      );
      if (path !== undefined) return path;
    }
    return undefined;
  }

  #isMovable(from: BrokerId, to: BrokerId): boolean {
    for (const _ of this.#candidates(from, to)) return true;
    return false;
  }

  /** What is best moved between two brokers: of a topic that one has more of, and few bytes. */
  #movable(from: BrokerId, to: BrokerId): Draft | undefined {
    let best: Draft | undefined;
    let bestSurplus = 0;
    for (const draft of this.#candidates(from, to)) {
      const ofTopic = this.#ofTopic.get(draft.topic)!;
      const surplus = (ofTopic.get(from) ?? 0) - (ofTopic.get(to) ?? 0);
      if (best !== undefined && (surplus < bestSurplus || (surplus === bestSurplus && draft.bytes >= best.bytes)))
        continue;
      best = draft;
      bestSurplus = surplus;
    }
    return best;
  }

  /** What can be moved without leaving a rack that no other takes the place of. */
  *#candidates(from: BrokerId, to: BrokerId): Generator<Draft> {
    const [fromRack, toRack] = [this.#racks.get(from) ?? null, this.#racks.get(to) ?? null];
    for (const alike of this.#held.get(from)!.values()) {
      for (const draft of alike) {
        if (distinctAfter(draft.mix, fromRack, toRack) < draft.mix.distinct) break;
        if (!draft.target.includes(to)) yield draft;
      }
    }
  }

  /** Only the order of replicas changes, which moves no data. */
  evenOutLeaders(): void {
    const led = new Map<BrokerId, Set<Draft>>([...this.#racks.keys()].map((id) => [id, new Set<Draft>()]));
    for (const draft of this.#drafts) led.get(draft.target[0]!)?.add(draft);
    const count = (id: BrokerId): number => led.get(id)!.size;
    const handOver = (from: BrokerId, to: BrokerId): Draft | undefined => {
      for (const draft of led.get(from)!) if (draft.target.includes(to)) return draft;
      return undefined;
    };
    for (;;) {
      const rising = [...led.keys()].sort((left, right) => count(left) - count(right) || left - right);
      let path: BrokerId[] | undefined;
      for (const full of rising.toReversed()) {
        if (count(rising[0]!) > count(full) - 2) break;
        path = shortestPath(
          full,
          (id) => count(id) <= count(full) - 2,
          (from) => rising.filter((to) => to !== from && handOver(from, to) !== undefined),
        );
        if (path !== undefined) break;
      }
      if (path === undefined) return;
      for (let at = path.length - 2; at >= 0; at--) {
        const [from, to] = [path[at]!, path[at + 1]!];
        const draft = handOver(from, to)!;
        draft.target.splice(draft.target.indexOf(to), 1);
        draft.target.unshift(to);
        led.get(from)!.delete(draft);
        led.get(to)!.add(draft);
      }
    }
  }

  result(): RebalancePlan {
    const changed = this.#drafts.filter(({ replicas, target }) => replicas.some((id, at) => id !== target[at]));
    return {
      moves: changed,
      stuck: this.#drafts.filter(({ target }) => target.some((id) => !this.#racks.has(id))),
    };
  }
}

function distinctAfter({ racks, distinct }: RackMix, from: Rack, to: Rack): number {
  if (from === to) return distinct;
  const leaves = racks.indexOf(from) === racks.lastIndexOf(from);
  return distinct - Number(leaves) + Number(!racks.includes(to));
}

/** Breadth first. */
function shortestPath(
  start: BrokerId,
  isEnd: (id: BrokerId) => boolean,
  next: (id: BrokerId) => readonly BrokerId[],
): BrokerId[] | undefined {
  const cameFrom = new Map<BrokerId, BrokerId | undefined>([[start, undefined]]);
  for (const id of cameFrom.keys()) {
    if (isEnd(id)) {
      const path: BrokerId[] = [];
      for (let at: BrokerId | undefined = id; at !== undefined; at = cameFrom.get(at)) path.unshift(at);
      return path;
    }
    for (const to of next(id)) if (!cameFrom.has(to)) cameFrom.set(to, id);
  }
  return undefined;
}

function isLess(left: readonly number[], right: readonly number[]): boolean {
  for (const [at, value] of left.entries()) if (value !== right[at]) return value < right[at]!;
  return false;
}
