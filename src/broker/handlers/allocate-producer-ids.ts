/** AllocateProducerIds (67): a block of producer ids for a broker; the controller decides. */
import { allocateProducerIds } from '../../protocol/apis/allocate-producer-ids.ts';
import { handler } from '../handler.ts';
import type { BrokerServices } from '../services.ts';

export const handleAllocateProducerIds = (services: BrokerServices) =>
  handler(allocateProducerIds, (request) => services.controller.allocateProducerIds(request), { peerOnly: true });
