/** Reads what the brokers of a stopped cluster have on disk of each partition, as lines of a history. */
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as batch from '../../../src/records/batch.ts';
import type { ReplicaLine, StoredBatch } from '../checker/history.ts';
import type { BrokerPlace } from './broker.ts';

const PARTITION_DIRECTORY = /^(.+)-(\d+)$/;
const SEGMENT = /^(\d{20})\.log$/;
const HIGH_WATERMARKS = 'replication-offset-checkpoint';
const START_OFFSETS = 'log-start-offset-checkpoint';
const METADATA_TOPIC = '__cluster_metadata';

interface Replica {
  readonly broker: number;
  readonly directory: string;
  readonly startOffset: number;
  readonly highWatermark: number;
}

/**
 * One line a replica. The high watermark is the highest that any of them has noted: after a rest all replicas hold what lies
 * below. `topic`'s partitions go by their number, as in the workload's lines; others by topic/number.
 */
export function storedReplicas(places: readonly BrokerPlace[], topic: string, at: number): ReplicaLine[] {
  const byPartition = new Map<string, Replica[]>();
  for (const { id, dataDirectory } of places) {
    const highWatermarks = checkpoint(join(dataDirectory, HIGH_WATERMARKS));
    const starts = checkpoint(join(dataDirectory, START_OFFSETS));
    for (const name of readdirSync(dataDirectory)) {
      const [, topicName, number] = PARTITION_DIRECTORY.exec(name) ?? [];
      if (topicName === undefined || topicName === METADATA_TOPIC) continue;
      const replica: Replica = {
        broker: id,
        directory: join(dataDirectory, name),
        startOffset: starts.get(name) ?? 0,
        highWatermark: highWatermarks.get(name) ?? 0,
      };
      const partition = topicName === topic ? number! : `${topicName}/${number}`;
      byPartition.set(partition, [...(byPartition.get(partition) ?? []), replica]);
    }
  }
  return [...byPartition].flatMap(([partition, replicas]) => {
    const highWatermark = Math.max(...replicas.map((replica) => replica.highWatermark));
    return replicas.map(({ broker, directory, startOffset }): ReplicaLine => {
      const name = /^\d+$/.test(partition) ? Number(partition) : partition;
      return {
        type: 'replica',
        at,
        partition: name,
        broker,
        startOffset,
        highWatermark,
        batches: readBatches(directory),
      };
    });
  });
}

/** `topic-partition` to offset; empty where there is no file. */
function checkpoint(file: string): Map<string, number> {
  if (!existsSync(file)) return new Map();
  const [, , ...lines] = readFileSync(file, 'utf8').trimEnd().split('\n');
  return new Map(
    lines.map((line) => {
      const [topic, partition, offset] = line.split(' ');
      return [`${topic}-${partition}`, Number(offset)];
    }),
  );
}

function readBatches(directory: string): StoredBatch[] {
  const batches: StoredBatch[] = [];
  for (const name of readdirSync(directory)
    .filter((each) => SEGMENT.test(each))
    .sort()) {
    const bytes = readFileSync(join(directory, name));
    let at = 0;
    while (at + batch.BATCH_HEADER_BYTES <= bytes.length) {
      const end = at + batch.batchBytes(bytes, at);
      // A file may be longer than what was written to it.
      if (batch.lengthField(bytes, at) <= 0 || end > bytes.length) break;
      batches.push([batch.baseOffset(bytes, at), batch.lastOffset(bytes, at), describeBatch(bytes, at, end)]);
      at = end;
    }
  }
  return batches;
}

/** A digest, after what helps to understand how the batch came there. */
function describeBatch(bytes: Buffer, at: number, end: number): string {
  const digest = createHash('md5').update(bytes.subarray(at, end)).digest('base64url').slice(0, 12);
  const producer = `${batch.producerId(bytes, at)}/${batch.producerEpoch(bytes, at)}/${batch.baseSequence(bytes, at)}`;
  return `epoch ${batch.leaderEpoch(bytes, at)} producer ${producer} ${digest}`;
}
