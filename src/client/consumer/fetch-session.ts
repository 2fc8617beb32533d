/**
 * A fetch session with one broker (KIP-227): the broker remembers the partitions, so that a request names only what is
 * new about them, and an answer only those with news. Knows no socket.
 */
import { partitionName } from '../../base/units.ts';
import { type Uuid, ZERO_UUID } from '../../base/uuid.ts';
import { ErrorCode } from '../../protocol/error-codes.ts';
import type { FetchBody, Wanted } from './fetch-request.ts';

type Partition = FetchBody['topics'][number]['partitions'][number];

interface Remembered {
  readonly topic: string;
  readonly topicId: Uuid;
  readonly partition: number;
  readonly fields: Partition;
}

export type SessionFields = Pick<FetchBody, 'sessionId' | 'sessionEpoch' | 'topics' | 'forgottenTopicsData'>;

const NEW_SESSION = 0;
const FINAL_EPOCH = -1;
const LARGEST_EPOCH = 2 ** 31 - 1;

export class FetchSession {
  #id = 0;
  #epoch = NEW_SESSION;
  #byIds = true;
  #remembered: ReadonlyMap<string, Remembered> = new Map();

  /** What a request for these partitions says, and no others; they are taken for remembered from then on. */
  request(wanted: readonly Wanted[], partitionMaxBytes: number): SessionFields {
    const byIds = wanted.every(({ topic }) => topic.id !== ZERO_UUID);
    // A session speaks of topics by name or by id throughout.
    if (byIds !== this.#byIds) this.#startAnew();
    this.#byIds = byIds;
    const next = new Map(wanted.map((each) => [nameOf(each), remember(each, partitionMaxBytes)]));
    const before = this.#epoch === NEW_SESSION ? new Map<string, Remembered>() : this.#remembered;
    const changed = [...next].filter(([name, each]) => !isSame(before.get(name), each)).map(([, each]) => each);
    const forgotten = [...before].filter(([name, each]) => next.get(name)?.topicId !== each.topicId);
    this.#remembered = next;
    return {
      sessionId: this.#id,
      sessionEpoch: this.#epoch,
      topics: byTopic(changed, ({ fields }) => fields),
      forgottenTopicsData: byTopic(
        forgotten.map(([, each]) => each),
        ({ partition }) => partition,
      ),
    };
  }

  /** Takes in the answer's session. True where the broker refused the session: the next request opens another one. */
  answered({ errorCode, sessionId }: { readonly errorCode: number; readonly sessionId: number }): boolean {
    if (errorCode === ErrorCode.NONE) {
      this.#id = sessionId;
      this.#epoch = sessionId === 0 ? NEW_SESSION : this.#epoch === LARGEST_EPOCH ? 1 : this.#epoch + 1;
      return false;
    }
    this.failed();
    if (errorCode === ErrorCode.FETCH_SESSION_ID_NOT_FOUND) this.#id = 0;
    return (
      errorCode === ErrorCode.FETCH_SESSION_ID_NOT_FOUND ||
      errorCode === ErrorCode.INVALID_FETCH_SESSION_EPOCH ||
      errorCode === ErrorCode.FETCH_SESSION_TOPIC_ID_ERROR
    );
  }

  /** There was no answer, so nobody knows what the broker remembers: the next request replaces the session. */
  failed(): void {
    this.#epoch = NEW_SESSION;
  }

  /** What lets the broker forget the session; undefined where there is none. */
  end(): SessionFields | undefined {
    const sessionId = this.#id;
    this.#id = 0;
    this.#startAnew();
    if (sessionId === 0) return undefined;
    return { sessionId, sessionEpoch: FINAL_EPOCH, topics: [], forgottenTopicsData: [] };
  }

  #startAnew(): void {
    this.#epoch = NEW_SESSION;
    this.#remembered = new Map();
  }
}

function nameOf({ position }: Wanted): string {
  return partitionName(position.topic, position.partition);
}

function remember({ position, topic }: Wanted, partitionMaxBytes: number): Remembered {
  const fields = {
    partition: position.partition,
    currentLeaderEpoch: topic.partitions[position.partition]!.leaderEpoch,
    fetchOffset: position.next,
    partitionMaxBytes,
  };
  return { topic: topic.name, topicId: topic.id, partition: position.partition, fields };
}

function isSame(left: Remembered | undefined, right: Remembered): boolean {
  return (
    left !== undefined &&
    left.topicId === right.topicId &&
    left.fields.fetchOffset === right.fields.fetchOffset &&
    left.fields.currentLeaderEpoch === right.fields.currentLeaderEpoch
  );
}

function byTopic<P>(entries: readonly Remembered[], partition: (entry: Remembered) => P) {
  const topics = new Map<Uuid, { topic: string; topicId: Uuid; partitions: P[] }>();
  for (const entry of entries) {
    const key = `${entry.topicId}/${entry.topic}`;
    let topic = topics.get(key);
    if (topic === undefined) {
      topic = { topic: entry.topic, topicId: entry.topicId, partitions: [] };
      topics.set(key, topic);
    }
    topic.partitions.push(partition(entry));
  }
  return [...topics.values()];
}
