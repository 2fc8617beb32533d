/** DescribeGroups (15), versions 0-6: classic groups with their members. */
import { type DescribeGroupsResponse, describeGroups } from '../../protocol/apis/describe-groups.ts';
import { ErrorCode } from '../../protocol/error-codes.ts';
import { GROUP_OPERATIONS, operationBits } from '../../security/operations.ts';
import { handler } from '../handler.ts';
import type { BrokerServices } from '../services.ts';

export const handleDescribeGroups = (services: BrokerServices) =>
  handler(describeGroups, async (request, context): Promise<DescribeGroupsResponse> => {
    const groups = await services.groups.describeGroups(request.groups, context.header.apiVersion);
    if (!request.includeAuthorizedOperations) return { groups };
    const authorizedOperations = operationBits(GROUP_OPERATIONS);
    return {
      groups: groups.map((group) => (group.errorCode === ErrorCode.NONE ? { ...group, authorizedOperations } : group)),
    };
  });
