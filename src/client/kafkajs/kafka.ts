/** kafkajs's entry: what it makes has connections of its own, as there. */
import { systemClock } from '../../base/clock.ts';
import { Cluster } from '../cluster.ts';
import { systemDependencies } from '../dependencies.ts';
import { KafkaJSAdmin } from './kafkajs-admin.ts';
import { KafkaJSConsumer } from './kafkajs-consumer.ts';
import { KafkaJSNonRetriableError, KafkaJSNotImplemented, toKafkaJSError } from './kafkajs-errors.ts';
import { createLogger, type Logger, logLevel } from './kafkajs-logger.ts';
import { KafkaJSProducer } from './kafkajs-producer.ts';
import type { ConsumerConfig, KafkaConfig, ProducerConfig, RetryOptions } from './kafkajs-types.ts';
import { OwnCluster } from './own-cluster.ts';

const RETRIES = 5;
const FIRST_PAUSE_MS = 300;
const LONGEST_PAUSE_MS = 30_000;
const CONNECT_TIMEOUT_MS = 1000;

export class Kafka {
  readonly #config: KafkaConfig;
  readonly #brokers: readonly string[];
  readonly #logger: Logger;

  constructor(config: KafkaConfig) {
    const { brokers, sasl, logLevel: level = logLevel.INFO, logCreator: create } = config;
    if (sasl !== undefined) throw new KafkaJSNotImplemented('SASL is not supported');
    if (typeof brokers === 'function')
      throw new KafkaJSNotImplemented('A function for brokers is not supported: await it first');
    if (!Array.isArray(brokers) || brokers.length === 0) {
      throw new KafkaJSNonRetriableError('Failed to connect: brokers array is empty');
    }
    this.#config = config;
    this.#brokers = brokers;
    this.#logger = createLogger({ level, create, clock: systemClock });
  }

  producer(config: ProducerConfig = {}): KafkaJSProducer {
    return new KafkaJSProducer(this.#own(config.retry, config.metadataMaxAge), config, this.#logger);
  }

  consumer(config: ConsumerConfig): KafkaJSConsumer {
    return new KafkaJSConsumer(this.#own(config.retry, config.metadataMaxAge), config, this.#logger);
  }

  admin(config: { readonly retry?: RetryOptions } = {}): KafkaJSAdmin {
    return new KafkaJSAdmin(this.#own(config.retry, undefined), this.#logger);
  }

  logger(): Logger {
    return this.#logger;
  }

  #own(retry: RetryOptions | undefined, metadataMaxAgeMs: number | undefined): OwnCluster {
    return new OwnCluster(() => this.#cluster(retry, metadataMaxAgeMs));
  }

  #cluster(retry: RetryOptions | undefined, metadataMaxAgeMs: number | undefined): Cluster {
    const { clientId = 'kafkajs', ssl, connectionTimeout, requestTimeout } = this.#config;
    const {
      retries = RETRIES,
      initialRetryTime = FIRST_PAUSE_MS,
      maxRetryTime = LONGEST_PAUSE_MS,
    } = {
      ...this.#config.retry,
      ...retry,
    };
    const connectTimeoutMs = connectionTimeout ?? CONNECT_TIMEOUT_MS;
    let operationTimeoutMs = connectTimeoutMs;
    for (let attempt = 0; attempt < retries; attempt++) {
      operationTimeoutMs += connectTimeoutMs + Math.min(maxRetryTime, initialRetryTime * 2 ** attempt);
    }
    try {
      return new Cluster(
        {
          bootstrapServers: this.#brokers,
          clientId,
          connectTimeoutMs,
          requestTimeoutMs: requestTimeout,
          operationTimeoutMs,
          metadataMaxAgeMs,
          retryBackoffMs: initialRetryTime,
          retryBackoffMaxMs: maxRetryTime,
          tls: ssl === true ? {} : ssl === false ? undefined : ssl,
        },
        systemDependencies,
      );
    } catch (error) {
      throw toKafkaJSError(error);
    }
  }
}
