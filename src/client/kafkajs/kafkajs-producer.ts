/** kafkajs's producer: what is sent by one call leaves at once. Codec and acknowledgements are each call's own. */
import { systemClock } from '../../base/clock.ts';
import { CODECS, type CodecName } from '../../records/compression/codecs.ts';
import { Producer, type Receipt } from '../producer/producer.ts';
import { asKafkaJS, KafkaJSError, KafkaJSNonRetriableError, KafkaJSNotImplemented } from './kafkajs-errors.ts';
import { Instrumentation, type InstrumentationEvent } from './kafkajs-events.ts';
import type { Logger } from './kafkajs-logger.ts';
import { adaptPartitioner, DefaultPartitioner } from './kafkajs-partitioners.ts';
import type {
  IHeaders,
  Message,
  ProducerBatch,
  ProducerConfig,
  ProducerRecord,
  RecordMetadata,
} from './kafkajs-types.ts';
import type { OwnCluster } from './own-cluster.ts';

export const PRODUCER_EVENTS = { CONNECT: 'producer.connect', DISCONNECT: 'producer.disconnect' } as const;
type ProducerEventPayloads = { 'producer.connect': null; 'producer.disconnect': null };

const CODEC_NAMES = Object.keys(CODECS) as CodecName[];

export class KafkaJSProducer {
  readonly events = PRODUCER_EVENTS;
  readonly #own: OwnCluster;
  readonly #config: ProducerConfig;
  readonly #logger: Logger;
  readonly #instrumentation: Instrumentation<ProducerEventPayloads>;
  /** By codec and acknowledgements. */
  readonly #producers = new Map<string, Producer>();
  #isConnected = false;

  constructor(own: OwnCluster, config: ProducerConfig, logger: Logger) {
    if (config.transactionalId !== undefined) throw noTransactions();
    this.#own = own;
    this.#config = config;
    this.#logger = logger.namespace('Producer');
    this.#instrumentation = new Instrumentation(systemClock);
  }

  async connect(): Promise<void> {
    if (this.#isConnected) return;
    await this.#own.connect();
    this.#isConnected = true;
    this.#instrumentation.emit('producer.connect', null);
  }

  async disconnect(): Promise<void> {
    if (!this.#isConnected) return;
    this.#isConnected = false;
    const closing = [...this.#producers.values()].map((producer) => producer.close());
    this.#producers.clear();
    try {
      await asKafkaJS(Promise.all(closing));
    } finally {
      await this.#own.close();
    }
    this.#instrumentation.emit('producer.disconnect', null);
  }

  isIdempotent(): boolean {
    return this.#config.idempotent ?? false;
  }

  /** One entry a partition that was written to. */
  send({ topic, messages, ...settings }: ProducerRecord): Promise<RecordMetadata[]> {
    return this.sendBatch({ ...settings, topicMessages: [{ topic, messages }] });
  }

  async sendBatch({
    topicMessages = [],
    acks = -1,
    timeout,
    compression = 0,
  }: ProducerBatch): Promise<RecordMetadata[]> {
    if (!this.#isConnected) throw new KafkaJSError('The producer is disconnected');
    if (topicMessages.some(({ topic }) => !topic)) throw new KafkaJSNonRetriableError('Invalid topic');
    for (const { topic, messages } of topicMessages) checkMessages(topic, messages);
    const producer = this.#producerFor({ acks, timeout, compression });
    const sent = topicMessages.flatMap(({ topic, messages }) =>
      messages.map((message) => producer.send({ topic, ...outgoing(message) })),
    );
    // The fate of all is waited for, so that a failure leaves nothing on its way.
    const outcomes = await Promise.allSettled(sent);
    const receipts: Receipt[] = [];
    for (const outcome of outcomes) {
      if (outcome.status === 'rejected') await asKafkaJS(Promise.reject(outcome.reason));
      else receipts.push(outcome.value);
    }
    return recordMetadata(receipts);
  }

  transaction(): Promise<never> {
    return Promise.reject(noTransactions());
  }

  on<Name extends keyof ProducerEventPayloads>(
    name: Name,
    listener: (event: InstrumentationEvent<ProducerEventPayloads[Name]>) => void,
  ): () => void {
    return this.#instrumentation.on(name, listener);
  }

  logger(): Logger {
    return this.#logger;
  }

  #producerFor({
    acks,
    timeout,
    compression,
  }: {
    acks: number;
    timeout: number | undefined;
    compression: number;
  }): Producer {
    const key = `${acks}/${timeout}/${compression}`;
    const known = this.#producers.get(key);
    if (known !== undefined) return known;
    const codec = CODEC_NAMES.find((name) => CODECS[name] === compression);
    if (codec === undefined) throw new KafkaJSNotImplemented(`Compression type ${compression} is unknown`);
    if (acks !== -1 && acks !== 0 && acks !== 1) throw new KafkaJSNonRetriableError(`Invalid acks ${acks}`);
    if (this.isIdempotent() && acks !== -1) {
      throw new KafkaJSNonRetriableError(
        "Not requiring ack for all messages invalidates the idempotent producer's EoS guarantees",
      );
    }
    const { maxInFlightRequests, allowAutoTopicCreation, createPartitioner } = this.#config;
    const producer = new Producer(this.#own.current, {
      acks: acks === -1 ? 'all' : acks,
      compression: codec,
      lingerMs: 0,
      ackTimeoutMs: timeout,
      maxInFlight: maxInFlightRequests === undefined ? undefined : Math.min(5, maxInFlightRequests),
      createTopics: allowAutoTopicCreation,
      partitioner: adaptPartitioner(createPartitioner ?? DefaultPartitioner),
      batchBytes: BATCH_BYTES,
      maxRequestBytes: REQUEST_BYTES,
    });
    this.#producers.set(key, producer);
    return producer;
  }
}

/** kafkajs puts everything of a call into one batch a partition, whatever its size. */
const BATCH_BYTES = 512 * 1024;
const REQUEST_BYTES = 64 * 1024 * 1024;

function noTransactions(): KafkaJSNotImplemented {
  return new KafkaJSNotImplemented('Transactions are not supported');
}

function checkMessages(topic: string, messages: readonly Message[]): void {
  if (!Array.isArray(messages))
    throw new KafkaJSNonRetriableError(`Invalid messages array [${messages}] for topic "${topic}"`);
  for (const message of messages) {
    if (message.value === undefined) {
      throw new KafkaJSNonRetriableError(
        `Invalid message without value for topic "${topic}": ${JSON.stringify(message)}`,
      );
    }
  }
}

function outgoing({ key, value, partition, headers, timestamp }: Message) {
  return {
    key,
    value,
    partition,
    timestamp: timestamp === undefined ? undefined : Number(timestamp),
    headers: headers === undefined ? undefined : headerList(headers),
  };
}

function headerList(headers: IHeaders): { key: string; value: Buffer | string | null }[] {
  return Object.entries(headers).flatMap(([key, value]) =>
    Array.isArray(value) ? value.map((each) => ({ key, value: each })) : [{ key, value: value ?? null }],
  );
}

function recordMetadata(receipts: readonly Receipt[]): RecordMetadata[] {
  const places = new Map<string, Receipt>();
  for (const receipt of receipts) {
    const place = `${receipt.topic}/${receipt.partition}`;
    const first = places.get(place);
    if (first === undefined || receipt.offset < first.offset) places.set(place, receipt);
  }
  return [...places.values()].map(({ topic: topicName, partition, offset }) => ({
    topicName,
    partition,
    errorCode: 0,
    baseOffset: String(offset),
    logAppendTime: '-1',
  }));
}
