/** AssignReplicasToDirs (73), versions 0: a broker tells the controller in which directory a replica lies. */
import { assignReplicasToDirs } from '../../protocol/apis/assign-replicas-to-dirs.ts';
import { handler } from '../handler.ts';
import type { BrokerServices } from '../services.ts';

export const handleAssignReplicasToDirs = (services: BrokerServices) =>
  handler(assignReplicasToDirs, (request) => services.controller.assignReplicasToDirs(request), { peerOnly: true });
