import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { clientsDirectory } from '../../test/compat/harness/paths.ts';
import { Count, type LoadedClient } from './loaded-client.ts';

/** The part of @platformatic/kafka that is used here. */
interface Platformatic {
  readonly Producer: new (
    config: object,
  ) => {
    send(options: { messages: { topic: string; value: Buffer }[]; acks: number }): Promise<unknown>;
  };
  readonly Consumer: new (
    config: object,
  ) => {
    consume(options: object): Promise<AsyncIterable<{ readonly value: Buffer | null }>>;
  };
}

const ALL = -1;

export async function platformatic(bootstrap: string): Promise<LoadedClient> {
  const path = join(clientsDirectory, 'node', 'node_modules', '@platformatic', 'kafka', 'dist', 'index.js');
  const { Producer, Consumer } = (await import(pathToFileURL(path).href)) as Platformatic;
  const options = { clientId: 'bench', bootstrapBrokers: [bootstrap] };
  const producer = new Producer(options);
  return {
    send: (topic, values) => producer.send({ messages: values.map((value) => ({ topic, value })), acks: ALL }),
    consume: async (topic, records) => {
      const count = new Count(records);
      const consumer = new Consumer({ ...options, groupId: `bench-${process.pid}` });
      const stream = await consumer.consume({ topics: [topic], mode: 'earliest', autocommit: true });
      for await (const { value } of stream) if (count.add(value)) break;
      return count.result;
    },
  };
}
