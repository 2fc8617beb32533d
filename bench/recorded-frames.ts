/**
 * Produce requests as a client would send them, written to a file once, and the program that sends them again and
 * again (native/replay.c): a load that costs its generator next to nothing and is the same bytes for every server.
 */
import { randomFillSync } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import type { Timestamp } from '../src/base/units.ts';
import { produce } from '../src/protocol/apis/produce.ts';
import { encodeRequestFrame } from '../src/protocol/frames.ts';
import { buildBatch } from '../src/records/builder.ts';
import { CODECS, type CodecName } from '../src/records/compression/codecs.ts';
import { compiled, numbersOf } from './native-program.ts';

const PRODUCE_VERSION = 7;
const PATIENCE_MS = 120_000;
/** Different contents, so that no compression sees one record twice in a row. */
const DISTINCT_RECORDS = 64;
const WORDS = ['offset', 'partition', 'leader', 'replica', 'epoch', 'segment', 'consumer', 'producer', 'batch', 'log'];

export interface FramesSpec {
  readonly topic: string;
  /** Partitions that requests go to, one a request, in turn. */
  readonly partitions: number;
  readonly recordBytes: number;
  readonly recordsPerBatch: number;
  readonly acks?: 1 | -1;
  /** Words that compress as text does; random bytes where left out. */
  readonly codec?: CodecName;
}

export interface Frames {
  readonly path: string;
  readonly recordsPerRequest: number;
  /** Of one request's values, before compression. */
  readonly valueBytes: number;
}

/** Writes one request for each partition. */
export function writeFrames(path: string, spec: FramesSpec): Frames {
  const { topic, partitions, recordBytes, recordsPerBatch, acks = 1, codec } = spec;
  const values = Array.from({ length: Math.min(DISTINCT_RECORDS, recordsPerBatch) }, (_, index) =>
    codec === undefined ? randomFillSync(Buffer.alloc(recordBytes)) : text(recordBytes, index),
  );
  const timestamp = Date.now() as Timestamp;
  const records = buildBatch({
    codec: CODECS[codec ?? 'none'],
    records: Array.from({ length: recordsPerBatch }, (_, at) => ({
      key: null,
      value: values[at % values.length]!,
      timestamp,
    })),
  });
  const frames = Array.from({ length: partitions }, (_, index) =>
    encodeRequestFrame(
      produce,
      PRODUCE_VERSION,
      { correlationId: index, clientId: 'bench' },
      {
        transactionalId: null,
        acks,
        timeoutMs: PATIENCE_MS,
        topicData: [{ name: topic, partitionData: [{ index, records }] }],
      },
    ),
  );
  writeFileSync(path, Buffer.concat(frames.flat()));
  return { path, recordsPerRequest: recordsPerBatch, valueBytes: recordsPerBatch * recordBytes };
}

/** Words in an order that follows from the seed. */
function text(bytes: number, seed: number): Buffer {
  const value = Buffer.alloc(bytes);
  let state = seed + 1;
  for (let at = 0; at < bytes; ) {
    state = (state * 1103515245 + 12345) % 2147483648;
    at += value.write(`${WORDS[Math.floor(state / 65536) % WORDS.length]} ${state % 100} `, at);
  }
  return value;
}

export interface Replay {
  readonly port: number;
  readonly frames: Frames;
  readonly requests: number;
  readonly warmUpRequests: number;
  readonly connections?: number;
  readonly inFlight?: number;
  /** Requests a second; as many as go where it is left out. */
  readonly pace?: number;
}

export interface Replayed {
  readonly requestsPerSecond: number;
  readonly recordsPerSecond: number;
  /** Of whole requests, as they go over the wire. */
  readonly bytesPerSecond: number;
  /** Of all requests, those that warmed up too. */
  readonly bytes: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** How many times a partition said that it took its batch, those that warmed up too. */
  readonly acknowledged: number;
}

/** Sends the requests; any error code in an answer fails the run. */
export async function replay(load: Replay): Promise<Replayed> {
  const { port, frames, requests, warmUpRequests, connections = 1, inFlight = 5, pace = 0 } = load;
  const program = await compiled('replay');
  const parameters = [port, frames.path, warmUpRequests, requests, connections, inFlight, pace];
  const [count, bytes, seconds, p50, p99, , acknowledged] = (await numbersOf(program, parameters)) as [
    ...[number, number, number, number, number, number, number],
  ];
  return {
    requestsPerSecond: count / seconds,
    recordsPerSecond: (count * frames.recordsPerRequest) / seconds,
    bytesPerSecond: bytes / seconds,
    bytes: (bytes / count) * (count + warmUpRequests),
    p50Ms: p50 / 1000,
    p99Ms: p99 / 1000,
    acknowledged,
  };
}
