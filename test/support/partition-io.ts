/** Writes to and reads from one partition over a bare connection, for tests that count what is there. */
import { fetch } from '../../src/protocol/apis/fetch.ts';
import { produce } from '../../src/protocol/apis/produce.ts';
import * as batch from '../../src/records/batch.ts';
import { type BatchSpec, buildBatch } from '../../src/records/builder.ts';
import { readRecords } from '../../src/records/reader.ts';
import type { Body, Wire } from './wire.ts';

export const BY_NAME_PRODUCE = 9;
export const BY_ID_PRODUCE = 13;
const BY_NAME_FETCH = 11;
const BY_ID_FETCH = 13;

/** A batch of one record a value. */
export function batchOf(values: readonly string[], more: Partial<BatchSpec> = {}): Buffer {
  const timestamp = Date.now();
  return buildBatch({ records: values.map((value) => ({ key: null, value: Buffer.from(value), timestamp })), ...more });
}

/** Where to: a topic by name, or by id. */
export interface Target {
  readonly topic?: string;
  readonly topicId?: string;
  readonly partition?: number;
}

export function produceBody(target: Target, records: Buffer | null, acks = -1): Body {
  const partitionData = [{ index: target.partition ?? 0, records }];
  return { acks, timeoutMs: 5000, topicData: [{ name: target.topic, topicId: target.topicId, partitionData }] };
}

export interface Produced {
  readonly errorCode: number;
  readonly baseOffset: number;
}

export async function produceTo(wire: Wire, target: Target, records: Buffer): Promise<Produced> {
  const version = target.topicId === undefined ? BY_NAME_PRODUCE : BY_ID_PRODUCE;
  return producedOf(await wire.reply(produce, version, produceBody(target, records)));
}

export function producedOf(body: Body): Produced {
  return (body['responses'] as { partitionResponses: Produced[] }[])[0]!.partitionResponses[0]!;
}

export interface Fetched {
  readonly errorCode: number;
  readonly highWatermark: number;
  readonly records: Buffer;
}

export function fetchBody(target: Target, offset: number, more: Body = {}): Body {
  const partition = { partition: target.partition ?? 0, fetchOffset: offset, partitionMaxBytes: 2 ** 24 };
  const topics = [{ topic: target.topic, topicId: target.topicId, partitions: [partition] }];
  return { maxWaitMs: 0, minBytes: 0, topics, forgottenTopicsData: [], ...more };
}

export async function fetchFrom(wire: Wire, target: Target, offset: number, more: Body = {}): Promise<Fetched> {
  const version = target.topicId === undefined ? BY_NAME_FETCH : BY_ID_FETCH;
  const body = await wire.reply(fetch, version, fetchBody(target, offset, more));
  return (body['responses'] as { partitions: Fetched[] }[])[0]!.partitions[0]!;
}

/** Values of the whole batches in fetched bytes. */
export function valuesIn(records: Buffer): string[] {
  const values: string[] = [];
  for (let at = 0; at + batch.LOG_OVERHEAD <= records.length; ) {
    const size = batch.batchBytes(records, at);
    if (at + size > records.length) break;
    for (const { value } of readRecords(records, at)) values.push(value === null ? '' : value.toString());
    at += size;
  }
  return values;
}

/** All values of a partition, read to its end. */
export async function readAll(wire: Wire, target: Target): Promise<string[]> {
  const values: string[] = [];
  for (;;) {
    const { errorCode, highWatermark, records } = await fetchFrom(wire, target, values.length);
    if (errorCode !== 0) throw new Error(`fetch from ${values.length}: error ${errorCode}`);
    const more = valuesIn(records);
    values.push(...more);
    if (more.length === 0 || values.length >= highWatermark) return values;
  }
}
