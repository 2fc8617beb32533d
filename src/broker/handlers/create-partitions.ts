/** CreatePartitions (37), versions 0-3: increases only; the controller decides. */
import { createPartitions } from '../../protocol/apis/create-partitions.ts';
import { handler } from '../handler.ts';
import type { BrokerServices } from '../services.ts';

export const handleCreatePartitions = (services: BrokerServices) =>
  handler(createPartitions, (request) => services.controller.createPartitions(request), { forController: true });
