/** OffsetForLeaderEpoch (23), versions 2-4: where an epoch ends in our log, so that a reader finds its divergence (KIP-320). */

import {
  type OffsetForLeaderEpochRequest,
  type OffsetForLeaderEpochResponse,
  offsetForLeaderEpoch,
} from '../../protocol/apis/offset-for-leader-epoch.ts';
import { ErrorCode } from '../../protocol/error-codes.ts';
import { handler } from '../handler.ts';
import type { BrokerServices } from '../services.ts';

type PartitionRequest = OffsetForLeaderEpochRequest['topics'][number]['partitions'][number];
type EpochEndOffset = OffsetForLeaderEpochResponse['topics'][number]['partitions'][number];

export const handleOffsetForLeaderEpoch = (services: BrokerServices) =>
  handler(offsetForLeaderEpoch, (request): OffsetForLeaderEpochResponse => {
    const find = (topic: string, { partition, currentLeaderEpoch, leaderEpoch }: PartitionRequest): EpochEndOffset => {
      const found = services.replicas.find(topic, partition);
      if (typeof found === 'number') return { partition, errorCode: found };
      const errorCode = found.checkEpoch(currentLeaderEpoch);
      if (errorCode !== ErrorCode.NONE) return { partition, errorCode };
      const { epoch, endOffset } = found.log.endOffsetForEpoch(leaderEpoch);
      return { partition, errorCode: ErrorCode.NONE, leaderEpoch: epoch, endOffset };
    };
    return {
      topics: request.topics.map(({ topic, partitions }) => ({
        topic,
        partitions: partitions.map((partition) => find(topic, partition)),
      })),
    };
  });
