import { Client } from '../../src/index.ts';
import { Count, type LoadedClient } from './loaded-client.ts';

export async function sluice(bootstrap: string): Promise<LoadedClient> {
  const client = new Client({ brokers: bootstrap });
  // The others send at once, and put a call into one batch.
  const producer = client.producer({ lingerMs: 0, batchBytes: 128 * 1024 });
  return {
    send: (topic, values) => {
      if (values.length === 1) return producer.send({ topic, value: values[0]! });
      return producer.sendAll(values.map((value) => ({ topic, value })));
    },
    consume: async (topic, records) => {
      const count = new Count(records);
      const consumer = client.consumer({ groupId: `bench-${process.pid}`, topics: [topic], offsetReset: 'earliest' });
      for await (const { value } of consumer) if (count.add(value)) break;
      return count.result;
    },
  };
}
