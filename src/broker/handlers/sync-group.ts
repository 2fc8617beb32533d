/** SyncGroup (14), versions 0-5: a member asks for its assignment, the leader brings all of them. */
import { type SyncGroupResponse, syncGroup } from '../../protocol/apis/sync-group.ts';
import { ErrorCode } from '../../protocol/error-codes.ts';
import { handler } from '../handler.ts';
import type { BrokerServices } from '../services.ts';

/** From then on a member must say which protocol it believes in (KIP-559). */
const PROTOCOL_REQUIRED_SINCE = 5;

export const handleSyncGroup = (services: BrokerServices) =>
  handler(syncGroup, async (request, context): Promise<SyncGroupResponse> => {
    const nameless = request.protocolType === null || request.protocolName === null;
    if (nameless && context.header.apiVersion >= PROTOCOL_REQUIRED_SINCE) {
      return { errorCode: ErrorCode.INCONSISTENT_GROUP_PROTOCOL, assignment: Buffer.alloc(0) };
    }
    return services.groups.syncGroup(request);
  });
