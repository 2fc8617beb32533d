/**
 * Where Sluice answers otherwise than Apache Kafka 4.3 on purpose, and why. A difference that no line here covers fails
 * the suite; so does a line that covers nothing any more.
 */
import type { Found } from './pair.ts';

export interface KnownDifference {
  readonly why: string;
  /** All that are given must match. */
  readonly question?: RegExp;
  readonly path?: RegExp;
  readonly kafka?: RegExp;
  readonly sluice?: RegExp;
}

export const KNOWN_DIFFERENCES: readonly KnownDifference[] = [
  {
    why: 'features are told as they work here: no level of what is not served, metadata.version at its one level',
    path: /^(supported|finalized)Features\[/,
  },
  {
    why: 'Sluice says in words what is wrong where Kafka gives a code alone',
    path: /errorMessage$/,
    kafka: /^(null|"")$/,
    sluice: /^"<words>"$/,
  },
  {
    why: 'Kafka runs into an exception of its own (UNKNOWN_SERVER_ERROR); Sluice names the fault',
    path: /errorCode$/,
    kafka: /^-1$/,
    sluice: /^(17|42|76|87)$/,
  },
  {
    why: 'Kafka never answers, and the client waits until its timeout; Sluice refuses',
    question: /^(a resource twice|unknown operation|null records|acks 0, null records)/,
    kafka: /^"silent"$/,
  },
  {
    why: 'what follows from that exception: nothing else is told',
    question: /^an empty name: DescribeTopicPartitions/,
    path: /topicAuthorizedOperations$/,
  },
  // Topics
  {
    why: 'Kafka tells "unknown topic" while it tries to create one that cannot be; Sluice tells at once that it cannot be',
    question: /^a name that cannot be/,
    kafka: /^3$/,
    sluice: /^(17|42)$/,
  },
  {
    why: 'Kafka lets two new topics of one request have one metric name, which it refuses against existing topics',
    question: /^collision within/,
  },
  // Configs
  {
    why: 'options of what is not served (share and streams groups, tiered storage, Kerberos, OAuth), of Sluice, or of older Kafkas',
    question: /^this broker/,
    path: /configs\[[^\]]+\]$/,
    kafka: /^absent$|"(group\.(share|streams)|remote|share|sasl|errors|follower\.fetch|log\.dir)\./,
  },
  {
    why: 'listeners change by a restart only',
    question: /^this broker/,
    path: /configs\[(listener\.security\.protocol\.map|listeners)\]\.readOnly$/,
  },
  {
    why: 'a resource is described once a request, so that a small request cannot make an answer of any size',
    question: /^twice: DescribeConfigs/,
    path: /^results\[1\]/,
  },
  { why: 'node.id has a default here', path: /configs\[node\.id\]\.synonyms/, kafka: /^absent$/ },
  {
    why: 'Kafka stores any name as a broker config, for plug-ins; Sluice has none and refuses typing errors',
    question: /^(unknown|a topic option) for/,
    path: /errorCode$/,
  },
  {
    why: 'groups and client metrics are not served, so they have no configs to describe',
    question: /^(client metrics|a group): DescribeConfigs/,
  },
  // Produce
  {
    why: 'Kafka stores the first batch and drops the bytes after it; Sluice refuses what is not one whole batch',
    question: /^(trailing bytes|a trailing half)/,
  },
  {
    why: 'Kafka stores attribute bits that have no meaning in a producer batch, one of which turns its base timestamp into a delete horizon',
    question: /^(a delete horizon|an unused bit|all high bits)/,
  },
  {
    why: 'Kafka remembers an idempotent producer without an epoch, or with a negative id, whose next batch it then misjudges',
    question: /^producer (without epoch|-2)/,
  },
  {
    why: 'Kafka ignores that a producer claims append time on a topic that has none, and refuses it record by record on one that has',
    question: /^append time( set)?[:,]/,
  },
  {
    why: 'Sluice does not look into the records of a batch whose checksum is right, unless its topic asks about records',
    question:
      /^(count and delta 1 of 3|gzip in name only|zstd in name only|\d declared of 3 records|max timestamp (below|-1))/,
  },
  { why: 'where the log starts is not told of a codec nobody knows', question: /^codec [57]/, path: /logStartOffset$/ },
  {
    why: 'Kafka keeps the last of the batches that one request has for a partition and drops the others; Sluice appends them in order',
    question: /^(a partition twice|a topic twice): Produce/,
  },
  {
    why: 'transactions are not served: a fatal error ends the wait that a retriable one would prolong',
    question: /^(transactional|id .* transactional|a transactional batch in a transaction)[:,]/,
  },
  // Groups
  {
    why: 'there is no coordinator of transactions: a fatal error ends the wait that a retriable one would prolong',
    question: /^key type 1: FindCoordinator/,
    // Kafka has none at first, while it makes the topic, and itself a moment later.
    path: /(errorCode|nodeId|host|port)$/,
  },
  // Fetch and ListOffsets
  {
    why: 'Kafka fails on an isolation level nobody has, Sluice takes it for read_uncommitted',
    question: /^another isolation level/,
  },
  { why: 'Kafka fails on a negative limit of bytes, Sluice takes it for 0', question: /^at most -1/ },
  {
    why: 'Kafka finds the first record for the largest of no timestamps; Sluice finds none',
    question: /^timestamp -3/,
    path: /partitions\[1\]\.(offset|leaderEpoch)$/,
  },
  {
    why: 'Kafka finds the record with the largest timestamp below the start of the log, where nobody can read it',
    question: /^afterwards, -3/,
  },
  { why: 'Kafka finds an end for negative epochs, which no leader had', question: /^epochs(-empty)?: epoch -3/ },
];

export function knownDifference(found: Found): KnownDifference | undefined {
  return KNOWN_DIFFERENCES.find(
    ({ question, path, kafka, sluice }) =>
      (question?.test(found.question) ?? true) &&
      (path?.test(found.path) ?? true) &&
      (kafka?.test(found.kafka) ?? true) &&
      (sluice?.test(found.sluice) ?? true),
  );
}
