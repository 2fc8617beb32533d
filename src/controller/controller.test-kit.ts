/** What the tests of this room share: a controller over a real local quorum in a temporary directory. */
import { systemClock } from '../base/clock.ts';
import { disk } from '../base/disk.ts';
import { silentLogger } from '../base/logger.ts';
import { type Random, seededRandom } from '../base/random.ts';
import { makeTemporaryDirectory } from '../base/temporary-directory.ts';
import { newUuid } from '../base/uuid.ts';
import { loadBrokerConfig } from '../config/broker-config.ts';
import type { BrokerRegistration } from '../metadata/broker-registration.ts';
import { LocalQuorum } from '../metadata/quorums/local.ts';
import type { CreateTopicsRequest } from '../protocol/apis/create-topics.ts';
import { Controller } from './controller.ts';

type NewBroker = Partial<Pick<BrokerRegistration, 'rack' | 'unfenced' | 'features'>>;

export interface Cluster {
  readonly quorum: LocalQuorum;
  readonly controller: Controller;
  readonly random: Random;
  /** Registers a broker that serves; returns its epoch. */
  addBroker(id: number, options?: NewBroker): Promise<number>;
}

export async function withCluster(
  run: (cluster: Cluster) => Promise<void>,
  options: { readonly config?: Record<string, string>; readonly brokers?: number } = {},
): Promise<void> {
  const directory = makeTemporaryDirectory('sluice-controller');
  const random = seededRandom(5);
  const dependencies = { fileSystem: disk, clock: systemClock, logger: silentLogger, random };
  const quorum = new LocalQuorum({ directory, nodeId: 1, clusterId: 'cluster' }, dependencies);
  try {
    await quorum.start();
    const config = loadBrokerConfig({ overrides: options.config ?? {} });
    const controller = new Controller(
      { config: () => config },
      { quorum, random, logger: silentLogger, clock: systemClock },
    );
    /** A broker keeps its directories over its restarts. */
    const directories = new Map<number, string>();
    const addBroker: Cluster['addBroker'] = async (id, { rack, unfenced = true, features } = {}) => {
      if (!directories.has(id)) directories.set(id, newUuid(random));
      const { brokerEpoch } = await controller.registerBroker({
        brokerId: id,
        clusterId: 'cluster',
        incarnationId: newUuid(random),
        endpoints: [{ name: 'PLAINTEXT', host: `host-${id}`, port: 9092, securityProtocol: 0 }],
        rack: rack ?? null,
        logDirs: [directories.get(id)!],
        unfenced,
        ...(features && { features }),
      });
      return brokerEpoch;
    };
    for (let id = 1; id <= (options.brokers ?? 1); id++) await addBroker(id);
    await run({ quorum, controller, random, addBroker });
  } finally {
    await quorum.close();
    await disk.removeTree(directory);
  }
}

export type NewTopic = Partial<CreateTopicsRequest['topics'][number]> & { readonly name: string };

/** A CreateTopics request; counts that are left out are the broker's defaults. */
export function creation(topics: readonly NewTopic[], validateOnly = false): CreateTopicsRequest {
  return {
    topics: topics.map((topic) => ({
      numPartitions: -1,
      replicationFactor: -1,
      assignments: [],
      configs: [],
      ...topic,
    })),
    timeoutMs: 1000,
    validateOnly,
  };
}
