/** CreateTopics (19), versions 2-7: the controller decides. */
import { createTopics } from '../../protocol/apis/create-topics.ts';
import { handler } from '../handler.ts';
import type { BrokerServices } from '../services.ts';

export const handleCreateTopics = (services: BrokerServices) =>
  handler(createTopics, (request) => services.controller.createTopics(request), { forController: true });
