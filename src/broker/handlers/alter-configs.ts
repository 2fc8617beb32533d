/** AlterConfigs (33), versions 0-2: replaces all values of a resource; the controller decides. */
import { alterConfigs } from '../../protocol/apis/alter-configs.ts';
import { handler } from '../handler.ts';
import type { BrokerServices } from '../services.ts';

export const handleAlterConfigs = (services: BrokerServices) =>
  handler(alterConfigs, (request) => services.controller.alterConfigs(request), { forController: true });
