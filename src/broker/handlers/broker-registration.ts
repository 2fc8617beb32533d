/** BrokerRegistration (62), versions 0-4: a starting broker makes itself known to the controller. */
import { brokerRegistration } from '../../protocol/apis/broker-registration.ts';
import { handler } from '../handler.ts';
import type { BrokerServices } from '../services.ts';

export const handleBrokerRegistration = (services: BrokerServices) =>
  handler(brokerRegistration, (request) => services.controller.brokerRegistration(request), { peerOnly: true });
