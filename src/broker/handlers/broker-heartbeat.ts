/** BrokerHeartbeat (63), versions 0-2: a broker tells the controller that it lives, and when it wants to stop. */
import { brokerHeartbeat } from '../../protocol/apis/broker-heartbeat.ts';
import { handler } from '../handler.ts';
import type { BrokerServices } from '../services.ts';

export const handleBrokerHeartbeat = (services: BrokerServices) =>
  handler(brokerHeartbeat, (request) => services.controller.brokerHeartbeat(request), { peerOnly: true });
