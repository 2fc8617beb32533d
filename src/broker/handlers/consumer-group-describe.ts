/** ConsumerGroupDescribe (69), versions 0-1: groups of the broker-driven protocol, what members hold and should hold. */

import { consumerGroupRefusal } from '../../coordinator/group/consumer/describe.ts';
import {
  type ConsumerGroupDescribeResponse,
  consumerGroupDescribe,
} from '../../protocol/apis/consumer-group-describe.ts';
import { ErrorCode } from '../../protocol/error-codes.ts';
import { GROUP_OPERATIONS, operationBits } from '../../security/operations.ts';
import { servesConsumerProtocol } from '../group-protocols.ts';
import { handler } from '../handler.ts';
import type { BrokerServices } from '../services.ts';

export const handleConsumerGroupDescribe = (services: BrokerServices) =>
  handler(consumerGroupDescribe, async (request): Promise<ConsumerGroupDescribeResponse> => {
    if (!servesConsumerProtocol(services)) {
      const groups = request.groupIds.map((groupId) => consumerGroupRefusal(groupId, ErrorCode.UNSUPPORTED_VERSION));
      return { groups };
    }
    const groups = await services.groups.describeConsumerGroups(request.groupIds);
    if (!request.includeAuthorizedOperations) return { groups };
    const authorizedOperations = operationBits(GROUP_OPERATIONS);
    return {
      groups: groups.map((group) => (group.errorCode === ErrorCode.NONE ? { ...group, authorizedOperations } : group)),
    };
  });
