/** Three or more Apache Kafka nodes, each broker and controller in one. */
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { JVM_FLAGS } from '../../compat/harness/apache-kafka.ts';
import { randomClusterId } from '../../compat/harness/broker-process.ts';
import { kafkaClassPath } from '../../compat/harness/kafka-jars.ts';
import { runSuccessfully } from '../../compat/harness/program.ts';
import type { BrokerPlace } from './broker.ts';
import { kafkaController } from './kafka-controller.ts';
import { type ClusterPlan, COMMON_SETTINGS, propertiesFile, type RunningSystem } from './system.ts';

const CONTROLLER_PORT = 19_093;
/** Of several on one machine. */
const TEST_FLAGS = ['-Xmx384m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-Xshare:auto'];
const LOGGING = '-Dorg.slf4j.simpleLogger.defaultLogLevel=warn';

export async function startKafkaSystem({ places, settings, flags }: ClusterPlan): Promise<RunningSystem> {
  const { value: classPath, reason } = await kafkaClassPath();
  if (classPath === undefined) throw new Error(reason);
  const clusterId = randomClusterId();
  const brokerFlags = flags === 'benchmark' ? JVM_FLAGS.benchmark : TEST_FLAGS;
  const controllers = places.map(({ id, host }) => `${id}@${host.address}:${CONTROLLER_PORT}`).join(',');
  const fileOf = ({ home }: BrokerPlace): string => join(home, 'server.properties');
  return {
    name: 'kafka',
    ensemble: undefined,
    ensembleHosts: [],
    commandOf: (place) => ({
      command: 'java',
      parameters: [...brokerFlags, LOGGING, '-cp', classPath, 'kafka.Kafka', fileOf(place)],
    }),
    prepare: async (place) => {
      const { address } = place.host;
      const properties = {
        ...COMMON_SETTINGS,
        'share.coordinator.state.topic.replication.factor': '3',
        'share.coordinator.state.topic.min.isr': '2',
        'process.roles': 'broker,controller',
        'node.id': String(place.id),
        'controller.quorum.voters': controllers,
        listeners: `PLAINTEXT://${address}:${place.port},CONTROLLER://${address}:${CONTROLLER_PORT}`,
        'advertised.listeners': `PLAINTEXT://${address}:${place.port}`,
        'controller.listener.names': 'CONTROLLER',
        'inter.broker.listener.name': 'PLAINTEXT',
        'log.dirs': place.dataDirectory,
        ...settings,
      };
      writeFileSync(fileOf(place), propertiesFile(properties));
      if (existsSync(join(place.dataDirectory, 'meta.properties'))) return;
      const format = ['format', '-t', clusterId, '-c', fileOf(place)];
      await runSuccessfully('java', [...TEST_FLAGS, LOGGING, '-cp', classPath, 'kafka.tools.StorageTool', ...format]);
    },
    controller: kafkaController,
    close: async () => undefined,
  };
}
