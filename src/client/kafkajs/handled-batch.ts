/** A batch as kafkajs's handlers see it. */
import type { Offset } from '../../base/units.ts';
import { CorruptRecords } from '../../records/corrupt-records.ts';
import type { ConsumedRecord, FetchedBatch } from '../consumer/fetched-batch.ts';
import { corruptBatch } from '../consumer/fetcher.ts';
import { toKafkaJSError } from './kafkajs-errors.ts';
import type { Batch, IHeaders, KafkaMessage } from './kafkajs-types.ts';

export interface HandledBatch extends Batch {
  /** Offset behind the batch. */
  readonly next: Offset;
}

/** Throws a KafkaJSNonRetriableError where the records make no sense. */
export function handledBatch(fetched: FetchedBatch): HandledBatch {
  const { topic, partition, lastOffset, highWatermark } = fetched;
  const messages: KafkaMessage[] = [];
  try {
    for (const record of fetched.records()) messages.push(kafkaMessage(record));
  } catch (error) {
    throw error instanceof CorruptRecords ? toKafkaJSError(corruptBatch(fetched, error)) : error;
  }
  const lagBehind = (offset: number): string => String(Math.max(0, highWatermark - 1 - offset));
  return {
    topic,
    partition,
    highWatermark: String(highWatermark),
    messages,
    next: lastOffset + 1,
    isEmpty: () => messages.length === 0,
    firstOffset: () => messages[0]?.offset ?? null,
    lastOffset: () => String(lastOffset),
    offsetLag: () => lagBehind(lastOffset),
    offsetLagLow: () => (messages.length === 0 ? '0' : lagBehind(Number(messages[0]!.offset))),
  };
}

function kafkaMessage({ key, value, timestamp, offset, headers }: ConsumedRecord): KafkaMessage {
  return {
    key,
    value,
    timestamp: String(timestamp),
    attributes: 0,
    offset: String(offset),
    headers: headers.length === 0 ? {} : headersByName(headers),
  };
}

/** A name that comes several times has a list. */
function headersByName(list: ConsumedRecord['headers']): IHeaders {
  const headers: IHeaders = {};
  for (const { key, value } of list) {
    const known = headers[key];
    const each = value ?? undefined;
    if (known === undefined) headers[key] = each;
    else if (each !== undefined) headers[key] = [...(Array.isArray(known) ? known : [known]), each];
  }
  return headers;
}
