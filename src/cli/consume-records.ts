/** Reads partitions without a group, or as a member of one, and prints the records as fast as the output takes them. */
import { systemClock, type Timer } from '../base/clock.ts';
import { SluiceError } from '../base/errors.ts';
import type { TopicPartition } from '../base/units.ts';
import { Admin } from '../client/admin/admin.ts';
import type { Cluster } from '../client/cluster.ts';
import { Consumer } from '../client/consumer/consumer.ts';
import type { OffsetReset } from '../client/consumer/consumer-options.ts';
import type { ConsumedRecord } from '../client/consumer/fetched-batch.ts';
import { PartitionReader } from '../client/consumer/reader.ts';
import { numberList, pattern, wholeNumber } from './arguments.ts';
import type { ConsumeOptions } from './consume.ts';
import { type OffsetRange, offsetRange, resolveRange } from './offset-range.ts';
import { openCluster } from './open-cluster.ts';
import { onOutputClosed, remark } from './output.ts';
import { recordFilter } from './record-filter.ts';
import { recordFormatter } from './record-format.ts';
import { recordUnpacker } from './record-unpack.ts';
import { RecordWriter } from './record-writer.ts';
import { duration } from './times.ts';

const CLIENT_ID = 'sluice-consume';
/** How often a member looks whether it is at the end. */
const LOOK_MS = 100;

/** Prints a record. False: that is enough. */
type Print = (record: ConsumedRecord) => Promise<boolean> | boolean;

export async function consumeRecords(topics: readonly string[], options: ConsumeOptions): Promise<void> {
  const printer = new Printer(options);
  const partitions = options.partition.flatMap((text) => numberList('--partition', text));
  const range = rangeOf(options);
  const idleMs = options.idle === undefined ? undefined : duration('--idle', options.idle);
  if (options.group !== undefined) refuseWithGroup(options, range);
  const names = options.regex ? topics.map((text) => pattern('--regex', `^(?:${text})$`)) : topics;
  if (printer.max === 0) return;
  await using cluster = await openCluster(options, CLIENT_ID);
  const work = { options, range, partitions, idleMs, printer };
  if (options.group === undefined) await readPartitions(cluster, await namesOf(cluster, names), work);
  else await readAsMember(cluster, await subscriptionOf(names), work);
  await printer.close();
  remark(`${printer.count} record${printer.count === 1 ? '' : 's'}`);
}

interface Work {
  readonly options: ConsumeOptions;
  readonly range: OffsetRange | undefined;
  /** All where there are none. */
  readonly partitions: readonly number[];
  readonly idleMs: number | undefined;
  readonly printer: Printer;
}

function rangeOf(options: ConsumeOptions): OffsetRange | undefined {
  if (options.fromBeginning && options.offset !== undefined) {
    throw new SluiceError('INVALID_ARGUMENT', 'give one of --offset and --from-beginning');
  }
  if (options.fromBeginning) return { from: { at: 'start' }, until: undefined };
  return options.offset === undefined ? undefined : offsetRange(options.offset, systemClock.wallMs());
}

function refuseWithGroup(options: ConsumeOptions, range: OffsetRange | undefined): void {
  if (options.partition.length > 0) {
    throw new SluiceError('INVALID_ARGUMENT', '--partition: a group decides by itself who reads which partition');
  }
  const from = range?.from.at ?? 'end';
  if (range?.until === undefined && (from === 'start' || from === 'end' || from === 'time')) return;
  throw new SluiceError('INVALID_ARGUMENT', `--offset ${options.offset}: a group goes on where it is`, {
    remedy:
      'With --group give start, end or @TIME, for what it never read; sluice groups reset-offsets moves it elsewhere.',
  });
}

async function namesOf(cluster: Cluster, topics: readonly (string | RegExp)[]): Promise<string[]> {
  if (!topics.some((each) => each instanceof RegExp)) return topics as string[];
  const known = await new Admin(cluster).listTopics();
  const matching = known
    .filter(({ internal }) => !internal)
    .map(({ name }) => name)
    .filter((name) => topics.some((regex) => regex instanceof RegExp && regex.test(name)));
  if (matching.length > 0) return matching;
  throw new SluiceError('UNKNOWN_TOPIC_OR_PARTITION', 'no topic matches', { remedy: 'See sluice topics list.' });
}

function subscriptionOf(topics: readonly (string | RegExp)[]): RegExp | readonly string[] {
  const patterns = topics.filter((each) => each instanceof RegExp);
  if (patterns.length === 0) return topics as readonly string[];
  return patterns.length === 1 ? patterns[0]! : new RegExp(patterns.map(({ source }) => source).join('|'), 'u');
}

async function readPartitions(cluster: Cluster, topics: readonly string[], work: Work): Promise<void> {
  const { options, printer, idleMs } = work;
  const places = await placesOf(cluster, topics, work.partitions);
  const range = work.range ?? { from: { at: 'end' }, until: undefined };
  const { isolation, rack } = options;
  const bounds = new Map<string, { readonly from: number; readonly until: number }>();
  for (const each of await resolveRange(new Admin(cluster), places, range, { isolation, stopAtEnd: options.exit })) {
    bounds.set(`${each.topic}/${each.partition}`, each);
  }
  const boundsOf = ({ topic, partition }: TopicPartition) => bounds.get(`${topic}/${partition}`)!;
  await using reader = await PartitionReader.open(cluster, {
    partitions: places,
    from: (place) => ({ offset: boundsOf(place).from }),
    until: (place) => boundsOf(place).until,
    isolation,
    rack,
    whenOutOfRange: 'fail',
  });
  const idle = new IdleTimer(idleMs, () => void reader.close());
  using _ = onEnd(() => void reader.close());
  for await (const batch of reader.batches()) {
    idle.restart();
    for (const record of batch.records()) {
      const more = printer.print(record);
      if (!(typeof more === 'boolean' ? more : await more)) return;
    }
  }
  idle.cancel();
}

async function placesOf(
  cluster: Cluster,
  topics: readonly string[],
  chosen: readonly number[],
): Promise<TopicPartition[]> {
  const places: TopicPartition[] = [];
  for (const topic of new Set(topics)) {
    const { partitions } = await cluster.topic(topic);
    const missing = chosen.find((number) => partitions[number] === undefined);
    if (missing !== undefined) {
      throw new SluiceError('UNKNOWN_TOPIC_OR_PARTITION', `${topic} has no partition ${missing}`, {
        remedy: `It has ${partitions.length}, from 0 on.`,
      });
    }
    const numbers = chosen.length > 0 ? chosen : partitions.map(({ partition }) => partition);
    for (const partition of numbers) places.push({ topic, partition });
  }
  return places;
}

async function readAsMember(cluster: Cluster, topics: RegExp | readonly string[], work: Work): Promise<void> {
  const { options, range, printer, idleMs } = work;
  const consumer = new Consumer(cluster, {
    groupId: options.group,
    groupProtocol: options.groupProtocol,
    groupInstanceId: options.instanceId,
    isolation: options.isolation,
    rack: options.rack,
    autoCommit: options.commit,
    offsetReset: resetOf(range),
  });
  consumer.subscribe(topics);
  const idle = new IdleTimer(idleMs, () => void consumer.close());
  // What is being printed is not done yet.
  let isPrinting = false;
  const leaveAtEnd = (): void => {
    if (!isPrinting && isAtEnd(consumer)) void consumer.close();
  };
  const look = options.exit ? systemClock.every(LOOK_MS, leaveAtEnd) : undefined;
  using _ = onEnd(() => void consumer.close());
  try {
    for await (const record of consumer) {
      idle.restart();
      isPrinting = true;
      const more = printer.print(record);
      const wantsMore = typeof more === 'boolean' ? more : await more;
      isPrinting = false;
      if (wantsMore) continue;
      await printer.flush();
      // A loop that is left says nothing of its last record: this one is done.
      if (options.commit) await consumer.commit();
      break;
    }
  } finally {
    look?.cancel();
    idle.cancel();
    await printer.flush();
    await consumer.close();
  }
}

function isAtEnd(consumer: Consumer): boolean {
  const { assignment } = consumer;
  return assignment.length > 0 && assignment.every((place) => consumer.lag(place) === 0);
}

function resetOf(range: OffsetRange | undefined): OffsetReset {
  const from = range?.from ?? { at: 'end' };
  if (from.at === 'time') return { withinMs: Math.max(0, systemClock.wallMs() - from.time) };
  return from.at === 'start' ? 'earliest' : 'latest';
}

/** Filters, formats, writes and counts. */
class Printer {
  readonly max: number;
  count = 0;
  readonly #format: ReturnType<typeof recordFormatter>;
  readonly #filter: ReturnType<typeof recordFilter>;
  readonly #unpack: ReturnType<typeof recordUnpacker>;
  readonly #writer: RecordWriter;

  constructor(options: ConsumeOptions) {
    this.max = options.max === undefined ? Number.POSITIVE_INFINITY : wholeNumber('--max', options.max);
    this.#format = recordFormatter(options.json ? 'json' : options.format);
    this.#filter = recordFilter(options);
    this.#unpack = recordUnpacker(options.unpack);
    this.#writer = new RecordWriter(options.output);
  }

  readonly print: Print = (stored) => {
    const record = this.#unpack === undefined ? stored : this.#unpack(stored);
    if (this.#filter !== undefined && !this.#filter(record)) return true;
    const room = this.#writer.write(this.#format(record, this.count));
    const more = ++this.count < this.max;
    return room === undefined ? more : room.then(() => more);
  };

  async flush(): Promise<void> {
    await this.#writer.flush();
  }

  close(): Promise<void> {
    return this.#writer.close();
  }
}

/** Calls back when nothing came for so long. */
class IdleTimer {
  readonly #afterMs: number | undefined;
  readonly #onIdle: () => void;
  #timer: Timer | undefined;

  constructor(afterMs: number | undefined, onIdle: () => void) {
    this.#afterMs = afterMs;
    this.#onIdle = onIdle;
    this.restart();
  }

  restart(): void {
    this.#timer?.cancel();
    if (this.#afterMs !== undefined) this.#timer = systemClock.after(this.#afterMs, this.#onIdle);
  }

  cancel(): void {
    this.#timer?.cancel();
  }
}

/** Ends reading in order at Ctrl-C, and when nobody reads the output any more. */
function onEnd(end: () => void): Disposable {
  process.once('SIGINT', end);
  process.once('SIGTERM', end);
  onOutputClosed(end);
  return {
    [Symbol.dispose]: () => {
      process.off('SIGINT', end);
      process.off('SIGTERM', end);
      onOutputClosed(undefined);
    },
  };
}
