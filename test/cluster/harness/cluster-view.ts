/** What a cluster says of itself, asked of its brokers over the protocol: who lives, who leads, who is in sync. */
import { createTopics } from '../../../src/protocol/apis/create-topics.ts';
import { findCoordinator } from '../../../src/protocol/apis/find-coordinator.ts';
import { metadata } from '../../../src/protocol/apis/metadata.ts';
import type { Wire } from '../../support/wire.ts';

const ANSWER_TIMEOUT_MS = 2000;
const CONNECT_TIMEOUT_MS = 1000;
const CREATE_TIMEOUT_MS = 20_000;
const GROUP_KEY = 0;

export interface PartitionView {
  readonly partition: number;
  readonly leader: number;
  readonly leaderEpoch: number;
  readonly inSync: readonly number[];
  readonly replicas: readonly number[];
}

export interface ClusterView {
  readonly controller: number;
  readonly brokers: readonly number[];
  readonly partitions: readonly PartitionView[];
}

interface MetadataBody {
  readonly controllerId: number;
  readonly brokers: readonly { readonly nodeId: number }[];
  readonly topics: readonly {
    readonly errorCode: number;
    readonly partitions: readonly {
      readonly partitionIndex: number;
      readonly leaderId: number;
      readonly leaderEpoch: number;
      readonly isrNodes: readonly number[];
      readonly replicaNodes: readonly number[];
    }[];
  }[];
}

/** As one broker sees it; undefined where it does not answer. Closes the connection. */
export async function viewOf(wire: Wire, topic: string): Promise<ClusterView | undefined> {
  const body = { topics: [{ name: topic }], allowAutoTopicCreation: false };
  const reply = (await askOnce(wire, metadata, 10, body)) as MetadataBody | undefined;
  if (reply === undefined) return undefined;
  const partitions = (reply.topics[0]?.partitions ?? []).map((each) => ({
    partition: each.partitionIndex,
    leader: each.leaderId,
    leaderEpoch: each.leaderEpoch,
    inSync: each.isrNodes,
    replicas: each.replicaNodes,
  }));
  partitions.sort((left, right) => left.partition - right.partition);
  return { controller: reply.controllerId, brokers: reply.brokers.map(({ nodeId }) => nodeId), partitions };
}

/** The broker that coordinates a group; undefined where nobody tells. */
export async function coordinatorOf(wire: Wire, group: string): Promise<number | undefined> {
  const body = { coordinatorKeys: [group], keyType: GROUP_KEY };
  const reply = await askOnce(wire, findCoordinator, 4, body);
  const [found] = (reply?.['coordinators'] ?? []) as { nodeId: number; errorCode: number }[];
  return found === undefined || found.errorCode !== 0 ? undefined : found.nodeId;
}

export interface NewTopic {
  readonly name: string;
  readonly partitions: number;
  readonly replicationFactor: number;
  readonly configs?: Readonly<Record<string, string>>;
}

/** Rejects with the broker's words where it does not create it. */
export async function createTopic(
  wire: Wire,
  { name, partitions, replicationFactor, configs }: NewTopic,
): Promise<void> {
  const listed = Object.entries(configs ?? {}).map(([key, value]) => ({ name: key, value }));
  const topic = { name, numPartitions: partitions, replicationFactor, assignments: [], configs: listed };
  const body = { topics: [topic], timeoutMs: CREATE_TIMEOUT_MS };
  const reply = await askOnce(wire, createTopics, 7, body, CREATE_TIMEOUT_MS);
  const [made] = (reply?.['topics'] ?? []) as { errorCode: number; errorMessage: string | null }[];
  if (made === undefined) throw new Error(`topic ${name}: no answer`);
  if (made.errorCode !== 0) throw new Error(`topic ${name}: ${made.errorCode} ${made.errorMessage}`);
}

type AskParameters = Parameters<Wire['ask']>;

async function askOnce(
  wire: Wire,
  api: AskParameters[0],
  version: number,
  body: AskParameters[2],
  timeoutMs = ANSWER_TIMEOUT_MS,
): Promise<Awaited<ReturnType<Wire['reply']>> | undefined> {
  try {
    // A host that is cut off does not even refuse.
    const connected = await within(
      CONNECT_TIMEOUT_MS,
      wire.connect().then(() => true),
    );
    if (connected !== true) return undefined;
    const answer = await wire.ask(api, version, body, timeoutMs);
    return answer.kind === 'reply' ? answer.body : undefined;
  } catch {
    return undefined;
  } finally {
    wire.close();
  }
}

function within<T>(milliseconds: number, promise: Promise<T>): Promise<T | undefined> {
  let timer: NodeJS.Timeout;
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), milliseconds);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}
