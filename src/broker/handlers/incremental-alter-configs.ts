/** IncrementalAlterConfigs (44), versions 0-1: changes single values; the controller decides. */
import { incrementalAlterConfigs } from '../../protocol/apis/incremental-alter-configs.ts';
import { handler } from '../handler.ts';
import type { BrokerServices } from '../services.ts';

export const handleIncrementalAlterConfigs = (services: BrokerServices) =>
  handler(incrementalAlterConfigs, (request) => services.controller.incrementalAlterConfigs(request), {
    forController: true,
  });
