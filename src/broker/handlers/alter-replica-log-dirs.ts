/** AlterReplicaLogDirs (34), versions 1-2: moves partitions' logs between the directories of this broker (KIP-113). */
import { type AlterReplicaLogDirsResponse, alterReplicaLogDirs } from '../../protocol/apis/alter-replica-log-dirs.ts';
import { ErrorCode } from '../../protocol/error-codes.ts';
import { handler } from '../handler.ts';
import type { BrokerServices } from '../services.ts';

type TopicResult = AlterReplicaLogDirsResponse['results'][number];

export const handleAlterReplicaLogDirs = (services: BrokerServices) =>
  handler(alterReplicaLogDirs, (request): AlterReplicaLogDirsResponse => {
    const results = new Map<string, TopicResult['partitions'][number][]>();
    for (const { path, topics } of request.dirs) {
      for (const { name, partitions } of topics) {
        const known = results.get(name) ?? [];
        results.set(name, known);
        for (const partitionIndex of partitions) {
          known.push({ partitionIndex, errorCode: move(services, path, { topic: name, partition: partitionIndex }) });
        }
      }
    }
    return { results: [...results].map(([topicName, partitions]) => ({ topicName, partitions })) };
  });

/** Of a partition that is to come here the directory is remembered, even of a topic that does not exist yet. */
function move(services: BrokerServices, path: string, id: { topic: string; partition: number }): ErrorCode {
  const found = services.replicas.find(id.topic, id.partition);
  return found === ErrorCode.KAFKA_STORAGE_ERROR ? found : services.logs.move(id, path);
}
