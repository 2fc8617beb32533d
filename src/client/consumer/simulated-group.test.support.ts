/** Logs and one group's coordinator for consumers on simulated brokers: as much of both as a test of the client needs. */
import { consumerGroupHeartbeat } from '../../protocol/apis/consumer-group-heartbeat.ts';
import { type FetchRequest, fetch } from '../../protocol/apis/fetch.ts';
import { heartbeat } from '../../protocol/apis/heartbeat.ts';
import { joinGroup } from '../../protocol/apis/join-group.ts';
import { leaveGroup } from '../../protocol/apis/leave-group.ts';
import { listOffsets } from '../../protocol/apis/list-offsets.ts';
import { offsetCommit } from '../../protocol/apis/offset-commit.ts';
import { offsetFetch } from '../../protocol/apis/offset-fetch.ts';
import { offsetForLeaderEpoch } from '../../protocol/apis/offset-for-leader-epoch.ts';
import { syncGroup } from '../../protocol/apis/sync-group.ts';
import { ErrorCode } from '../../protocol/error-codes.ts';
import * as batch from '../../records/batch.ts';
import { buildBatch } from '../../records/builder.ts';
import type { SimulatedBrokers } from '../simulated-brokers.test.support.ts';

const POLL_MS = 500;

/** Serves partitions of topics; every batch has one record a value. */
export class SimulatedLogs {
  readonly partitions = new Map<string, Buffer[]>();
  /** Before the records of a fetch are looked up; a code refuses the partition. */
  refuse: (partition: number, broker: number, offset: number) => number = () => 0;
  /** The replica that a leader sends readers to. */
  preferredReplica = -1;
  /** Ends of epochs, for whoever asks. */
  epochEnd: { leaderEpoch: number; endOffset: number } | undefined;
  readonly #brokers: SimulatedBrokers;
  readonly sessions = new Map<number, Session>();
  #lastSession = 0;

  constructor(brokers: SimulatedBrokers) {
    this.#brokers = brokers;
    this.#serveFetches();
    brokers.serve(listOffsets, ({ topics }) => ({
      topics: topics.map(({ name, partitions }) => ({
        name,
        partitions: partitions.map(({ partitionIndex, timestamp }) => ({
          partitionIndex,
          errorCode: 0,
          timestamp: -1,
          leaderEpoch: 0,
          offset: timestamp === -2 ? 0 : this.end(name, partitionIndex),
        })),
      })),
    }));
    brokers.serve(offsetForLeaderEpoch, ({ topics }) => ({
      topics: topics.map(({ topic, partitions }) => ({
        topic,
        partitions: partitions.map(({ partition, leaderEpoch }) => {
          const end = this.epochEnd ?? { leaderEpoch, endOffset: this.end(topic, partition) };
          return { partition, errorCode: 0, ...end };
        }),
      })),
    }));
  }

  append(topic: string, partition: number, values: readonly string[], leaderEpoch = 0): Buffer {
    const log = this.partitions.get(`${topic}/${partition}`) ?? [];
    this.partitions.set(`${topic}/${partition}`, log);
    const records = values.map((value) => ({ key: null, value: Buffer.from(value), timestamp: 1 }));
    const bytes = buildBatch({ baseOffset: this.end(topic, partition), leaderEpoch, records });
    log.push(bytes);
    return bytes;
  }

  end(topic: string, partition: number): number {
    const last = this.partitions.get(`${topic}/${partition}`)?.at(-1);
    return last === undefined ? 0 : batch.lastOffset(last, 0) + 1;
  }

  #serveFetches(): void {
    const { clock } = this.#brokers;
    this.#brokers.serve(fetch, async (request, { broker }) => {
      const { maxWaitMs, maxBytes } = request;
      const session = this.#session(request);
      if (session === undefined) return { errorCode: 0, sessionId: 0, responses: [] };
      const answer = () =>
        [...session.partitions.values()].map(({ topicId, partition, fetchOffset, partitionMaxBytes }) => {
          const name = this.#brokers.topics.find((each) => each.topicId === topicId)!.name;
          const most = Math.min(maxBytes, partitionMaxBytes);
          const found = this.#read({ topic: name, partition, offset: fetchOffset, most, broker });
          return { topic: '', topicId, partitions: [found] };
        });
      let responses = answer();
      const isNews = () =>
        responses.some(({ partitions }) =>
          partitions.some((each) => each.records.length > 0 || each.errorCode !== 0 || each.preferredReadReplica >= 0),
        );
      for (let waited = 0; !isNews() && waited < Math.min(maxWaitMs, POLL_MS); waited += 50) {
        await new Promise<void>((resolve) => clock.after(50, resolve));
        responses = answer();
      }
      return { errorCode: 0, sessionId: session.id, responses };
    });
  }

  /** As the broker remembers it; undefined where it is told to forget it. */
  #session({ sessionId, sessionEpoch, topics, forgottenTopicsData }: FetchRequest): Session | undefined {
    if (sessionEpoch === -1) {
      this.sessions.delete(sessionId);
      return undefined;
    }
    const session =
      sessionEpoch === 0 ? { id: ++this.#lastSession, partitions: new Map() } : this.sessions.get(sessionId)!;
    this.sessions.set(session.id, session);
    for (const { topicId, partitions } of forgottenTopicsData) {
      for (const partition of partitions) session.partitions.delete(`${topicId}/${partition}`);
    }
    for (const { topicId, partitions } of topics) {
      for (const each of partitions) session.partitions.set(`${topicId}/${each.partition}`, { topicId, ...each });
    }
    return session;
  }

  #read({ topic, partition, offset, most, broker }: Read) {
    const highWatermark = this.end(topic, partition);
    const about = {
      partitionIndex: partition,
      highWatermark,
      lastStableOffset: highWatermark,
      abortedTransactions: null,
    };
    const none = { ...about, records: Buffer.alloc(0), preferredReadReplica: -1 };
    const refusal = this.refuse(partition, broker, offset);
    if (refusal !== 0) return { ...none, errorCode: refusal };
    const leader = this.#brokers.topics.find(({ name }) => name === topic)!.partitions[partition]!.leader;
    if (broker === leader && this.preferredReplica >= 0) {
      return { ...none, errorCode: 0, preferredReadReplica: this.preferredReplica };
    }
    if (offset > highWatermark) return { ...none, errorCode: ErrorCode.OFFSET_OUT_OF_RANGE };
    const found: Buffer[] = [];
    let bytes = 0;
    for (const each of this.partitions.get(`${topic}/${partition}`) ?? []) {
      if (batch.lastOffset(each, 0) < offset || (bytes > 0 && bytes + each.length > most)) continue;
      found.push(each);
      bytes += each.length;
    }
    return { ...none, errorCode: 0, records: Buffer.concat(found) };
  }
}

interface Session {
  readonly id: number;
  readonly partitions: Map<
    string,
    {
      readonly topicId: string;
      readonly partition: number;
      readonly fetchOffset: number;
      readonly partitionMaxBytes: number;
    }
  >;
}

interface Read {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly most: number;
  readonly broker: number;
}

/** A group with one member at a time, in both protocols. */
export class SimulatedGroup {
  /** What the next heartbeats are answered, before all is well again. */
  heartbeatCodes: number[] = [];
  commitCodes: number[] = [];
  readonly committed = new Map<string, number>();
  /** Leader epoch that is told with every committed offset. */
  committedEpoch = -1;
  generation = 0;
  left = 0;
  readonly #topicId: string;
  readonly #partitions: readonly number[];

  constructor(brokers: SimulatedBrokers, topic: { readonly topicId: string; readonly partitions: readonly unknown[] }) {
    this.#topicId = topic.topicId;
    this.#partitions = topic.partitions.map((_, partition) => partition);
    this.#serveClassic(brokers);
    this.#serveConsumer(brokers);
    this.#serveOffsets(brokers);
  }

  /** Set, it keeps those who join waiting. */
  joinHeld: Promise<void> | undefined;

  #serveClassic(brokers: SimulatedBrokers): void {
    brokers.serve(joinGroup, async ({ memberId, protocols }) => {
      await this.joinHeld;
      if (memberId === '') {
        const named = { errorCode: ErrorCode.MEMBER_ID_REQUIRED, memberId: `m${++this.generation}` };
        return { ...named, leader: '', members: [], protocolName: null };
      }
      this.generation++;
      const { name, metadata } = protocols[0]!;
      const about = { errorCode: 0, generationId: this.generation, protocolType: 'consumer', protocolName: name };
      return { ...about, leader: memberId, memberId, members: [{ memberId, metadata }] };
    });
    brokers.serve(syncGroup, ({ assignments }) => ({ errorCode: 0, assignment: assignments[0]!.assignment }));
    brokers.serve(heartbeat, () => ({ errorCode: this.heartbeatCodes.shift() ?? 0 }));
    brokers.serve(leaveGroup, () => {
      this.left++;
      return { errorCode: 0, members: [] };
    });
  }

  #serveConsumer(brokers: SimulatedBrokers): void {
    brokers.serve(consumerGroupHeartbeat, ({ memberId, memberEpoch }) => {
      const about = { errorCode: 0, memberId, heartbeatIntervalMs: 1000 };
      if (memberEpoch < 0) {
        this.left++;
        return { ...about, memberEpoch };
      }
      const errorCode = memberEpoch === 0 ? 0 : (this.heartbeatCodes.shift() ?? 0);
      if (errorCode !== 0) return { ...about, errorCode, memberEpoch: 0 };
      if (memberEpoch > 0) return { ...about, memberEpoch };
      const topicPartitions = [{ topicId: this.#topicId, partitions: this.#partitions }];
      return { ...about, memberEpoch: ++this.generation, assignment: { topicPartitions } };
    });
  }

  #serveOffsets(brokers: SimulatedBrokers): void {
    brokers.serve(offsetFetch, ({ groups }) => ({
      topics: [],
      groups: groups.map(({ groupId, topics }) => ({
        groupId,
        topics: (topics ?? []).map(({ name, partitionIndexes }) => ({
          name,
          partitions: partitionIndexes.map((partitionIndex) => ({
            partitionIndex,
            committedOffset: this.committed.get(`${name}/${partitionIndex}`) ?? -1,
            committedLeaderEpoch: this.committedEpoch,
            metadata: '',
            errorCode: 0,
          })),
        })),
      })),
    }));
    brokers.serve(offsetCommit, ({ topics }) => {
      const errorCode = this.commitCodes.shift() ?? 0;
      return {
        topics: topics.map(({ name, partitions }) => ({
          name,
          partitions: partitions.map(({ partitionIndex, committedOffset }) => {
            if (errorCode === 0) this.committed.set(`${name}/${partitionIndex}`, committedOffset);
            return { partitionIndex, errorCode };
          }),
        })),
      };
    });
  }
}
