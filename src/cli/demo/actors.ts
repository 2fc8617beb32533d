/** Who plays in the show: a producer that never stops, and readers that are members of groups, each on connections of its own. */
import { readChunks, readLines } from '../../base/byte-source.ts';
import { systemClock } from '../../base/clock.ts';
import { SluiceError } from '../../base/errors.ts';
import { partitionName } from '../../base/units.ts';
import { Cluster } from '../../client/cluster.ts';
import { Consumer } from '../../client/consumer/consumer.ts';
import type { ConsumedRecord } from '../../client/consumer/fetched-batch.ts';
import { Producer } from '../../client/producer/producer.ts';
import { Pace } from '../perf/pace.ts';
import { TOPIC } from './stream-file.ts';

const MOST_LINES_KEPT = 20_000;
/** Work is done in pieces of so many records: a pause for each one would be shorter than a timer can be. */
const RECORDS_A_PIECE = 20;
/** What timers that come late, as on a busy machine, took from a reader it may make up for, up to this. */
const MOST_MADE_UP_MS = 300;
const SESSION_MS = 3000;

export async function linesOf(file: string): Promise<Buffer[]> {
  const kept: Buffer[] = [];
  for await (const lines of readLines(readChunks(file))) {
    // A line is a view of its chunk, which would be kept whole.
    for (const line of lines) kept.push(Buffer.from(line));
    if (kept.length >= MOST_LINES_KEPT) break;
  }
  return kept.length === 0 ? [Buffer.from('the file is empty')] : kept;
}

/** Sends the lines again and again, so many a second. */
export class LineProducer {
  sent = 0;
  readonly #cluster: Cluster;
  readonly #lines: readonly Buffer[];
  #isOver = false;
  #ended: Promise<void> = Promise.resolve();

  constructor(addresses: string, lines: readonly Buffer[]) {
    this.#cluster = new Cluster({ bootstrapServers: addresses, clientId: 'producer' });
    this.#lines = lines;
  }

  start(perSecond: number): void {
    this.#ended = this.#run(perSecond);
    this.#ended.catch(() => undefined);
  }

  async #run(perSecond: number): Promise<void> {
    await using producer = new Producer(this.#cluster, { partitioner: 'round-robin', compression: 'lz4' });
    const pace = new Pace(systemClock, perSecond);
    for (let index = 0; !this.#isOver; index++) {
      await pace.wait(index);
      if (!producer.write({ topic: TOPIC, value: this.#lines[index % this.#lines.length]! })) await producer.drained();
      this.sent++;
    }
    await producer.flush();
  }

  get isRunning(): boolean {
    return !this.#isOver && this.sent > 0;
  }

  /** Resolves when all that was sent is acknowledged. */
  async stop(): Promise<void> {
    this.#isOver = true;
    await this.#ended;
    await this.#cluster.close();
  }
}

export interface ReaderPart {
  readonly addresses: string;
  readonly group: string;
  readonly name: string;
  /** Records a second that this reader gets done; Infinity: as fast as they come. */
  readonly perSecond: number;
  readonly onRecord: (record: ConsumedRecord) => void;
  readonly onFailure: (error: unknown) => void;
}

export class GroupReader {
  readonly name: string;
  readonly group: string;
  done = 0;
  readonly #part: ReaderPart;
  readonly #cluster: Cluster;
  readonly #consumer: Consumer;
  #isKilled = false;
  readonly #ended: Promise<void>;

  /** Joins at once. */
  constructor(part: ReaderPart) {
    this.#part = part;
    this.name = part.name;
    this.group = part.group;
    this.#cluster = new Cluster({ bootstrapServers: part.addresses, clientId: part.name });
    this.#consumer = new Consumer(this.#cluster, {
      groupId: part.group,
      sessionTimeoutMs: SESSION_MS,
      heartbeatIntervalMs: 500,
      autoCommitIntervalMs: 1000,
      offsetReset: 'latest',
    });
    this.#consumer.subscribe(TOPIC);
    this.#ended = this.#run().catch((error: unknown) => {
      if (!this.#isKilled) part.onFailure(error);
    });
  }

  /** Partitions that it has now. */
  get partitions(): number {
    return this.#consumer.assignment.length;
  }

  async #run(): Promise<void> {
    const { perSecond, onRecord } = this.#part;
    const pieceMs = (RECORDS_A_PIECE / perSecond) * 1000;
    let nextMs = 0;
    for await (const record of this.#consumer) {
      onRecord(record);
      if (++this.done % RECORDS_A_PIECE !== 0 || pieceMs === 0) continue;
      const nowMs = systemClock.monotonicMs();
      nextMs = Math.max(nextMs, nowMs - MOST_MADE_UP_MS) + pieceMs;
      if (nextMs <= nowMs) continue;
      await new Promise<void>((resolve) => systemClock.after(nextMs - nowMs, resolve, { holdsProcess: true }));
    }
  }

  /** Leaves the group in order, with everything committed. */
  async leave(): Promise<void> {
    await this.#consumer.close();
    await this.#ended;
    await this.#cluster.close();
  }

  /** As kill -9 would: connections are gone, nobody was told, nothing more is committed. */
  async kill(): Promise<void> {
    this.#isKilled = true;
    await this.#cluster.close();
    void this.#consumer.close({ leave: false }).catch(() => undefined);
  }
}

/** Which records a group got, and how often: a queue shall miss none. */
export class Tally {
  readonly #seen = new Set<string>();
  total = 0;

  readonly add = ({ topic, partition, offset }: ConsumedRecord): void => {
    this.total++;
    this.#seen.add(`${partitionName(topic, partition)}@${offset}`);
  };

  get different(): number {
    return this.#seen.size;
  }

  /** Throws a SluiceError DEMO_FAILED. */
  mustHave(count: number, group: string): void {
    if (this.different === count) return;
    throw new SluiceError('DEMO_FAILED', `group ${group} got ${this.different} of ${count} lines`);
  }
}
