/** Errors have a code and say whether the same call may succeed later; a broken record ends nothing. */
import { subscribe } from 'node:diagnostics_channel';
import { Client, json, SluiceError } from 'sluice';

subscribe('sluice:consumer:assigned', (event) => console.log('assigned', (event as { groupId: string }).groupId));

const brokers = process.env['SLUICE_BROKERS'] ?? 'localhost:9092';
await using client = new Client({ brokers });

const producer = client.producer({ maxRequestBytes: 10_000 });
try {
  await producer.send({ topic: 'events', value: 'x'.repeat(20_000) });
} catch (error) {
  if (!(error instanceof SluiceError)) throw error;
  console.log(`${error.code}, ${error.retriable ? 'may be tried again' : 'no use to try again'}: ${error.remedy}`);
}

await producer.sendAll(['{"fine":true}', 'not json', '{"fine":true}'].map((value) => ({ topic: 'events', value })));
await using consumer = client.consumer({
  groupId: 'errors',
  topics: ['events'],
  key: json<string>(),
  value: json<{ fine: boolean }>(),
  offsetReset: 'earliest',
});
let seen = 0;
for await (const record of consumer) {
  try {
    console.log(`${record.offset}: ${record.value?.fine}`);
  } catch (error) {
    console.log(`${record.offset}: ${(error as SluiceError).code}: ${record.rawValue}`);
  }
  if (++seen === 3) break;
}
