/** A broker inside a program, for its tests: on a free port, gone at the end. */
import { Client, startBroker, string } from 'sluice';

await using broker = await startBroker();
await using client = new Client({ brokers: broker.bootstrapServers });

await client.producer().send({ topic: 'greetings', value: 'hello' });
await using consumer = client.consumer({
  groupId: 'test',
  topics: ['greetings'],
  key: string,
  value: string,
  offsetReset: 'earliest',
});
for await (const { value } of consumer) {
  console.log(value);
  break;
}
