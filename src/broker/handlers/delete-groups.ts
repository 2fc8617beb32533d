/** DeleteGroups (42), versions 0-2: groups without members go, with their offsets. */
import { type DeleteGroupsResponse, deleteGroups } from '../../protocol/apis/delete-groups.ts';
import { handler } from '../handler.ts';
import type { BrokerServices } from '../services.ts';

export const handleDeleteGroups = (services: BrokerServices) =>
  handler(deleteGroups, async (request): Promise<DeleteGroupsResponse> => {
    return { results: await services.groups.deleteGroups([...new Set(request.groupsNames)]) };
  });
