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
      const isWanted = ({ topic, partition }: Log): boolean => wanted?.has(`${topic}/${partition}`) ?? true;
      const topics = byTopic([
        ...directory.logs.filter(isWanted).map((log) => current(log, services)),
        ...directory.futures.filter(({ log }) => isWanted(log)).map(future),
      ]);
      return { logDir: directory.path, topics, ...volume };
    };
    return { results: await Promise.all(services.logs.directories().map(describe)) };
  });

type PartitionResult = DirectoryResult['topics'][number]['partitions'][number];

interface Described {
  readonly topic: string;
  readonly partition: PartitionResult;
}

function current(log: Log, services: BrokerServices): Described {
  const found = services.replicas.find(log.topic, log.partition);
  // How far the log is behind the high watermark: a current replica may be ahead of it, which is no lag.
  const offsetLag = typeof found === 'number' ? 0 : Math.max(0, found.highWatermark - log.endOffset);
  return described(log, offsetLag, false);
}

function future({ log, lag }: LogDirectoryState['futures'][number]): Described {
  return described(log, lag, true);
}

function described(log: Log, offsetLag: number, isFutureKey: boolean): Described {
  return {
    topic: log.topic,
    partition: { partitionIndex: log.partition, partitionSize: log.size, offsetLag, isFutureKey },
  };
}

function byTopic(logs: readonly Described[]): DirectoryResult['topics'] {
  const topics = new Map<string, PartitionResult[]>();
  for (const { topic, partition } of logs) {
    const partitions = topics.get(topic) ?? [];
    topics.set(topic, partitions);
    partitions.push(partition);
  }
  return [...topics].map(([name, partitions]) => ({ name, partitions }));
}
