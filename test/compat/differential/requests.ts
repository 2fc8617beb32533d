/** The bodies of Produce and Fetch as the scenarios of records write them, and the batches that they send. */
import { fetch } from '../../../src/protocol/apis/fetch.ts';
import { produce } from '../../../src/protocol/apis/produce.ts';
import { type BatchSpec, buildBatch, type NewRecord } from '../../../src/records/builder.ts';
import { crc32c } from '../../../src/records/crc32c.ts';
import type { Body } from '../../support/wire.ts';
import type { Answers, AskOptions, Pair, Side } from '../harness/differential/pair.ts';

export const NEWEST_PRODUCE = produce.request.versions.to;
export const NEWEST_FETCH = fetch.request.versions.to;
const TIMEOUT_MS = 5_000;
const LARGEST = 2 ** 31 - 1;
/** The clock of a test's records: fixed for a run, so that both brokers get the same bytes. */
export const NOW_MS = Date.now() - 1000;

export const bytesOf = (text: string | null): Buffer | null => (text === null ? null : Buffer.from(text));

/** Records with keys and values that tell them apart. */
export function records(count: number, from = 0, timestamp: number = NOW_MS): NewRecord[] {
  return Array.from({ length: count }, (_, index) => ({
    key: bytesOf(`key-${from + index}`),
    value: bytesOf(`value-${from + index}`),
    timestamp: timestamp + index,
  }));
}

export function batchOf(count: number, more: Partial<BatchSpec> = {}): Buffer {
  return buildBatch({ records: records(count), ...more });
}

/** A batch after `change` to its bytes, with a checksum that is right again. */
export function changed(bytes: Buffer, change: (copy: Buffer) => void): Buffer {
  const copy = Buffer.from(bytes);
  change(copy);
  copy.writeUInt32BE(crc32c(copy, 21, copy.length), 17);
  return copy;
}

export interface ProduceSpec {
  readonly topic: string;
  readonly records: Buffer | null;
  readonly partition?: number;
  readonly version?: number;
  readonly acks?: number;
  readonly transactionalId?: string | null;
}

export function produceBody(side: Side, { topic, records: bytes, ...spec }: ProduceSpec): Body {
  return {
    transactionalId: spec.transactionalId ?? null,
    acks: spec.acks ?? -1,
    timeoutMs: TIMEOUT_MS,
    topicData: [
      {
        name: topic,
        topicId: side.topicIds.get(topic),
        partitionData: [{ index: spec.partition ?? 0, records: bytes }],
      },
    ],
  };
}

export function askProduce(pair: Pair, what: string, spec: ProduceSpec, options: AskOptions = {}): Promise<Answers> {
  return pair.ask(what, produce, spec.version ?? NEWEST_PRODUCE, (side) => produceBody(side, spec), options);
}

export interface FetchPartitionSpec {
  readonly topic: string;
  readonly partition?: number;
  readonly offset?: number;
  readonly maxBytes?: number;
  readonly currentLeaderEpoch?: number;
  readonly lastFetchedEpoch?: number;
}

export interface FetchSpec {
  readonly partitions: readonly FetchPartitionSpec[];
  readonly minBytes?: number;
  readonly maxBytes?: number;
  readonly maxWaitMs?: number;
  readonly isolationLevel?: number;
  readonly sessionId?: number;
  readonly sessionEpoch?: number;
  readonly forgotten?: readonly { readonly topic: string; readonly partitions: readonly number[] }[];
}

export function fetchBody(side: Side, spec: FetchSpec): Body {
  const topics = spec.partitions.map((partition) => ({
    topic: partition.topic,
    topicId: side.topicIds.get(partition.topic) ?? UNKNOWN_ID,
    partitions: [
      {
        partition: partition.partition ?? 0,
        fetchOffset: partition.offset ?? 0,
        partitionMaxBytes: partition.maxBytes ?? 2 ** 20,
        currentLeaderEpoch: partition.currentLeaderEpoch ?? -1,
        lastFetchedEpoch: partition.lastFetchedEpoch ?? -1,
      },
    ],
  }));
  return {
    replicaId: -1,
    maxWaitMs: spec.maxWaitMs ?? 0,
    minBytes: spec.minBytes ?? 0,
    maxBytes: spec.maxBytes ?? LARGEST,
    isolationLevel: spec.isolationLevel ?? 0,
    sessionId: spec.sessionId ?? 0,
    sessionEpoch: spec.sessionEpoch ?? -1,
    topics,
    forgottenTopicsData: (spec.forgotten ?? []).map(({ topic, partitions }) => ({
      topic,
      topicId: side.topicIds.get(topic) ?? UNKNOWN_ID,
      partitions,
    })),
    rackId: '',
  };
}

export const UNKNOWN_ID = 'AAAAAAAAAAAAAAAAAAAB7Q';

export function askFetch(
  pair: Pair,
  what: string,
  spec: FetchSpec & { readonly version?: number },
  options: AskOptions = {},
): Promise<Answers> {
  return pair.ask(what, fetch, spec.version ?? NEWEST_FETCH, (side) => fetchBody(side, spec), options);
}

/** Reads a whole partition back and compares what is stored. */
export function askAll(pair: Pair, what: string, topic: string, options: AskOptions = {}): Promise<Answers> {
  return askFetch(pair, `${what}, read back`, { partitions: [{ topic }] }, options);
}
