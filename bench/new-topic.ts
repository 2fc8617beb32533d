/** Topics of a broker under test, Sluice or Kafka: created over the wire, which costs no start of a JVM. */
import { systemClock } from '../src/base/clock.ts';
import { type Channel, connect } from '../src/network/channel.ts';
import { createTopics } from '../src/protocol/apis/create-topics.ts';

const CREATE_TOPICS_VERSION = 5;
const PATIENCE_MS = 120_000;

export interface NewTopic {
  readonly name: string;
  readonly partitions: number;
  readonly configs?: Readonly<Record<string, string>>;
  /** Where all of its partitions shall lie; spread where it is left out. */
  readonly brokerId?: number;
}

/** Creates a topic with one replica. */
export async function createTopic(port: number, topic: NewTopic): Promise<void> {
  const { name, partitions, configs = {}, brokerId } = topic;
  const assigned = brokerId === undefined ? [] : Array.from({ length: partitions }, (_, index) => index);
  const options = { host: '127.0.0.1', port, clientId: 'bench', requestTimeoutMs: PATIENCE_MS };
  const channel: Channel = await connect(options, { clock: systemClock });
  try {
    const { topics } = await channel.request(createTopics, CREATE_TOPICS_VERSION, {
      topics: [
        {
          name,
          numPartitions: assigned.length > 0 ? -1 : partitions,
          replicationFactor: assigned.length > 0 ? -1 : 1,
          assignments: assigned.map((partitionIndex) => ({ partitionIndex, brokerIds: [brokerId!] })),
          configs: Object.entries(configs).map(([key, value]) => ({ name: key, value })),
        },
      ],
      timeoutMs: PATIENCE_MS,
      validateOnly: false,
    });
    const [created] = topics;
    if (created?.errorCode !== 0)
      throw new Error(`topic ${name}: error ${created?.errorCode} ${created?.errorMessage}`);
  } finally {
    await channel.close();
  }
}
