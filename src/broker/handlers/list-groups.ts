/** ListGroups (16), versions 0-5: the groups of this broker, by state and type. */
import { listGroups } from '../../protocol/apis/list-groups.ts';
import { handler } from '../handler.ts';
import type { BrokerServices } from '../services.ts';

export const handleListGroups = (services: BrokerServices) =>
  handler(listGroups, (request) =>
    services.groups.listGroups({ states: request.statesFilter, types: request.typesFilter }),
  );
