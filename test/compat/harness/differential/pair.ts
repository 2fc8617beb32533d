/**
 * Apache Kafka and Sluice side by side: sends both the same request, compares what they answer field by field after
 * normalisation, and collects the differences. The table of deliberate ones is in known-differences.ts.
 */
import { ZERO_UUID } from '../../../../src/base/uuid.ts';
import { type EmbeddedBroker, startBroker } from '../../../../src/index.ts';
import { createTopics } from '../../../../src/protocol/apis/create-topics.ts';
import { listOffsets } from '../../../../src/protocol/apis/list-offsets.ts';
import { metadata } from '../../../../src/protocol/apis/metadata.ts';
import type { Api } from '../../../../src/protocol/schema.ts';
import { type Answer, type Body, Wire } from '../../../support/wire.ts';
import { startApacheKafka } from '../apache-kafka.ts';
import type { RunningBroker } from '../broker-process.ts';
import type { BatchView } from './batches.ts';
import { type Comparable, compare, type Difference } from './compare.ts';
import { Normaliser } from './normalise.ts';

export interface Side {
  readonly name: 'kafka' | 'sluice';
  readonly wire: Wire;
  readonly normaliser: Normaliser;
  /** Topic ids by name, as far as replies told them. */
  readonly topicIds: Map<string, string>;
}

/** The same request for both sides, or one that names what only that side knows (a topic id, a session). */
export type BodyOf = Body | ((side: Side) => Body);

export interface AskOptions {
  readonly timeoutMs?: number;
  /** What of a reply is compared; all of it where left out. */
  readonly pick?: (body: Body) => unknown;
  /** How record batches in the reply are compared; byte for byte where left out. */
  readonly batches?: BatchView;
}

export interface Answers {
  readonly kafka: Answer;
  readonly sluice: Answer;
}

export interface Found extends Difference {
  readonly question: string;
}

export interface TopicSpec {
  readonly name: string;
  readonly partitions?: number;
  readonly configs?: Readonly<Record<string, string>>;
}

/** Options that both run with; the rest are defaults on purpose. */
const SETTINGS: Readonly<Record<string, string>> = {
  'node.id': '1',
  // Only the first member of a group would wait, which proves nothing.
  'group.initial.rebalance.delay.ms': '0',
};
const ANSWER_TIMEOUT_MS = 10_000;
/** What was decided by the controller reaches Kafka's broker a little later. */
const SETTLE_TIMEOUT_MS = 10_000;
const POLL_MS = 10;

export class Pair {
  readonly kafka: Side;
  readonly sluice: Side;
  readonly found: Found[] = [];
  /** Answers that were compared: a scenario that asks nothing proves nothing. */
  compared = 0;
  readonly #brokers: { readonly kafka: RunningBroker; readonly sluice: EmbeddedBroker };

  private constructor(kafka: RunningBroker, sluice: EmbeddedBroker) {
    this.#brokers = { kafka, sluice };
    this.kafka = sideOf('kafka', kafka.port);
    this.sluice = sideOf('sluice', sluice.port);
  }

  static async start(classPath: string): Promise<Pair> {
    const kafka = await startApacheKafka({ classPath, settings: SETTINGS });
    try {
      return new Pair(kafka, await startBroker({ host: '127.0.0.1', config: SETTINGS }));
    } catch (error) {
      await kafka.remove();
      throw error;
    }
  }

  get sides(): readonly Side[] {
    return [this.kafka, this.sluice];
  }

  /** Asks both and compares. `what` names the question within the scenario. */
  async ask(what: string, api: Api, version: number, body: BodyOf, options: AskOptions = {}): Promise<Answers> {
    const answers = await this.askOnly(api, version, body, options.timeoutMs);
    const { pick = (whole: Body) => whole } = options;
    const of = (side: Side, answer: Answer): Comparable => {
      side.normaliser.batches = options.batches ?? 'bytes';
      return answer.kind === 'reply' ? side.normaliser.normalise(pick(answer.body)) : answer.kind;
    };
    this.compareValues(
      `${what}: ${api.name} v${version}`,
      of(this.kafka, answers.kafka),
      of(this.sluice, answers.sluice),
    );
    return answers;
  }

  /** As `ask`, at every served version, one after the other. */
  async askAll(
    what: string,
    api: Api,
    body: Body | ((side: Side, version: number) => Body),
    options: AskOptions & { readonly from?: number } = {},
  ): Promise<void> {
    for (let version = options.from ?? api.request.versions.from; version <= api.request.versions.to; version++) {
      await this.ask(what, api, version, (side) => (typeof body === 'function' ? body(side, version) : body), options);
    }
  }

  /** Asks both without a comparison: to set a stage. */
  async askOnly(api: Api, version: number, body: BodyOf, timeoutMs = ANSWER_TIMEOUT_MS): Promise<Answers> {
    const one = async (side: Side): Promise<Answer> => {
      const answer = await side.wire.ask(api, version, typeof body === 'function' ? body(side) : body, timeoutMs);
      if (answer.kind === 'reply') learnTopicIds(answer.body, side.topicIds);
      return answer;
    };
    const [kafka, sluice] = await Promise.all([one(this.kafka), one(this.sluice)]);
    return { kafka, sluice };
  }

  /** Sends both the same bytes and compares what `read` makes of whatever comes back. */
  async askBytes(what: string, frame: Buffer, read: (frame: Buffer) => Comparable, timeoutMs = ANSWER_TIMEOUT_MS) {
    const one = async (side: Side): Promise<Comparable> => {
      await side.wire.write(frame);
      const answer = await side.wire.read(timeoutMs);
      return answer.kind === 'frame' ? read(answer.frame) : answer.kind;
    };
    const [kafka, sluice] = await Promise.all([one(this.kafka), one(this.sluice)]);
    this.compareValues(what, kafka, sluice);
  }

  compareValues(question: string, kafka: Comparable, sluice: Comparable): void {
    this.compared++;
    for (const difference of compare(kafka, sluice)) {
      this.found.push({ ...difference, question });
    }
  }

  /** Creates topics on both and waits until they can be used. */
  async createTopics(...topics: readonly TopicSpec[]): Promise<void> {
    const made = topics.map(({ name, partitions, configs }) => ({
      name,
      numPartitions: partitions ?? 1,
      replicationFactor: 1,
      assignments: [],
      configs: Object.entries(configs ?? {}).map(([key, value]) => ({ name: key, value })),
    }));
    const answers = await this.askOnly(createTopics, 7, { topics: made, timeoutMs: 10_000 });
    for (const answer of [answers.kafka, answers.sluice]) {
      const results = (answer.kind === 'reply' ? answer.body['topics'] : []) as { name: string; errorCode: number }[];
      for (const { name, errorCode } of results) {
        if (errorCode !== 0) throw new Error(`cannot create topic ${name}: error ${errorCode}`);
      }
    }
    for (const topic of topics) await this.awaitTopic(topic.name, topic.partitions ?? 1);
  }

  /** Waits until both lead all partitions of a topic. */
  async awaitTopic(name: string, partitions = 1): Promise<void> {
    const question = {
      replicaId: -1,
      topics: [
        {
          name,
          partitions: Array.from({ length: partitions }, (_, partitionIndex) => ({ partitionIndex, timestamp: -1 })),
        },
      ],
    };
    await this.settle(listOffsets, 7, question, (body) => {
      const [topic] = body['topics'] as { partitions: { errorCode: number }[] }[];
      return topic!.partitions.every(({ errorCode }) => errorCode === 0);
    });
    await this.askOnly(metadata, 12, { topics: [{ name }], allowAutoTopicCreation: false });
  }

  /** Asks until both answer as they must in the end. */
  async settle(api: Api, version: number, body: BodyOf, done: (body: Body, side: Side) => boolean): Promise<void> {
    const deadline = performance.now() + SETTLE_TIMEOUT_MS;
    for (;;) {
      const { kafka, sluice } = await this.askOnly(api, version, body);
      if (kafka.kind !== 'reply' || sluice.kind !== 'reply') throw new Error(`${api.name}: no reply`);
      if (done(kafka.body, this.kafka) && done(sluice.body, this.sluice)) return;
      if (performance.now() > deadline) {
        const [left, right] = [JSON.stringify(kafka.body), JSON.stringify(sluice.body)];
        throw new Error(`${api.name} did not settle:\n${left}\n${right}`);
      }
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
  }

  async stop(): Promise<void> {
    this.kafka.wire.close();
    this.sluice.wire.close();
    await Promise.all([this.#brokers.kafka.remove(), this.#brokers.sluice.close()]);
  }
}

function sideOf(name: Side['name'], port: number): Side {
  const topicIds = new Map<string, string>();
  return { name, wire: new Wire(port), normaliser: new Normaliser(port, topicIds), topicIds };
}

/** Replies that name a topic and its id teach both. */
function learnTopicIds(value: unknown, ids: Map<string, string>): void {
  if (Array.isArray(value)) {
    for (const element of value) learnTopicIds(element, ids);
    return;
  }
  if (value === null || typeof value !== 'object' || Buffer.isBuffer(value)) return;
  const { name, topicId, errorCode } = value as { name?: unknown; topicId?: unknown; errorCode?: unknown };
  const told = typeof topicId === 'string' && topicId !== ZERO_UUID && errorCode === 0;
  if (told && typeof name === 'string' && name !== '') ids.set(name, topicId);
  for (const inner of Object.values(value)) learnTopicIds(inner, ids);
}
