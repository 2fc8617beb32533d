/** Topics of a broker under test, Sluice or Kafka: created over the wire, which costs no start of a JVM. */
import { systemClock } from '../src/base/clock.ts';
import { type Channel, connect } from '../src/network/channel.ts';
import { createTopics } from '../src/protocol/apis/create-topics.ts';
import { listOffsets } from '../src/protocol/apis/list-offsets.ts';

const CREATE_TOPICS_VERSION = 5;
const LIST_OFFSETS_VERSION = 1;
const LATEST = -1;
const PATIENCE_MS = 120_000;
const POLL_MS = 5;

export interface NewTopic {
  readonly name: string;
  readonly partitions: number;
  readonly configs?: Readonly<Record<string, string>>;
  /** Where all of its partitions shall lie, and the port of that broker; one that is asked where it is left out. */
  readonly on?: { readonly brokerId: number; readonly port: number };
}

/** Creates a topic with one replica; resolves once its partitions are led, which Kafka's answer does not wait for. */
export async function createTopic(port: number, topic: NewTopic): Promise<void> {
  const { name, partitions, configs = {}, on } = topic;
  const indexes = Array.from({ length: partitions }, (_, index) => index);
  await withChannel(port, async (channel) => {
    const { topics } = await channel.request(createTopics, CREATE_TOPICS_VERSION, {
      topics: [
        {
          name,
          numPartitions: on === undefined ? partitions : -1,
          replicationFactor: on === undefined ? 1 : -1,
          assignments:
            on === undefined ? [] : indexes.map((partitionIndex) => ({ partitionIndex, brokerIds: [on.brokerId] })),
          configs: Object.entries(configs).map(([key, value]) => ({ name: key, value })),
        },
      ],
      timeoutMs: PATIENCE_MS,
      validateOnly: false,
    });
    const [created] = topics;
    if (created?.errorCode !== 0)
      throw new Error(`topic ${name}: error ${created?.errorCode} ${created?.errorMessage}`);
  });
  await withChannel(on?.port ?? port, (channel) => untilLed(channel, name, indexes));
}

async function untilLed(channel: Channel, name: string, indexes: readonly number[]): Promise<void> {
  const asked = indexes.map((partitionIndex) => ({ partitionIndex, timestamp: LATEST }));
  const deadline = performance.now() + PATIENCE_MS;
  while (performance.now() < deadline) {
    const request = { replicaId: -1, topics: [{ name, partitions: asked }] };
    const { topics } = await channel.request(listOffsets, LIST_OFFSETS_VERSION, request);
    if (topics.every((topic) => topic.partitions.every(({ errorCode }) => errorCode === 0))) return;
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
  throw new Error(`nobody leads all partitions of topic ${name}`);
}

async function withChannel(port: number, use: (channel: Channel) => Promise<void>): Promise<void> {
  const options = { host: '127.0.0.1', port, clientId: 'bench', requestTimeoutMs: PATIENCE_MS };
  const channel = await connect(options, { clock: systemClock });
  try {
    await use(channel);
  } finally {
    await channel.close();
  }
}
