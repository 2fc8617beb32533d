/** DescribeProducers (61), version 0: the producers that a partition remembers. */

import { topicNameProblem } from '../../controller/topic-names.ts';
import { type DescribeProducersResponse, describeProducers } from '../../protocol/apis/describe-producers.ts';
import { ErrorCode, errorMessage } from '../../protocol/error-codes.ts';
import { handler } from '../handler.ts';
import type { BrokerServices } from '../services.ts';

type PartitionResponse = DescribeProducersResponse['topics'][number]['partitions'][number];

export const handleDescribeProducers = (services: BrokerServices) =>
  handler(describeProducers, (request): DescribeProducersResponse => {
    const describe = (topic: string, partitionIndex: number): PartitionResponse => {
      const problem = topicNameProblem(topic);
      const found =
        problem === undefined ? services.replicas.find(topic, partitionIndex) : ErrorCode.INVALID_TOPIC_EXCEPTION;
      if (typeof found === 'number') {
        return { partitionIndex, errorCode: found, errorMessage: problem ?? errorMessage(found), activeProducers: [] };
      }
      const activeProducers = found.log.producers().map(({ transactionStartOffset, ...producer }) => ({
        ...producer,
        currentTxnStartOffset: transactionStartOffset,
      }));
      return { partitionIndex, errorCode: ErrorCode.NONE, activeProducers };
    };
    return {
      topics: request.topics.map(({ name, partitionIndexes }) => ({
        name,
        // Once for each: a partition may have many producers.
        partitions: [...new Set(partitionIndexes)].map((index) => describe(name, index)),
      })),
    };
  });
