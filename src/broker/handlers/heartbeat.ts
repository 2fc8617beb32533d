/** Heartbeat (12), versions 0-4: a member lives, and hears whether it must join again. */
import { heartbeat } from '../../protocol/apis/heartbeat.ts';
import { handler } from '../handler.ts';
import type { BrokerServices } from '../services.ts';

export const handleHeartbeat = (services: BrokerServices) =>
  handler(heartbeat, (request) => services.groups.heartbeat(request));
