/**
 * How long from the start of a broker's process to its first acknowledged record: connects as soon as the port
 * opens, lets the topic be created by asking for it, and writes one record with acks=all.
 */
import { connect, type Socket } from 'node:net';
import type { Timestamp } from '../src/base/units.ts';
import { metadata } from '../src/protocol/apis/metadata.ts';
import { produce } from '../src/protocol/apis/produce.ts';
import { decodeResponseFrame, encodeRequestFrame } from '../src/protocol/frames.ts';
import { buildBatch } from '../src/records/builder.ts';

const METADATA_VERSION = 4;
const PRODUCE_VERSION = 7;
const POLL_MS = 2;
const PATIENCE_MS = 60_000;
const TOPIC = 'first-record';

/** Resolves once the record is acknowledged, with performance.now() of that moment. */
export async function firstAcknowledgement(port: number): Promise<number> {
  const deadline = performance.now() + PATIENCE_MS;
  while (performance.now() < deadline) {
    const socket = await open(port);
    if (socket !== undefined) {
      try {
        if (await writeOne(socket)) return performance.now();
      } finally {
        socket.destroy();
      }
    }
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
  throw new Error(`no record was acknowledged in ${PATIENCE_MS} ms`);
}

function open(port: number): Promise<Socket | undefined> {
  return new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true });
    socket.once('connect', () => resolve(socket));
    socket.once('error', () => resolve(undefined));
  });
}

/** Whether the record was taken; false where the broker is not ready for it yet. */
async function writeOne(socket: Socket): Promise<boolean> {
  const header = { correlationId: 1, clientId: 'bench' };
  const ask = encodeRequestFrame(metadata, METADATA_VERSION, header, {
    topics: [{ name: TOPIC }],
    allowAutoTopicCreation: true,
  });
  const described = await exchange(socket, ask);
  if (described === undefined) return false;
  const topic = decodeResponseFrame(metadata, METADATA_VERSION, described).body.topics[0];
  if (topic === undefined || topic.errorCode !== 0 || (topic.partitions[0]?.leaderId ?? -1) < 0) return false;
  const records = buildBatch({
    records: [{ key: null, value: Buffer.from('first'), timestamp: Date.now() as Timestamp }],
  });
  const write = encodeRequestFrame(produce, PRODUCE_VERSION, header, {
    transactionalId: null,
    acks: -1,
    timeoutMs: 10_000,
    topicData: [{ name: TOPIC, partitionData: [{ index: 0, records }] }],
  });
  const written = await exchange(socket, write);
  if (written === undefined) return false;
  return (
    decodeResponseFrame(produce, PRODUCE_VERSION, written).body.responses[0]?.partitionResponses[0]?.errorCode === 0
  );
}

/** The response without its size; undefined where the connection ended first. */
function exchange(socket: Socket, request: readonly Buffer[]): Promise<Buffer | undefined> {
  return new Promise((resolve) => {
    let received = Buffer.alloc(0) as Buffer;
    const finish = (frame: Buffer | undefined) => {
      socket.removeAllListeners();
      socket.on('error', () => undefined);
      resolve(frame);
    };
    socket.on('data', (chunk: Buffer) => {
      received = Buffer.concat([received, chunk]);
      if (received.length >= 4 && received.length >= 4 + received.readInt32BE(0)) finish(received.subarray(4));
    });
    socket.on('error', () => finish(undefined));
    socket.on('close', () => finish(undefined));
    socket.write(Buffer.concat(request));
  });
}
