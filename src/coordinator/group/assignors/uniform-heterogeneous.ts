/**
 * `uniform` where members want different topics: members keep what they still want, free partitions go to the least
 * loaded subscribers, then partitions move from the most to the least loaded until that gains nothing. Balance comes
 * before stickiness. Exact where a topic's subscribers want the same topics, near to it where subscriptions overlap.
 */
import type { Uuid } from '../../../base/uuid.ts';
import {
  addPartition,
  compareUuids,
  type DraftAssignment,
  draftOf,
  type GroupAssignment,
  type GroupSpec,
  removePartition,
} from './assignor.ts';
import { LoadBalance } from './load-balance.ts';

/** Rounds over all topics. Each about halves what is left of the imbalance; overlapping subscriptions need a few. */
const MAX_ROUNDS = 16;
const NOBODY = -1;

interface Topic {
  readonly id: Uuid;
  /** Member indexes, ascending. */
  readonly subscribers: number[];
  /** Member index by partition, or NOBODY. */
  readonly owners: Int32Array;
}

interface Plan {
  readonly topics: ReadonlyMap<Uuid, Topic>;
  readonly drafts: readonly DraftAssignment[];
  /** Partitions by member index. */
  readonly loads: Int32Array;
  readonly balance: LoadBalance;
}

export function assignHeterogeneous(spec: GroupSpec): GroupAssignment {
  const topics = topicsOf(spec);
  if (topics.size === 0) return new Map();
  const loads = new Int32Array(spec.members.size);
  const drafts = [...spec.members.values()].map(({ assignment }) => draftOf(assignment));
  const plan: Plan = { topics, drafts, loads, balance: new LoadBalance(loads) };
  keepSubscribed(spec, plan);
  const sorted = [...topics.values()].sort(compareTopics);
  for (const topic of sorted) assignFree(plan, topic);
  balanceTopics(
    plan,
    sorted.filter(({ subscribers }) => subscribers.length > 1),
  );
  return new Map([...spec.members.keys()].map((memberId, index) => [memberId, drafts[index]!]));
}

function topicsOf(spec: GroupSpec): Map<Uuid, Topic> {
  const topics = new Map<Uuid, Topic>();
  let index = 0;
  for (const { subscribedTopicIds } of spec.members.values()) {
    for (const id of subscribedTopicIds) {
      let topic = topics.get(id);
      if (topic === undefined) {
        topic = { id, subscribers: [], owners: new Int32Array(spec.partitionCount(id)).fill(NOBODY) };
        topics.set(id, topic);
      }
      topic.subscribers.push(index);
    }
    index++;
  }
  return topics;
}

/** Most partitions a subscriber first: what can move least is placed first. */
function compareTopics(left: Topic, right: Topic): number {
  const leftShare = left.owners.length / left.subscribers.length;
  const rightShare = right.owners.length / right.subscribers.length;
  return (
    rightShare - leftShare || left.subscribers.length - right.subscribers.length || compareUuids(left.id, right.id)
  );
}

function keepSubscribed(spec: GroupSpec, plan: Plan): void {
  let index = 0;
  for (const member of spec.members.values()) {
    for (const [topicId, partitions] of member.assignment) {
      if (!member.subscribedTopicIds.has(topicId)) {
        plan.drafts[index]!.delete(topicId);
        continue;
      }
      const { owners } = plan.topics.get(topicId)!;
      for (const partition of partitions) owners[partition] = index;
      plan.loads[index] = plan.loads[index]! + partitions.size;
    }
    index++;
  }
}

function assignFree(plan: Plan, topic: Topic): void {
  if (!topic.owners.includes(NOBODY)) return;
  plan.balance.start(topic.subscribers);
  for (const [partition, owner] of topic.owners.entries()) {
    if (owner === NOBODY) move(plan, topic, partition, plan.balance.nextReceiver());
  }
}

function balanceTopics(plan: Plan, topics: readonly Topic[]): void {
  let lastChanged: Topic | undefined;
  for (let round = 0; round < MAX_ROUNDS; round++) {
    for (const topic of topics) {
      // A whole turn without a change: nothing will change any more.
      if (topic === lastChanged) return;
      const moved = balanceTopic(plan, topic);
      if (moved || lastChanged === undefined) lastChanged = topic;
    }
  }
}

function balanceTopic(plan: Plan, topic: Topic): boolean {
  const { balance } = plan;
  if (balance.start(topic.subscribers) <= 1) return false;
  const owned = partitionsByOwner(topic);
  let moved = false;
  while (!balance.isBalanced()) {
    const partition = nextToMove(balance, owned);
    if (partition === undefined) break;
    const receiver = balance.nextReceiver();
    // Picking has raised the levels: moving between members that differ by one gains nothing.
    if (balance.isBalanced()) break;
    move(plan, topic, partition, receiver);
    moved = true;
  }
  return moved;
}

function partitionsByOwner(topic: Topic): Map<number, number[]> {
  const owned = new Map<number, number[]>();
  for (const [partition, owner] of topic.owners.entries()) {
    const partitions = owned.get(owner);
    if (partitions === undefined) owned.set(owner, [partition]);
    else partitions.push(partition);
  }
  return owned;
}

/** The last partition of the most loaded member that has any of this topic. */
function nextToMove(balance: LoadBalance, owned: ReadonlyMap<number, number[]>): number | undefined {
  for (;;) {
    const giver = balance.nextGiver();
    if (giver === undefined) return undefined;
    const partition = owned.get(giver)?.pop();
    if (partition !== undefined) return partition;
    balance.excludeGiver();
  }
}

function move(plan: Plan, topic: Topic, partition: number, to: number): void {
  const from = topic.owners[partition]!;
  if (from !== NOBODY) {
    removePartition(plan.drafts[from]!, topic.id, partition);
    plan.loads[from] = plan.loads[from]! - 1;
  }
  addPartition(plan.drafts[to]!, topic.id, partition);
  plan.loads[to] = plan.loads[to]! + 1;
  topic.owners[partition] = to;
}
