/** A fetch request's body from positions, and its answer back to them. Without sessions (KIP-227). */
import { ZERO_UUID } from '../../base/uuid.ts';
import type { fetch } from '../../protocol/apis/fetch.ts';
import type { RequestBody, ResponseBody } from '../api-types.ts';
import { ISOLATION_LEVELS } from '../list-offsets.ts';
import type { TopicView } from '../metadata-cache.ts';
import type { FetchOptions } from './options.ts';
import type { ReadPosition } from './read-position.ts';

export type FetchBody = RequestBody<typeof fetch>;
export type FetchAnswer = ResponseBody<typeof fetch>;
export type PartitionFetch = FetchAnswer['responses'][number]['partitions'][number];

/** A partition in a request, with what is known of its topic. */
export interface Wanted {
  readonly position: ReadPosition;
  readonly topic: TopicView;
}

/** Topic ids came with version 13; a topic whose id is unknown has to be named. */
const LAST_VERSION_WITH_NAMES = 12;
const NO_SESSION = { sessionId: 0, sessionEpoch: -1 };

export function fetchBody(wanted: readonly Wanted[], options: FetchOptions): FetchBody {
  type Entry = FetchBody['topics'][number]['partitions'][number];
  const topics = new Map<string, { topic: string; topicId: string; partitions: Entry[] }>();
  for (const { position, topic } of wanted) {
    let entry = topics.get(topic.name);
    if (entry === undefined) {
      entry = { topic: topic.name, topicId: topic.id, partitions: [] };
      topics.set(topic.name, entry);
    }
    entry.partitions.push({
      partition: position.partition,
      currentLeaderEpoch: topic.partitions[position.partition]!.leaderEpoch,
      fetchOffset: position.next,
      partitionMaxBytes: options.partitionMaxBytes,
    });
  }
  return {
    ...NO_SESSION,
    maxWaitMs: options.maxWaitMs,
    minBytes: options.minBytes,
    maxBytes: options.maxBytes,
    isolationLevel: ISOLATION_LEVELS[options.isolation],
    topics: [...topics.values()],
    forgottenTopicsData: [],
  };
}

export function mostFetchVersion(wanted: readonly Wanted[]): number {
  return wanted.some(({ topic }) => topic.id === ZERO_UUID) ? LAST_VERSION_WITH_NAMES : Infinity;
}

/** What the answer says of one partition; undefined where it leaves it out. */
export function fetchedFor({ position, topic }: Wanted, answer: FetchAnswer): PartitionFetch | undefined {
  for (const each of answer.responses) {
    if (each.topic !== topic.name && (each.topicId !== topic.id || each.topicId === ZERO_UUID)) continue;
    const found = each.partitions.find(({ partitionIndex }) => partitionIndex === position.partition);
    if (found !== undefined) return found;
  }
  return undefined;
}
