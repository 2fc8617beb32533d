/** Administration as programs use it: what `admin/admin.ts` does, with bigint offsets. */
import type { TopicPartition } from '../../base/units.ts';
import { Admin } from '../admin/admin.ts';
import type { Outcome } from '../admin/outcome.ts';
import type { Cluster } from '../cluster.ts';
import { toOffset } from './offsets.ts';

type Arguments<Name extends keyof Admin> = Parameters<Admin[Name]>;
type Settings = Arguments<'listTopics'>[0];

export class ClientAdmin {
  readonly #admin: Admin;

  constructor(cluster: Cluster) {
    this.#admin = new Admin(cluster);
  }

  /** One outcome a topic, in the order of the list. */
  createTopics(...call: Arguments<'createTopics'>) {
    return this.#admin.createTopics(...call);
  }

  /** One topic; rejects where it is refused. */
  createTopic(...call: Arguments<'createTopic'>) {
    return this.#admin.createTopic(...call);
  }

  deleteTopics(...call: Arguments<'deleteTopics'>) {
    return this.#admin.deleteTopics(...call);
  }

  /** One topic; rejects where it is refused. */
  deleteTopic(...call: Arguments<'deleteTopic'>) {
    return this.#admin.deleteTopic(...call);
  }

  createPartitions(...call: Arguments<'createPartitions'>) {
    return this.#admin.createPartitions(...call);
  }

  listTopics(...call: Arguments<'listTopics'>) {
    return this.#admin.listTopics(...call);
  }

  describeTopics(...call: Arguments<'describeTopics'>) {
    return this.#admin.describeTopics(...call);
  }

  describeConfigs(...call: Arguments<'describeConfigs'>) {
    return this.#admin.describeConfigs(...call);
  }

  alterConfigs(...call: Arguments<'alterConfigs'>) {
    return this.#admin.alterConfigs(...call);
  }

  listConfigResources(...call: Arguments<'listConfigResources'>) {
    return this.#admin.listConfigResources(...call);
  }

  describeCluster(...call: Arguments<'describeCluster'>) {
    return this.#admin.describeCluster(...call);
  }

  describeVersions(...call: Arguments<'describeVersions'>) {
    return this.#admin.describeVersions(...call);
  }

  describeLogDirectories(...call: Arguments<'describeLogDirectories'>) {
    return this.#admin.describeLogDirectories(...call);
  }

  /** Begins to move replicas to other directories of their brokers. */
  moveReplicas(...call: Arguments<'moveReplicas'>) {
    return this.#admin.moveReplicas(...call);
  }

  /** Begins to move replicas, or takes that back. */
  reassignPartitions(...call: Arguments<'reassignPartitions'>) {
    return this.#admin.reassignPartitions(...call);
  }

  /** The reassignments that are under way. */
  ongoingReassignments(...call: Arguments<'ongoingReassignments'>) {
    return this.#admin.ongoingReassignments(...call);
  }

  /** Of some partitions, or of all that need it. */
  electLeaders(...call: Arguments<'electLeaders'>) {
    return this.#admin.electLeaders(...call);
  }

  describeFeatures(...call: Arguments<'describeFeatures'>) {
    return this.#admin.describeFeatures(...call);
  }

  /** Changes levels of features; all of them or none. */
  updateFeatures(...call: Arguments<'updateFeatures'>) {
    return this.#admin.updateFeatures(...call);
  }

  /** Strikes a broker that is gone for good off the cluster's list. */
  unregisterBroker(...call: Arguments<'unregisterBroker'>) {
    return this.#admin.unregisterBroker(...call);
  }

  listGroups(...call: Arguments<'listGroups'>) {
    return this.#admin.listGroups(...call);
  }

  /** Rejects with GROUP_ID_NOT_FOUND where there is no such group. */
  describeGroup(...call: Arguments<'describeGroup'>) {
    return this.#admin.describeGroup(...call);
  }

  deleteGroups(...call: Arguments<'deleteGroups'>) {
    return this.#admin.deleteGroups(...call);
  }

  deleteGroupOffsets(...call: Arguments<'deleteGroupOffsets'>) {
    return this.#admin.deleteGroupOffsets(...call);
  }

  /** Offset and timestamp are -1n and -1 where no record matches. */
  async listOffsets(...call: Arguments<'listOffsets'>) {
    const found = await this.#admin.listOffsets(...call);
    return found.map((each) => ({ ...each, offset: BigInt(each.offset) }));
  }

  /** Removes the records before an offset for good; 'latest' keeps none. `start` is where the partition then begins. */
  async deleteRecords(list: readonly (TopicPartition & { readonly before: bigint | 'latest' })[], settings?: Settings) {
    const inner = list.map(({ before, ...place }) => ({
      ...place,
      before: before === 'latest' ? before : toOffset(before),
    }));
    return mapped(await this.#admin.deleteRecords(inner, settings), (each) => ({ ...each, start: BigInt(each.start) }));
  }

  async describeProducers(...call: Arguments<'describeProducers'>) {
    return mapped(await this.#admin.describeProducers(...call), ({ producers, ...place }) => ({
      ...place,
      producers: producers.map((each) => ({ ...each, transactionStart: BigInt(each.transactionStart) })),
    }));
  }

  async offsetsForLeaderEpochs(...call: Arguments<'offsetsForLeaderEpochs'>) {
    const ends = await this.#admin.offsetsForLeaderEpochs(...call);
    return mapped(ends, (each) => ({ ...each, endOffset: BigInt(each.endOffset) }));
  }

  /** Every offset that the group has committed. */
  async groupOffsets(...call: Arguments<'groupOffsets'>) {
    const found = await this.#admin.groupOffsets(...call);
    return found.map((each) => ({ ...each, offset: BigInt(each.offset) }));
  }

  /** Moves a group that has no members to other offsets. */
  commitGroupOffsets(
    id: string,
    offsets: readonly (TopicPartition & { readonly offset: bigint; readonly metadata?: string })[],
    settings?: Settings,
  ) {
    const inner = offsets.map((each) => ({ ...each, offset: toOffset(each.offset) }));
    return this.#admin.commitGroupOffsets(id, inner, settings);
  }

  /** How far a described group is behind. */
  async groupLag(...call: Arguments<'groupLag'>) {
    const found = await this.#admin.groupLag(...call);
    const known = (offset: number | undefined) => (offset === undefined ? undefined : BigInt(offset));
    return found.map((each) => ({ ...each, current: known(each.current), end: known(each.end) }));
  }
}

function mapped<From, To>(outcomes: readonly Outcome<From>[], map: (value: From) => To): Outcome<To>[] {
  return outcomes.map((each) =>
    each.ok ? { ...map(each), ok: true } : { ...map(each), ok: false, error: each.error },
  );
}
