/** ElectLeaders (43), versions 0-2: preferred and unclean elections; the controller decides. */
import { electLeaders } from '../../protocol/apis/elect-leaders.ts';
import { handler } from '../handler.ts';
import type { BrokerServices } from '../services.ts';

export const handleElectLeaders = (services: BrokerServices) =>
  handler(electLeaders, (request) => services.controller.electLeaders(request), { forController: true });
