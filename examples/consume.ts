/** Reads as a member of a group; what the loop has moved past is committed. Ends after five records or with Ctrl+C. */
import { Client, json, string } from 'sluice';

interface Order {
  readonly item: string;
  readonly count: number;
}

const stop = new AbortController();
process.once('SIGINT', () => stop.abort());

const brokers = process.env['SLUICE_BROKERS'] ?? 'localhost:9092';
await using client = new Client({ brokers });
await using consumer = client.consumer({
  groupId: 'billing',
  topics: ['orders'],
  key: string,
  value: json<Order>(),
  offsetReset: 'earliest',
  signal: stop.signal,
  onAssigned: (partitions) => console.log(`holds ${partitions.map(({ partition }) => partition).join(', ')}`),
});

let count = 0;
for await (const { key, value, partition, offset } of consumer) {
  console.log(`${partition}:${offset} ${key} ${value === null ? 'is deleted' : `${value.count} × ${value.item}`}`);
  if (++count === 5) {
    // The record at hand is done, too.
    await consumer.commit();
    break;
  }
}
