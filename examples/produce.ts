/** Sends records: typed values, keys, headers, a tombstone, many at once. */
import { Client, json, string } from 'sluice';

interface Order {
  readonly item: string;
  readonly count: number;
}

const brokers = process.env['SLUICE_BROKERS'] ?? 'localhost:9092';
await using client = new Client({ brokers, clientId: 'shop' });
const producer = client.producer({ key: string, value: json<Order>(), compression: 'zstd' });

const receipt = await producer.send({
  topic: 'orders',
  key: 'order-1',
  value: { item: 'lamp', count: 2 },
  headers: { source: 'web' },
});
console.log(`order-1 is at ${receipt.partition}:${receipt.offset}`);

// Records that are handed in together travel together.
const more = ['desk', 'chair', 'shelf'].map((item, index) => ({
  topic: 'orders',
  key: `order-${index + 2}`,
  value: { item, count: 1 },
}));
const receipts = await producer.sendAll(more);
console.log(`${receipts.length} more are acknowledged`);

// No value: where the topic is compacted, the key is forgotten.
await producer.send({ topic: 'orders', key: 'order-1', value: null });
