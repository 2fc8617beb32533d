/** DescribeLogDirs (35), versions 1-5: directories, what is in them and how much room is left. */
import { type DescribeLogDirsResponse, describeLogDirs } from '../../protocol/apis/describe-log-dirs.ts';
import { ErrorCode } from '../../protocol/error-codes.ts';
import type { Log } from '../../storage/log.ts';
import type { LogDirectoryState } from '../../storage/log-manager.ts';
import { handler } from '../handler.ts';
import type { BrokerServices } from '../services.ts';

type DirectoryResult = DescribeLogDirsResponse['results'][number];

export const handleDescribeLogDirs = (services: BrokerServices) =>
  handler(describeLogDirs, async (request): Promise<DescribeLogDirsResponse> => {
    const wanted =
      request.topics === null
        ? undefined
        : new Set(request.topics.flatMap(({ topic, partitions }) => partitions.map((index) => `${topic}/${index}`)));
    const describe = async (directory: LogDirectoryState): Promise<DirectoryResult> => {
      const volume = directory.online ? await services.logs.volume(directory.path).catch(() => undefined) : undefined;
      if (volume === undefined) {
        return { errorCode: ErrorCode.KAFKA_STORAGE_ERROR, logDir: directory.path, topics: [] };
      }
      const logs = directory.logs.filter(({ topic, partition }) => wanted?.has(`${topic}/${partition}`) ?? true);
      return { logDir: directory.path, topics: topicsOf(logs, services), ...volume };
    };
    return { results: await Promise.all(services.logs.directories().map(describe)) };
  });

function topicsOf(logs: readonly Log[], services: BrokerServices): DirectoryResult['topics'] {
  const byTopic = new Map<string, DirectoryResult['topics'][number]['partitions'][number][]>();
  for (const log of logs) {
    let partitions = byTopic.get(log.topic);
    if (partitions === undefined) {
      partitions = [];
      byTopic.set(log.topic, partitions);
    }
    const found = services.replicas.find(log.topic, log.partition);
    // How far the log is behind the high watermark: a current replica may be ahead of it, which is no lag.
    const offsetLag = typeof found === 'number' ? 0 : Math.max(0, found.highWatermark - log.endOffset);
    partitions.push({ partitionIndex: log.partition, partitionSize: log.size, offsetLag, isFutureKey: false });
  }
  return [...byTopic].map(([name, partitions]) => ({ name, partitions }));
}
