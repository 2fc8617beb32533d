/** UnregisterBroker (64), versions 0: strikes a broker off the list; the controller decides. */
import { unregisterBroker } from '../../protocol/apis/unregister-broker.ts';
import { handler } from '../handler.ts';
import type { BrokerServices } from '../services.ts';

export const handleUnregisterBroker = (services: BrokerServices) =>
  handler(unregisterBroker, (request) => services.controller.unregisterBroker(request), { forController: true });
