/** A fetch request's body from what a session says, and its answer back to the positions. */
import { type Uuid, ZERO_UUID } from '../../base/uuid.ts';
import type { fetch } from '../../protocol/apis/fetch.ts';
import type { RequestBody, ResponseBody } from '../api-types.ts';
import { ISOLATION_LEVELS } from '../list-offsets.ts';
import type { TopicView } from '../metadata-cache.ts';
import type { SessionFields } from './fetch-session.ts';
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

export function fetchBody(session: SessionFields, options: FetchOptions): FetchBody {
  return {
    ...session,
    maxWaitMs: options.maxWaitMs,
    minBytes: options.minBytes,
    maxBytes: options.maxBytes,
    isolationLevel: ISOLATION_LEVELS[options.isolation],
    rackId: options.rack,
  };
}

export function mostFetchVersion(wanted: readonly Wanted[]): number {
  return wanted.some(({ topic }) => topic.id === ZERO_UUID) ? LAST_VERSION_WITH_NAMES : Infinity;
}

/** What an answer says, by partition. Partitions without news are left out of it. */
export class FetchAnswerIndex {
  readonly #byName = new Map<string, Map<number, PartitionFetch>>();
  readonly #byId = new Map<Uuid, Map<number, PartitionFetch>>();

  constructor(answer: FetchAnswer) {
    for (const { topic, topicId, partitions } of answer.responses) {
      const [index, key] = topicId === ZERO_UUID ? [this.#byName, topic] : [this.#byId, topicId];
      let found = index.get(key);
      if (found === undefined) {
        found = new Map();
        index.set(key, found);
      }
      // A topic may come up several times: a broker answers in the order in which partitions had their turn.
      for (const each of partitions) found.set(each.partitionIndex, each);
    }
  }

  get({ position, topic }: Wanted): PartitionFetch | undefined {
    const partitions = this.#byId.get(topic.id) ?? this.#byName.get(topic.name);
    return partitions?.get(position.partition);
  }
}
