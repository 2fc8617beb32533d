/** DeleteTopics (20), versions 1-6: by name, and by id from 6; the controller decides. */
import { deleteTopics } from '../../protocol/apis/delete-topics.ts';
import { handler } from '../handler.ts';
import type { BrokerServices } from '../services.ts';

export const handleDeleteTopics = (services: BrokerServices) =>
  handler(deleteTopics, (request) => services.controller.deleteTopics(request), { forController: true });
