/**
 * Asks a broker again and again, by the protocol itself, what a group has committed and who is assigned what: committed
 * offsets never go back, and no partition is assigned to two members at once. Goes on when the broker is back.
 */
import { consumerGroupDescribe } from '../../../src/protocol/apis/consumer-group-describe.ts';
import { type DescribeGroupsResponse, describeGroups } from '../../../src/protocol/apis/describe-groups.ts';
import { offsetFetch } from '../../../src/protocol/apis/offset-fetch.ts';
import { readAssignment } from '../../../src/protocol/consumer-protocol.ts';
import { Wire } from '../../support/wire.ts';
import type { GroupProtocol } from './group-members.ts';

const PAUSE_MS = 250;
const OFFSET_FETCH_VERSION = 9;
const DESCRIBE_VERSION = 5;

export interface WatchedGroup {
  readonly port: number;
  readonly group: string;
  readonly protocol: GroupProtocol;
  readonly partitions: number;
  readonly topic: string;
}

export class GroupWatch {
  readonly faults: string[] = [];
  /** Where what is committed went back. */
  readonly regressions: string[] = [];
  samples = 0;
  readonly #watched: WatchedGroup;
  readonly #wire: Wire;
  readonly #highest = new Map<number, number>();
  readonly #looping: Promise<void>;
  #ended = false;

  constructor(watched: WatchedGroup) {
    this.#watched = watched;
    this.#wire = new Wire(watched.port);
    this.#looping = this.#loop();
  }

  async end(): Promise<void> {
    this.#ended = true;
    await this.#looping;
    this.#wire.close();
  }

  async #loop(): Promise<void> {
    while (!this.#ended) {
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
      try {
        await this.#sample();
      } catch {
        // The broker is down, or is loading the group.
        this.#wire.close();
      }
    }
  }

  async #sample(): Promise<void> {
    for (const [partition, offset] of await this.committed()) {
      const before = this.#highest.get(partition) ?? 0;
      if (offset < before) this.regressions.push(`partition ${partition}: from ${before} back to ${offset}`);
      this.#highest.set(partition, offset);
    }
    const owners = new Map<number, string>();
    for (const [member, partition] of await this.#assigned()) {
      const other = owners.get(partition);
      if (other !== undefined) this.faults.push(`partition ${partition} is assigned to ${other} and to ${member}`);
      owners.set(partition, member);
    }
    this.samples++;
  }

  /** Where the group reads on, by partition; partitions of which nothing is committed are left out. */
  async committed(wire: Wire = this.#wire): Promise<Map<number, number>> {
    const { group: groupId, topic, partitions } = this.#watched;
    const topics = [{ name: topic, partitionIndexes: Array.from({ length: partitions }, (_, index) => index) }];
    const groups = [{ groupId, memberId: null, memberEpoch: -1, topics }];
    const answer = await wire.reply(offsetFetch, OFFSET_FETCH_VERSION, { groups, requireStable: false });
    const [group] = answer['groups'] as { errorCode: number; topics: CommittedTopic[] }[];
    if (group!.errorCode !== 0) throw new Error(`error ${group!.errorCode} for the offsets of ${groupId}`);
    const known = group!.topics[0]!.partitions.filter(({ committedOffset }) => committedOffset >= 0);
    return new Map(known.map(({ partitionIndex, committedOffset }) => [partitionIndex, committedOffset]));
  }

  /** Members and partitions. */
  async #assigned(): Promise<[string, number][]> {
    const { group, topic } = this.#watched;
    if (this.#watched.protocol === 'consumer') {
      const answer = await this.#wire.reply(consumerGroupDescribe, 0, { groupIds: [group] });
      const [described] = answer['groups'] as { members: ConsumerMember[] }[];
      return described!.members.flatMap(({ memberId, assignment }) =>
        assignment.topicPartitions.flatMap(({ partitions }) =>
          partitions.map((one): [string, number] => [memberId, one]),
        ),
      );
    }
    const answer = await this.#wire.reply(describeGroups, DESCRIBE_VERSION, { groups: [group] });
    const [described] = answer['groups'] as DescribeGroupsResponse['groups'];
    if (described!.groupState !== 'Stable') return [];
    return described!.members.flatMap(({ memberId, memberAssignment }) => {
      const assigned = readAssignment(Buffer.from(memberAssignment!))?.assignedPartitions ?? [];
      return assigned
        .filter((one) => one.topic === topic)
        .flatMap(({ partitions }) => partitions.map((one): [string, number] => [memberId!, one]));
    });
  }
}

interface CommittedTopic {
  readonly partitions: readonly { readonly partitionIndex: number; readonly committedOffset: number }[];
}

interface ConsumerMember {
  readonly memberId: string;
  readonly assignment: { readonly topicPartitions: readonly { readonly partitions: readonly number[] }[] };
}
