/** What a producer may be told, with defaults; names and defaults are those of Kafka's Java client where it has the same. */
import { SluiceError } from '../../base/errors.ts';
import { CODECS, type CodecName } from '../../records/compression/codecs.ts';
import { checkOptions } from '../checked-options.ts';
import type { PartitionerChoice } from './partitioner.ts';

export interface ProducerOptions {
  /** 'all': every in-sync replica has the record; 1: the leader has it; 0: nobody says. Default 'all'. */
  readonly acks?: 'all' | 1 | 0;
  /** `none`, `gzip`, `snappy`, `lz4` or `zstd`, of whole batches. */
  readonly compression?: CodecName;
  /** No duplicates and no gaps when sends are repeated. Default true with acks 'all', else false. */
  readonly idempotent?: boolean;
  readonly compressionLevel?: number;
  /** How long a batch waits for more records. Default 5. */
  readonly lingerMs?: number;
  /** Size at which a batch is sent, before compression. Default 16384. */
  readonly batchBytes?: number;
  /** Limit of one request, and so of one record. Default 1 MiB. */
  readonly maxRequestBytes?: number;
  /** Memory for records that are not yet acknowledged. Default 32 MiB. */
  readonly bufferBytes?: number;
  /** How long `send` waits for room in that memory. Default 60000. */
  readonly maxBlockMs?: number;
  /** Requests under way to one broker. Default 5; a partition has more than one only if the producer is idempotent. */
  readonly maxInFlight?: number;
  /** Time from handing a record in to its acknowledgement, all attempts included. Default 120000. */
  readonly deliveryTimeoutMs?: number;
  /** How long a broker may wait for replicas. Default 30000. */
  readonly ackTimeoutMs?: number;
  /** Where records go that do not say. Default 'default', as Kafka's Java client. */
  readonly partitioner?: PartitionerChoice;
  /** Let the broker make topics that are not there, where its settings allow it. Default true. */
  readonly createTopics?: boolean;
}

export interface ResolvedProducerOptions {
  readonly acks: number;
  readonly idempotent: boolean;
  readonly codec: number;
  readonly compressionLevel: number | undefined;
  readonly lingerMs: number;
  readonly batchBytes: number;
  readonly maxRequestBytes: number;
  readonly bufferBytes: number;
  readonly maxBlockMs: number;
  readonly maxInFlight: number;
  readonly deliveryTimeoutMs: number;
  readonly ackTimeoutMs: number;
  readonly partitioner: PartitionerChoice;
  readonly createTopics: boolean;
}

/** A broker remembers the last five batches of a producer; beyond that it could not tell a repeated one. */
const MOST_IN_FLIGHT_IDEMPOTENT = 5;

const LEAST = {
  ...{ lingerMs: 0, batchBytes: 0, maxRequestBytes: 1, bufferBytes: 1, maxBlockMs: 0 },
  ...{ maxInFlight: 1, deliveryTimeoutMs: 0, ackTimeoutMs: 0 },
};

/** Throws a SluiceError INVALID_OPTION. */
export function resolveProducerOptions(options: ProducerOptions): ResolvedProducerOptions {
  checkOptions(options, { atLeast: LEAST, oneOf: { acks: ['all', 1, 0] } });
  const acks = options.acks === undefined || options.acks === 'all' ? -1 : options.acks;
  const idempotent = options.idempotent ?? acks === -1;
  const maxInFlight = options.maxInFlight ?? 5;
  if (idempotent && acks !== -1) throw invalid('an idempotent producer needs acks "all"', 'Set acks to "all".');
  if (idempotent && maxInFlight > MOST_IN_FLIGHT_IDEMPOTENT) {
    throw invalid('an idempotent producer has at most 5 requests in flight', 'Lower maxInFlight.');
  }
  if (!Object.hasOwn(CODECS, options.compression ?? 'none')) {
    throw invalid(`there is no codec ${options.compression}`, `Choose from ${Object.keys(CODECS).join(', ')}.`);
  }
  return {
    acks,
    idempotent,
    codec: CODECS[options.compression ?? 'none'],
    compressionLevel: options.compressionLevel,
    lingerMs: options.lingerMs ?? 5,
    batchBytes: options.batchBytes ?? 16_384,
    maxRequestBytes: options.maxRequestBytes ?? 1024 * 1024,
    bufferBytes: options.bufferBytes ?? 32 * 1024 * 1024,
    maxBlockMs: options.maxBlockMs ?? 60_000,
    maxInFlight,
    deliveryTimeoutMs: options.deliveryTimeoutMs ?? 120_000,
    ackTimeoutMs: options.ackTimeoutMs ?? 30_000,
    partitioner: options.partitioner ?? 'default',
    createTopics: options.createTopics ?? true,
  };
}

function invalid(message: string, remedy: string): SluiceError {
  return new SluiceError('INVALID_OPTION', message, { remedy });
}
