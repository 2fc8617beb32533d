/**
 * A topic that is deleted and made again under one name, over and over, while somebody writes to it: what was acknowledged
 * before a deletion must never be found in a later topic. Whatever fails on the way is tried again with the next round.
 */
import { Admin } from '../../../src/client/admin/admin.ts';
import { Cluster as ClientCluster } from '../../../src/client/cluster.ts';
import { PartitionReader } from '../../../src/client/consumer/reader.ts';
import { Producer } from '../../../src/client/producer/producer.ts';
import type { Cluster } from '../harness/cluster.ts';
import { viewOf } from '../harness/cluster-view.ts';

const TOPIC = 'recreated';
const PARTITIONS = 3;
const WRITE_MS = 3000;
const WRITE_PAUSE_MS = 10;
const PAUSE_MS = 500;
const READ_TIMEOUT_MS = 5000;
const GONE_TIMEOUT_MS = 60_000;
const TIMEOUTS = { connectTimeoutMs: 1000, requestTimeoutMs: 5000, operationTimeoutMs: 10_000 };

export class RecreatedTopic {
  /** What should not be. */
  readonly complaints: string[] = [];
  /** How often it was deleted for certain. */
  deletions = 0;
  checked = 0;
  readonly #cluster: Cluster;
  readonly #client: ClientCluster;
  readonly #admin: Admin;
  readonly #producer: Producer;
  readonly #rounds: Promise<void>;
  #nextValue = 0;
  /** Acknowledged since the latest deletion. */
  #acknowledged: number[] = [];
  /** Acknowledged before a deletion that was asked for later. */
  readonly #deleted = new Set<number>();
  /** Of the topic that was made last, where that is certain. */
  #newId: string | undefined;
  #over = false;

  constructor(cluster: Cluster) {
    this.#cluster = cluster;
    this.#client = new ClientCluster({ bootstrapServers: cluster.bootstrap, clientId: TOPIC, ...TIMEOUTS });
    this.#admin = new Admin(this.#client);
    this.#producer = new Producer(this.#client, { deliveryTimeoutMs: 10_000, ackTimeoutMs: 5000, createTopics: false });
    this.#rounds = this.#run();
  }

  async #run(): Promise<void> {
    while (!this.#over) {
      await this.#try(() => this.#create());
      await this.#write();
      await this.#try(() => this.#read());
      await this.#delete();
      await pause(PAUSE_MS);
    }
  }

  async #create(): Promise<void> {
    const topic = { name: TOPIC, partitions: PARTITIONS, replicationFactor: 3 };
    this.#newId = (await this.#admin.createTopic(topic)).id;
  }

  async #try(work: () => Promise<unknown>): Promise<boolean> {
    try {
      await work();
      return true;
    } catch {
      return false;
    }
  }

  async #write(): Promise<void> {
    const until = performance.now() + WRITE_MS;
    while (performance.now() < until && !this.#over) {
      const value = this.#nextValue++;
      this.#producer.send({ topic: TOPIC, partition: value % PARTITIONS, value: String(value) }).then(
        () => this.#acknowledged.push(value),
        // It may be written all the same, here or in the next topic of the name.
        () => undefined,
      );
      await pause(WRITE_PAUSE_MS);
    }
  }

  /** A broker that is cut off may still show the topic from before: only the new one is looked at. */
  async #read(): Promise<void> {
    this.#client.forgetTopic(TOPIC);
    if ((await this.#client.topic(TOPIC)).id !== this.#newId) return;
    const found: string[] = [];
    const signal = AbortSignal.timeout(READ_TIMEOUT_MS);
    const reader = await PartitionReader.open(this.#client, { partitions: [TOPIC], until: 'end', signal });
    for await (const { partition, offset, value } of reader) {
      this.checked++;
      const number = Number(Buffer.from(value ?? ''));
      if (!this.#deleted.has(number)) continue;
      found.push(`${TOPIC}-${partition} has at ${offset} the value ${number} of a topic that was deleted`);
    }
    if (this.#client.knownTopic(TOPIC)?.id === this.#newId) this.complaints.push(...found);
  }

  /** What is acknowledged by now is deleted, if this or a later attempt succeeds; until then nothing is known. */
  async #delete(): Promise<void> {
    const until = this.#acknowledged.length;
    const gone = await this.#try(() => this.#admin.deleteTopic(TOPIC));
    if (!gone) return;
    this.#newId = undefined;
    this.deletions++;
    for (const value of this.#acknowledged.splice(0, until)) this.#deleted.add(value);
  }

  /** Ends with the topic deleted everywhere. */
  async finish(): Promise<void> {
    this.#over = true;
    await this.#rounds;
    await this.#producer.close().catch(() => undefined);
    await this.#cluster.until(`topic ${TOPIC} is gone`, GONE_TIMEOUT_MS, async () => {
      await this.#try(() => this.#admin.deleteTopic(TOPIC));
      const views = await Promise.all(this.#cluster.brokers.map((broker) => viewOf(broker.wire(), TOPIC)));
      return views.every((view) => view?.partitions.length === 0);
    });
    await this.#client.close();
  }
}

function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
