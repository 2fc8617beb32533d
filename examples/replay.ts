/** Reads partitions again from a time on, without a group; batches are faster than records one by one. */
import { Client } from 'sluice';

const brokers = process.env['SLUICE_BROKERS'] ?? 'localhost:9092';
await using client = new Client({ brokers });
const [topic] = await client.admin().describeTopics(['orders']);
if (topic === undefined || !topic.ok) throw topic?.error ?? new Error('no answer');
const partitions = topic.partitions.map(({ partition }) => ({ topic: 'orders', partition }));

await using consumer = client.consumer({ offsetReset: 'earliest' });
consumer.assign(partitions);
await consumer.seekToTimestamp(Date.now() - 3_600_000);
const ends = await client.admin().listOffsets(partitions.map((each) => ({ ...each, at: 'latest' as const })));
const isOver = (): boolean => ends.every((end) => (consumer.position(end) ?? 0n) >= end.offset);

let records = 0;
let bytes = 0;
while (!isOver()) {
  for await (const batch of consumer.batches()) {
    records += [...batch].length;
    bytes += batch.byteLength;
    if (isOver()) break;
  }
}
console.log(`${records} records of the last hour, ${bytes > 0 ? 'some' : 'no'} bytes`);
