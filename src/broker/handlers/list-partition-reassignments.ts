/** ListPartitionReassignments (46), versions 0: which replicas are moving; the controller knows. */
import { listPartitionReassignments } from '../../protocol/apis/list-partition-reassignments.ts';
import { handler } from '../handler.ts';
import type { BrokerServices } from '../services.ts';

export const handleListPartitionReassignments = (services: BrokerServices) =>
  handler(listPartitionReassignments, (request) => services.controller.listPartitionReassignments(request), {
    forController: true,
  });
