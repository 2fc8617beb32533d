/** JoinGroup (11), versions 0-9: a consumer comes, and waits for the group's next generation. */
import { type JoinGroupResponse, joinGroup } from '../../protocol/apis/join-group.ts';
import { groupClientOf } from '../group-client.ts';
import { handler } from '../handler.ts';
import type { BrokerServices } from '../services.ts';

const NULL_PROTOCOL_SINCE = 7;

export const handleJoinGroup = (services: BrokerServices) =>
  handler(joinGroup, async (request, context): Promise<JoinGroupResponse> => {
    const response = await services.groups.joinGroup(request, groupClientOf(context));
    const nameless = response.protocolName === null && context.header.apiVersion < NULL_PROTOCOL_SINCE;
    return nameless ? { ...response, protocolName: '' } : response;
  });
