/** Generated codec functions against the interpreter over the same schemas: operations a second and their ratio. */
import { fetch } from '../src/protocol/apis/fetch.ts';
import { metadata } from '../src/protocol/apis/metadata.ts';
import { produce } from '../src/protocol/apis/produce.ts';
import { interpretDecode, interpretEncode } from '../src/protocol/codec/interpret.ts';
import { decodeMessage, encodeMessage, encodeToBuffer, encodeWith } from '../src/protocol/codec.ts';
import { Reader } from '../src/protocol/reader.ts';
import type { MessageSchema } from '../src/protocol/schema.ts';

const ROUND_MS = 300;
const records = Buffer.alloc(1024, 7);
const topicId = 'abcdefghijklmnopqrstuw';

const brokers = [0, 1, 2].map((nodeId) => ({ nodeId, host: `broker-${nodeId}.example`, port: 9092 }));
const partitions = Array.from({ length: 12 }, (_, partitionIndex) => ({
  partitionIndex,
  leaderId: partitionIndex % 3,
  replicaNodes: [0, 1, 2],
  isrNodes: [0, 1, 2],
}));

const SAMPLES: readonly (readonly [string, MessageSchema, number, object])[] = [
  [
    'Produce 9 request',
    produce.request,
    9,
    { acks: -1, timeoutMs: 30_000, topicData: [{ name: 'orders', partitionData: [{ index: 0, records }] }] },
  ],
  [
    'Produce 9 response',
    produce.response,
    9,
    { responses: [{ name: 'orders', partitionResponses: [{ index: 0, baseOffset: 123_456 }] }] },
  ],
  [
    'Fetch 13 request',
    fetch.request,
    13,
    {
      maxWaitMs: 500,
      minBytes: 1,
      topics: [{ topicId, partitions: [{ partition: 0, fetchOffset: 9e9, partitionMaxBytes: 1_048_576 }] }],
    },
  ],
  [
    'Fetch 13 response',
    fetch.response,
    13,
    {
      responses: [
        { topicId, partitions: [{ partitionIndex: 0, highWatermark: 9e9, abortedTransactions: null, records }] },
      ],
    },
  ],
  [
    'Metadata 12 response',
    metadata.response,
    12,
    { brokers, topics: [1, 2, 3, 4].map((index) => ({ name: `orders-${index}`, topicId, partitions })) },
  ],
];

/** Operations a second, after a warm-up as long as the measurement. */
function rate(operation: () => unknown): number {
  let count = 0;
  for (const measured of [false, true]) {
    count = 0;
    const until = performance.now() + ROUND_MS;
    while (performance.now() < until) {
      for (let index = 0; index < 50; index++) operation();
      count += 50;
    }
    if (measured) break;
  }
  return (count * 1000) / ROUND_MS;
}

export function benchCodec(): void {
  console.log('message               decode/s   ratio     encode/s   ratio   (ratio: generated to interpreted)');
  for (const [name, schema, version, value] of SAMPLES) {
    const bytes = encodeToBuffer(schema, version, value as never);
    const decode = rate(() => decodeMessage(schema, version, bytes));
    const slowDecode = rate(() => interpretDecode(schema, version, new Reader(bytes)));
    const encode = rate(() => encodeMessage(schema, version, value as never));
    const slowEncode = rate(() => encodeWith(false, (writer) => interpretEncode(schema, version, writer, value)));
    const cells = [
      name.padEnd(20),
      decode.toFixed(0).padStart(9),
      (decode / slowDecode).toFixed(1).padStart(7),
      encode.toFixed(0).padStart(12),
      (encode / slowEncode).toFixed(1).padStart(7),
    ];
    console.log(cells.join(' '));
  }
}

if (process.argv[1] === import.meta.filename) benchCodec();
