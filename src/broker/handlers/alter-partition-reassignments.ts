/** AlterPartitionReassignments (45), versions 0-1: replicas move to other brokers; the controller decides. */
import { alterPartitionReassignments } from '../../protocol/apis/alter-partition-reassignments.ts';
import { handler } from '../handler.ts';
import type { BrokerServices } from '../services.ts';

export const handleAlterPartitionReassignments = (services: BrokerServices) =>
  handler(alterPartitionReassignments, (request) => services.controller.alterPartitionReassignments(request), {
    forController: true,
  });
