/** Sends as fast as the brokers take it, without a promise a record and with bounded memory. */
import { Client } from 'sluice';

const RECORDS = 20_000;

const brokers = process.env['SLUICE_BROKERS'] ?? 'localhost:9092';
await using client = new Client({ brokers });
const producer = client.producer({ compression: 'lz4', lingerMs: 20, bufferBytes: 1024 * 1024 });

for (let index = 0; index < RECORDS; index++) {
  const hasRoom = producer.write({ topic: 'measurements', key: `sensor-${index % 100}`, value: `${index}` });
  if (!hasRoom) await producer.drained();
}
// Rejects with the first failure, if there was one.
await producer.flush();
const { acknowledgedRecords, failedRecords, batches } = producer.metrics;
console.log(`${acknowledgedRecords} acknowledged, ${failedRecords} failed`);
console.log(batches < RECORDS / 10 ? 'in few batches' : 'in many batches');
