/** AlterPartition (56), versions 2-3: a leader changes its in-sync set; the controller decides. */
import { alterPartition } from '../../protocol/apis/alter-partition.ts';
import { handler } from '../handler.ts';
import type { BrokerServices } from '../services.ts';

export const handleAlterPartition = (services: BrokerServices) =>
  handler(alterPartition, (request) => services.controller.alterPartition(request), { peerOnly: true });
