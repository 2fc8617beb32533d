/**
 * What must hold in a cluster at every moment, checked from inside its brokers: leaders, epochs, in-sync sets, high
 * watermarks, and the committed part of every log. Only watches; the first thing that is wrong ends the run.
 */
import type { BrokerServices } from '../../src/broker/services.ts';
import type { MetadataImage } from '../../src/metadata/image.ts';
import type { Partition } from '../../src/replication/partition.ts';
import { batchesBetween, type CommittedBatch, CommittedLog } from './committed-log.ts';
import type { SimulatedHost } from './host.ts';
import { imageDigest } from './image-digest.ts';

export class InvariantViolation extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'InvariantViolation';
  }
}

/** What is known of one broker's replica, from its opening until it is closed or given away. */
interface SeenReplica {
  readonly partition: Partition;
  highWatermark: number;
  leaderEpoch: number;
  partitionEpoch: number;
  /** Below it the log was found to be what was committed. */
  verifiedEnd: number;
}

/** `min.insync.replicas` of all topics. */
const MIN_IN_SYNC = 2;

/** What is known of one partition of one topic id. */
class SeenPartition {
  readonly name: string;
  readonly committed: CommittedLog;
  /** Who led, by leader epoch: broker and which life of it. */
  readonly leaders = new Map<number, string>();
  /** What the controller decided, by partition epoch. */
  readonly decisions = new Map<number, string>();
  readonly replicas = new Map<number, SeenReplica>();
  /** Sizes of in-sync sets, by partition epoch. */
  readonly inSyncCounts = new Map<number, number>();
  /** The latest decision. */
  partitionEpoch = -1;
  leader = -1;
  inSync: readonly number[] = [];

  constructor(name: string) {
    this.name = name;
    this.committed = new CommittedLog(name);
  }
}

/** A follower was taken into an in-sync set. */
export interface Expansion {
  readonly topic: string;
  readonly partition: number;
  readonly leader: number;
  readonly member: number;
}

export class ClusterInvariants {
  /** Called within the controller's turn, before anybody else can know. */
  onExpansion: (expansion: Expansion) => void = () => undefined;
  readonly #partitions = new Map<string, SeenPartition>();
  /** Of the metadata, by offset. */
  readonly #images = new Map<number, { readonly digest: string; readonly seenBy: string }>();
  readonly #nowMs: () => number;
  readonly #isLossy: (host: SimulatedHost) => boolean;
  /** Leaders that were seen. */
  elections = 0;

  /** `isLossy`: the broker lost what it had not synced, and has not yet caught up again. */
  constructor(options: { readonly nowMs: () => number; readonly isLossy: (host: SimulatedHost) => boolean }) {
    this.#nowMs = options.nowMs;
    this.#isLossy = options.isLossy;
  }

  /** How many batches were committed in all partitions. */
  get committedBatches(): number {
    let sum = 0;
    for (const { committed } of this.#partitions.values()) sum += committed.length;
    return sum;
  }

  #fail(host: SimulatedHost, what: string): never {
    throw new InvariantViolation(`at ${this.#nowMs().toFixed(3)} ms, ${host.name}: ${what}`);
  }

  /** Watches the metadata of a broker that was built. */
  watch(host: SimulatedHost, { quorum }: BrokerServices): void {
    this.#seeImage(host, quorum.image());
    quorum.subscribe((_delta, image) => this.#seeImage(host, image));
  }

  #seeImage(host: SimulatedHost, image: MetadataImage): void {
    const digest = imageDigest(image);
    const known = this.#images.get(image.offset);
    if (known === undefined) this.#images.set(image.offset, { digest, seenBy: host.name });
    else if (known.digest !== digest) {
      this.#fail(
        host,
        `its metadata at offset ${image.offset} differ from those of ${known.seenBy}:\n${digest}\n${known.digest}`,
      );
    }
    for (const topic of image.topics.byName.values()) {
      for (const [index, partition] of topic.partitions.entries()) {
        const seen = this.#seen(topic.id, topic.name, index);
        const { leader, leaderEpoch, partitionEpoch, isr, replicas } = partition;
        this.#seeDecision(host, seen, partitionEpoch, decisionOf({ leader, leaderEpoch, isr, replicas }), true);
        seen.inSyncCounts.set(partitionEpoch, isr.length);
        if (partitionEpoch <= seen.partitionEpoch) continue;
        const joined = isr.find((id) => !seen.inSync.includes(id));
        const isExpansion = leader === seen.leader && joined !== undefined && seen.inSync.length > 0;
        if (isExpansion) this.onExpansion({ topic: topic.name, partition: index, leader, member: joined });
        seen.partitionEpoch = partitionEpoch;
        seen.leader = leader;
        seen.inSync = isr;
      }
    }
  }

  #seeDecision(
    host: SimulatedHost,
    seen: SeenPartition,
    epoch: number,
    decision: string,
    fromController: boolean,
  ): void {
    const known = seen.decisions.get(epoch);
    if (known === decision) return;
    if (known !== undefined) {
      this.#fail(host, `${seen.name} is ${decision} in partition epoch ${epoch}, which was ${known}`);
    }
    if (!fromController) {
      this.#fail(host, `${seen.name} is ${decision} in partition epoch ${epoch}, which no controller decided`);
    }
    seen.decisions.set(epoch, decision);
  }

  #seen(topicId: string, topic: string, partition: number): SeenPartition {
    const key = `${topicId}/${partition}`;
    let seen = this.#partitions.get(key);
    if (seen === undefined) {
      seen = new SeenPartition(`${topic}-${partition}`);
      this.#partitions.set(key, seen);
    }
    return seen;
  }

  /** Looks at all replicas of all brokers that run. */
  check(hosts: readonly SimulatedHost[]): void {
    for (const host of hosts) {
      const { services } = host;
      if (services === undefined || host.hasBrokenDisk) continue;
      for (const partition of services.replicas.partitions()) this.#checkReplica(host, partition, hosts);
    }
  }

  #checkReplica(host: SimulatedHost, partition: Partition, hosts: readonly SimulatedHost[]): void {
    const seen = this.#seen(partition.topicId, partition.topic, partition.partition);
    const replica = this.#replicaOf(seen, host, partition);
    if (partition.log.failure !== undefined || partition.log.offline) return;
    const before = replica.partitionEpoch;
    this.#checkEpochs(host, seen, replica, partition);
    const { highWatermark } = partition;
    // Its high watermark was durable, the log below it was not: nobody sees that before its leader has cut it.
    if (!partition.isLeader && this.#isLossy(host)) {
      replica.highWatermark = highWatermark;
      replica.verifiedEnd = 0;
      return;
    }
    if (highWatermark < replica.highWatermark) {
      this.#fail(host, `the high watermark of ${seen.name} fell from ${replica.highWatermark} to ${highWatermark}`);
    }
    if (highWatermark > partition.log.endOffset) {
      this.#fail(
        host,
        `the high watermark of ${seen.name}, ${highWatermark}, is above the log's end, ${partition.log.endOffset}`,
      );
    }
    const rose = highWatermark > replica.highWatermark;
    replica.highWatermark = highWatermark;
    if (partition.isLeader && rose) {
      this.#checkMinimum(host, seen, partition, before);
      this.#checkInSync(host, seen, partition, hosts);
    }
    if (partition.isLeader && highWatermark > seen.committed.endOffset) this.#commit(host, seen, partition);
    this.#verify(host, seen, replica, partition);
  }

  #replicaOf(seen: SeenPartition, host: SimulatedHost, partition: Partition): SeenReplica {
    let replica = seen.replicas.get(host.brokerId);
    if (replica?.partition !== partition) {
      const { leaderEpoch = -1, partitionEpoch = -1 } = replica ?? {};
      replica = {
        partition,
        highWatermark: partition.highWatermark,
        leaderEpoch,
        partitionEpoch,
        verifiedEnd: 0,
      };
      seen.replicas.set(host.brokerId, replica);
    }
    return replica;
  }

  #checkEpochs(host: SimulatedHost, seen: SeenPartition, replica: SeenReplica, partition: Partition): void {
    const { leader, leaderEpoch, partitionEpoch, inSyncReplicas, replicas } = partition.state;
    if (partitionEpoch !== replica.partitionEpoch || leaderEpoch !== replica.leaderEpoch) {
      if (partitionEpoch < replica.partitionEpoch || leaderEpoch < replica.leaderEpoch) {
        this.#fail(
          host,
          `${seen.name} went from epochs ${replica.leaderEpoch}/${replica.partitionEpoch} back to ${leaderEpoch}/${partitionEpoch}`,
        );
      }
      const decision = decisionOf({ leader, leaderEpoch, isr: inSyncReplicas, replicas });
      this.#seeDecision(host, seen, partitionEpoch, decision, false);
      replica.leaderEpoch = leaderEpoch;
      replica.partitionEpoch = partitionEpoch;
    }
    // Before it serves nobody can write to it.
    if (!partition.isLeader || !host.serves) return;
    const self = `${host.name} (start ${host.starts})`;
    const known = seen.leaders.get(leaderEpoch);
    if (known === undefined) {
      this.elections++;
      seen.leaders.set(leaderEpoch, self);
    } else if (known !== self) {
      this.#fail(host, `${seen.name} is led by ${self} in epoch ${leaderEpoch}, in which ${known} led it`);
    }
  }

  /** Nothing is committed while fewer than `min.insync.replicas` are in sync. */
  #checkMinimum(host: SimulatedHost, seen: SeenPartition, partition: Partition, before: number): void {
    // A leader that only begins to lead finds in its log what others committed.
    if (partition.highWatermark <= seen.committed.endOffset) return;
    const fewest = Math.min(MIN_IN_SYNC, partition.state.replicas.length);
    // Several decisions may have come at once: it counts what held at any time since the last look.
    let most = 0;
    for (let epoch = Math.max(0, before); epoch <= partition.state.partitionEpoch; epoch++) {
      most = Math.max(most, seen.inSyncCounts.get(epoch) ?? 0);
    }
    if (most >= fewest) return;
    this.#fail(host, `${seen.name} commits up to ${partition.highWatermark} with only ${most} in sync`);
  }

  /** What counts as committed is on every replica that counts as in sync. */
  #checkInSync(host: SimulatedHost, seen: SeenPartition, partition: Partition, hosts: readonly SimulatedHost[]): void {
    const { leadership } = partition;
    const members = leadership?.inSync.committed ?? [];
    for (const brokerId of members) {
      if (brokerId === host.brokerId) continue;
      const other = hosts[brokerId - 1]!;
      const found = other.serves ? other.replica(partition.topic, partition.partition) : undefined;
      if (found?.topicId !== partition.topicId) continue;
      // One that started again is another replica, until the leader and the controller know of it.
      const known = leadership?.follower(brokerId)?.brokerEpoch;
      if (known === undefined || known !== other.services?.quorum.image().brokers.get(brokerId)?.epoch) continue;
      if (found.log.endOffset >= partition.highWatermark) continue;
      this.#fail(
        host,
        `${seen.name} counts as committed up to ${partition.highWatermark}, in-sync ${other.name} ends at ${found.log.endOffset}`,
      );
    }
  }

  #commit(host: SimulatedHost, seen: SeenPartition, partition: Partition): void {
    const { log, highWatermark } = partition;
    const from = Math.max(seen.committed.endOffset, log.startOffset);
    const batches = batchesBetween(log, from, highWatermark);
    // Closed by a broker that stops, which learns last of all what is in sync: others will see these committed.
    if ((batches.at(-1)?.last ?? from - 1) < highWatermark - 1) return;
    const wrong = seen.committed.extend(batches, partition.state.leaderEpoch, highWatermark);
    if (wrong !== undefined) this.#fail(host, wrong);
  }

  /** A leader has all that was ever committed; everybody else all that he himself counts as committed. */
  #verify(host: SimulatedHost, seen: SeenPartition, replica: SeenReplica, partition: Partition): void {
    const { committed } = seen;
    const { log } = partition;
    const isComplete = partition.isLeader && host.serves && partition.state.leaderEpoch >= committed.leaderEpoch;
    const upTo = isComplete ? committed.endOffset : Math.min(partition.highWatermark, committed.endOffset);
    if (replica.verifiedEnd > log.endOffset) {
      this.#fail(host, `${seen.name} was cut to ${log.endOffset}, committed was ${replica.verifiedEnd}`);
    }
    if (upTo <= replica.verifiedEnd) return;
    if (log.endOffset < upTo) {
      this.#fail(
        host,
        `${seen.name} ends at ${log.endOffset} in its leader of epoch ${partition.state.leaderEpoch}, committed is up to ${upTo}`,
      );
    }
    const wrong = committed.differs(batchesBetween(log, Math.max(replica.verifiedEnd, log.startOffset), upTo));
    if (wrong !== undefined) this.#fail(host, wrong);
    replica.verifiedEnd = upTo;
  }

  /** The committed batches of a partition, for the record. */
  committedOf(topicId: string, partition: number): readonly CommittedBatch[] {
    return this.#partitions.get(`${topicId}/${partition}`)?.committed.batches ?? [];
  }
}

function decisionOf(state: {
  readonly leader: number;
  readonly leaderEpoch: number;
  readonly isr: readonly number[];
  readonly replicas: readonly number[];
}): string {
  const { leader, leaderEpoch, isr, replicas } = state;
  return `leader ${leader}, epoch ${leaderEpoch}, in sync ${isr.toSorted()}, replicas ${replicas}`;
}
