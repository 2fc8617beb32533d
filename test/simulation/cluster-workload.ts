/**
 * Clients of a simulated cluster: producers and readers that write down what they did and saw, as a history for the
 * checker of the cluster tests. Values are unique numbers. Owns no faults.
 */
import { messageOf, SluiceError } from '../../src/base/errors.ts';
import type { Random } from '../../src/base/random.ts';
import type { Cluster } from '../../src/client/cluster.ts';
import { PartitionReader } from '../../src/client/consumer/reader.ts';
import { Producer } from '../../src/client/producer/producer.ts';
import type { HistoryLine, Poll } from '../cluster/checker/history.ts';
import type { ClusterWorld } from './cluster-world.ts';
import { GroupCommits } from './group-commits.ts';

export interface WorkTopic {
  readonly name: string;
  partitions: number;
}

interface Writer {
  readonly name: string;
  readonly producer: Producer;
  /** Whether an acknowledgement is a promise. */
  readonly safe: boolean;
}

/** A record that is never delivered must not hold up the end of the run. */
const DELIVERY_TIMEOUT_MS = 15_000;
const ACK_TIMEOUT_MS = 2000;
const LONGEST_BATCH = 6;
/** Begins the values that promise nothing. */
const LOOSE = '~';
const LOOSE_CODE = LOOSE.charCodeAt(0);

export class ClusterWorkload {
  readonly history: HistoryLine[] = [];
  /** Topics that live through the whole run. */
  readonly topics: WorkTopic[] = [];
  readonly commits: GroupCommits;
  acknowledged = 0;
  readonly #world: ClusterWorld;
  readonly #random: Random;
  readonly #writers: Writer[] = [];
  readonly #reader: Cluster;
  #nextValue = 1;
  #readers = 0;
  #underWay = 0;
  #done = false;

  constructor(world: ClusterWorld) {
    this.#world = world;
    this.#random = world.randomFor('workload');
    const timeouts = { deliveryTimeoutMs: DELIVERY_TIMEOUT_MS, ackTimeoutMs: ACK_TIMEOUT_MS, createTopics: false };
    for (const name of ['p1', 'p2']) {
      const producer = new Producer(world.client(name), { acks: 'all', ...timeouts });
      this.#writers.push({ name, producer, safe: true });
    }
    // Its records may get lost, and be there twice: that is what makes logs diverge, and nothing that the checker judges.
    const loose = new Producer(world.client('p3'), { acks: 1, ...timeouts });
    this.#writers.push({ name: 'p3', producer: loose, safe: false });
    this.#reader = world.client('r');
    this.commits = new GroupCommits(world);
  }

  /** Sends without an outcome yet. */
  get underWay(): number {
    return this.#underWay;
  }

  #at(): number {
    return Math.round(this.#world.clock.monotonicMs() * 1000);
  }

  /** Some records of one producer, to one topic. */
  produce(): void {
    const writer = this.#writers[this.#random.below(this.#writers.length)]!;
    const topic = this.topics[this.#random.below(this.topics.length)]!;
    const count = 1 + this.#random.below(LONGEST_BATCH);
    const partition = this.#random.below(topic.partitions);
    for (let index = 0; index < count; index++) this.#send(writer, topic.name, partition);
  }

  /** Some records that are promised to be kept, to one partition of a topic that lives. */
  produceTo(topic: string, partition: number): void {
    if (!this.topics.some(({ name, partitions }) => name === topic && partition < partitions)) return;
    for (const writer of this.#writers) if (writer.safe) this.#send(writer, topic, partition);
  }

  #send({ name, producer, safe }: Writer, topic: string, partition: number): void {
    const value = this.#nextValue++;
    const place = `${topic}/${partition}`;
    if (safe) this.history.push({ type: 'invoke', at: this.#at(), process: name, sends: [[place, null, value]] });
    this.#underWay++;
    const padding = '.'.repeat(this.#random.below(4) === 0 ? this.#random.below(3000) : 0);
    producer.send({ topic, partition, value: `${safe ? '' : LOOSE}${value} ${padding}` }).then(
      ({ offset }) => {
        this.#underWay--;
        if (!safe) return;
        this.acknowledged++;
        const told = offset < 0 ? null : offset;
        this.history.push({ type: 'ok', at: this.#at(), process: name, sends: [[place, told, value]] });
      },
      (error: unknown) => {
        this.#underWay--;
        if (!(error instanceof SluiceError)) throw error;
        this.#world.trace.note(name, `send of ${value} failed: ${messageOf(error)}`);
      },
    );
  }

  /** Reads all topics as they grow, until `finish`. */
  startReading(): void {
    void this.#readOn().catch((error: unknown) => {
      this.#world.unhandled.push(error);
    });
  }

  async #readOn(): Promise<void> {
    while (!this.#done) {
      const process = `r${++this.#readers}`;
      try {
        const partitions = this.topics.map(({ name }) => name);
        const reader = await PartitionReader.open(this.#reader, { partitions, maxWaitMs: 200 });
        const places = reader.progress().map(({ topic, partition }) => `${topic}/${partition}`);
        this.history.push({ type: 'assign', at: this.#at(), process, partitions: places });
        for await (const batch of reader.batches()) {
          const { topic, partition } = batch;
          const polls: Poll[] = [...batch.records()]
            .filter(({ value }) => value?.[0] !== LOOSE_CODE)
            .map(({ offset, value }) => [`${topic}/${partition}`, offset, numberIn(value)]);
          this.history.push({ type: 'ok', at: this.#at(), process, polls });
          if (this.#done) break;
        }
      } catch (error) {
        if (!(error instanceof SluiceError)) throw error;
        this.#world.trace.note(process, `reading ended: ${messageOf(error)}`);
        await new Promise<void>((resolve) => this.#world.clock.after(200, resolve));
      }
    }
  }

  /** Reads everything once more from the start to the end, and ends what still reads. */
  async readAll(): Promise<void> {
    this.#done = true;
    const process = 'fresh';
    const reader = await PartitionReader.open(this.#reader, {
      partitions: this.topics.map(({ name }) => name),
      until: 'end',
      maxWaitMs: 100,
    });
    const places = reader.progress().map(({ topic, partition }) => `${topic}/${partition}`);
    this.history.push({ type: 'assign', at: this.#at(), process, partitions: places });
    for await (const { topic, partition, offset, value } of reader) {
      if (value?.[0] === LOOSE_CODE) continue;
      this.history.push({
        type: 'ok',
        at: this.#at(),
        process,
        polls: [[`${topic}/${partition}`, offset, numberIn(value)]],
      });
    }
    this.history.push({ type: 'fresh', at: this.#at(), process, partitions: places });
  }
}

function numberIn(value: Uint8Array | null): number {
  return Number.parseInt(Buffer.from(value ?? '').toString('latin1'), 10);
}
