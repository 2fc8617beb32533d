/** `sluice topics offsets` and `producers`: what the leaders of partitions say. */
import { systemClock } from '../base/clock.ts';
import { SluiceError } from '../base/errors.ts';
import type { TopicPartition } from '../base/units.ts';
import { Admin } from '../client/admin/admin.ts';
import type { Cluster } from '../client/cluster.ts';
import { numberList } from './arguments.ts';
import { offsetRange, resolveRange } from './offset-range.ts';
import { openCluster } from './open-cluster.ts';
import { fail, printRows, type Row } from './output.ts';
import type { OffsetsOptions, TopicsOptions } from './topics.ts';

const CLIENT_ID = 'sluice-topics';
const OFFSET_COLUMNS = ['topic', 'partition', 'offset', 'timestamp'];
const PRODUCER_COLUMNS = [
  ...['topic', 'partition', 'producerId', 'producerEpoch', 'lastSequence', 'lastTimestamp'],
  ...['coordinatorEpoch', 'transactionStart'],
];

export async function showOffsets(names: readonly string[], options: OffsetsOptions): Promise<void> {
  const at = placeOf(options.at);
  const chosen = options.partition.flatMap((text) => numberList('--partition', text));
  await using cluster = await openCluster(options, CLIENT_ID);
  const admin = new Admin(cluster);
  const places = await placesOf(cluster, names, { chosen, internal: options.internal });
  printRows(await rowsAt(admin, places, at), { json: options.json, columns: OFFSET_COLUMNS });
}

type Question = 'earliest' | 'latest' | 'max-timestamp' | number | { readonly range: ReturnType<typeof offsetRange> };

function placeOf(text: string): Question {
  if (text === 'max-timestamp') return text;
  const range = offsetRange(text, systemClock.wallMs());
  if (range.until !== undefined) {
    throw new SluiceError('INVALID_ARGUMENT', `--at ${text}: give one place, not a range`);
  }
  const { from } = range;
  if (from.at === 'time') return from.time;
  return from.at === 'start' ? 'earliest' : from.at === 'end' ? 'latest' : { range };
}

async function rowsAt(admin: Admin, places: readonly TopicPartition[], at: Question): Promise<Row[]> {
  if (typeof at === 'object') {
    const options = { isolation: 'read_uncommitted', stopAtEnd: false } as const;
    const resolved = await resolveRange(admin, places, at.range, options);
    return resolved.map(({ topic, partition, from: offset }) => ({ topic, partition, offset, timestamp: null }));
  }
  const answers = await admin.listOffsets(places.map(({ topic, partition }) => ({ topic, partition, at })));
  return answers.map(({ topic, partition, offset, timestamp }) => ({
    ...{ topic, partition },
    // No record is that young, or there is none.
    offset: offset < 0 ? null : offset,
    timestamp: timestamp < 0 ? null : timestamp,
  }));
}

/** The chosen partitions of the named topics, or of all. */
export async function placesOf(
  cluster: Cluster,
  names: readonly string[],
  { chosen, internal }: { readonly chosen: readonly number[]; readonly internal: boolean },
): Promise<TopicPartition[]> {
  const topics =
    names.length > 0
      ? await Promise.all([...new Set(names)].map((name) => cluster.topic(name)))
      : (await new Admin(cluster).listTopics()).filter((topic) => internal || !topic.internal);
  const places = topics.flatMap(({ name: topic, partitions }) =>
    partitions
      .filter(({ partition }) => chosen.length === 0 || chosen.includes(partition))
      .map(({ partition }) => ({ topic, partition })),
  );
  const missing = chosen.find((number) => !places.some(({ partition }) => partition === number));
  if (missing === undefined) return places;
  throw new SluiceError('UNKNOWN_TOPIC_OR_PARTITION', `there is no partition ${missing}`);
}

export async function showProducers(names: readonly string[], options: TopicsOptions): Promise<void> {
  await using cluster = await openCluster(options, CLIENT_ID);
  const places = await placesOf(cluster, names, { chosen: [], internal: true });
  const outcomes = await new Admin(cluster).describeProducers(places);
  const rows = outcomes.flatMap((outcome) => {
    if (!outcome.ok) return [];
    const { topic, partition, producers } = outcome;
    return producers.map(({ transactionStart, ...producer }): Row => {
      return { topic, partition, ...producer, transactionStart: transactionStart < 0 ? null : transactionStart };
    });
  });
  printRows(rows, { json: options.json, columns: PRODUCER_COLUMNS });
  for (const outcome of outcomes) if (!outcome.ok) fail(outcome.error);
}
