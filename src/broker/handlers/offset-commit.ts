/** OffsetCommit (8), versions 2-10: topics by name, from version 10 on by id. Offsets of what is not there are refused. */
import { ZERO_UUID } from '../../base/uuid.ts';
import type { MetadataImage } from '../../metadata/image.ts';
import {
  type OffsetCommitRequest,
  type OffsetCommitResponse,
  offsetCommit,
} from '../../protocol/apis/offset-commit.ts';
import { type ErrorCode as Code, ErrorCode } from '../../protocol/error-codes.ts';
import { handler } from '../handler.ts';
import type { BrokerServices } from '../services.ts';

type Topic = OffsetCommitRequest['topics'][number];
type TopicAnswer = OffsetCommitResponse['topics'][number];

const BY_TOPIC_ID_SINCE = 10;

export const handleOffsetCommit = (services: BrokerServices) =>
  handler(offsetCommit, async (request, context): Promise<OffsetCommitResponse> => {
    const image = services.quorum.image();
    const byId = context.header.apiVersion >= BY_TOPIC_ID_SINCE;
    const refused: TopicAnswer[] = [];
    const accepted: Topic[] = [];
    for (const topic of request.topics) sort(image, named(image, topic, byId), { byId, refused, accepted });
    if (accepted.length === 0) return { topics: refused };
    const answer = await services.groups.commitOffsets({ ...request, topics: accepted }, context.header.apiVersion);
    return { topics: merged(refused, answer.topics) };
  });

function named(image: MetadataImage, topic: Topic, byId: boolean): Topic {
  if (byId) return { ...topic, name: image.topics.byId.get(topic.topicId)?.name ?? '' };
  return { ...topic, topicId: image.topics.byName.get(topic.name)?.id ?? ZERO_UUID };
}

function sort(
  image: MetadataImage,
  topic: Topic,
  { byId, refused, accepted }: { readonly byId: boolean; readonly refused: TopicAnswer[]; readonly accepted: Topic[] },
): void {
  const { name, topicId } = topic;
  if (byId && name === '') {
    refused.push(refusal(topic, topic.partitions, ErrorCode.UNKNOWN_TOPIC_ID));
    return;
  }
  const known = topicId === ZERO_UUID ? [] : (image.topics.byName.get(name)?.partitions ?? []);
  const unknown = topic.partitions.filter(({ partitionIndex }) => known[partitionIndex] === undefined);
  if (unknown.length > 0) refused.push(refusal(topic, unknown, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION));
  const there = topic.partitions.filter(({ partitionIndex }) => known[partitionIndex] !== undefined);
  if (there.length > 0) accepted.push({ ...topic, partitions: there });
}

function refusal({ name, topicId }: Topic, partitions: Topic['partitions'], errorCode: Code): TopicAnswer {
  return { name, topicId, partitions: partitions.map(({ partitionIndex }) => ({ partitionIndex, errorCode })) };
}

/** A topic of which some partitions were refused stands once in the answer. */
function merged(refused: readonly TopicAnswer[], answered: readonly TopicAnswer[]): TopicAnswer[] {
  const topics = new Map(refused.map((topic) => [topic.name, topic]));
  const rest: TopicAnswer[] = [];
  for (const topic of answered) {
    const known = topics.get(topic.name);
    if (known === undefined) rest.push(topic);
    else topics.set(topic.name, { ...known, partitions: [...known.partitions, ...topic.partitions] });
  }
  return [...refused.map((topic) => topics.get(topic.name) ?? topic), ...rest];
}
