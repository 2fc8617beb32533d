/** What a topic may be called (Kafka's Topic.validate), and which topics the brokers keep for themselves. */

const MAX_NAME_LENGTH = 249;
/** The metadata log's own name, which no topic may have. */
export const METADATA_TOPIC_NAME = '__cluster_metadata';
const INTERNAL_TOPICS: ReadonlySet<string> = new Set([
  '__consumer_offsets',
  '__transaction_state',
  '__share_group_state',
]);

/** Why a name cannot be a topic's, in words; undefined where it can. */
export function topicNameProblem(name: string): string | undefined {
  if (name === '') return 'Topic name is invalid: the empty string is not allowed';
  if (name === '.' || name === '..') return `Topic name is invalid: '${name}' is not allowed`;
  if (name.length > MAX_NAME_LENGTH) return `Topic name is invalid: it is longer than ${MAX_NAME_LENGTH} characters`;
  if (/^[a-zA-Z0-9._-]+$/.test(name)) return undefined;
  return `Topic name is invalid: '${name}' has characters other than ASCII letters, digits, '.', '_' and '-'`;
}

/** Whether brokers write the topic themselves (offsets, transactions). */
export function isInternalTopic(name: string): boolean {
  return INTERNAL_TOPICS.has(name);
}
