import { createRequire } from 'node:module';
import { join } from 'node:path';
import { clientsDirectory } from '../../test/compat/harness/paths.ts';
import { Count, type LoadedClient } from './loaded-client.ts';

/** The part of kafkajs that is used here. */
interface KafkaJS {
  readonly logLevel: { readonly NOTHING: number };
  readonly Kafka: new (
    config: object,
  ) => {
    producer(): {
      connect(): Promise<void>;
      send(record: { topic: string; messages: { value: Buffer }[] }): Promise<unknown>;
    };
    consumer(config: object): {
      connect(): Promise<void>;
      subscribe(options: object): Promise<void>;
      run(options: { eachMessage(payload: { message: { value: Buffer | null } }): Promise<void> }): Promise<void>;
    };
  };
}

export async function kafkajs(bootstrap: string): Promise<LoadedClient> {
  const { Kafka, logLevel } = createRequire(join(clientsDirectory, 'node', 'package.json'))('kafkajs') as KafkaJS;
  const kafka = new Kafka({ brokers: [bootstrap], logLevel: logLevel.NOTHING });
  const producer = kafka.producer();
  let connecting: Promise<void> | undefined;
  return {
    send: async (topic, values) => {
      connecting ??= producer.connect();
      await connecting;
      return producer.send({ topic, messages: values.map((value) => ({ value })) });
    },
    consume: async (topic, records) => {
      const count = new Count(records);
      const consumer = kafka.consumer({ groupId: `bench-${process.pid}` });
      await consumer.connect();
      await consumer.subscribe({ topics: [topic], fromBeginning: true });
      await new Promise<void>((resolve, reject) => {
        const eachMessage = async ({ message: { value } }: { message: { value: Buffer | null } }) => {
          if (count.add(value)) resolve();
        };
        consumer.run({ eachMessage }).catch(reject);
      });
      return count.result;
    },
  };
}
