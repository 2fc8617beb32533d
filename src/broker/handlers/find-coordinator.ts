/** FindCoordinator (10), versions 0-6: which broker answers for a group. */
import { OFFSETS_TOPIC } from '../../coordinator/group/group-coordinator.ts';
import { type FindCoordinatorResponse, findCoordinator } from '../../protocol/apis/find-coordinator.ts';
import { type ErrorCode as Code, ErrorCode, errorMessage } from '../../protocol/error-codes.ts';
import { type BrokerAddress, brokersOf } from '../cluster-view.ts';
import { handler } from '../handler.ts';
import type { BrokerServices } from '../services.ts';

type Found = Pick<BrokerAddress, 'id' | 'host' | 'port'> & { readonly errorCode: Code };

const KEY_TYPE_GROUP = 0;
/** From then on many groups may be asked for at once. */
const MANY_KEYS_SINCE = 4;

const noCoordinator = (errorCode: Code): Found => ({ id: -1, host: '', port: -1, errorCode });

export const handleFindCoordinator = (services: BrokerServices) =>
  handler(findCoordinator, async (request, context): Promise<FindCoordinatorResponse> => {
    const isGroup = request.keyType === KEY_TYPE_GROUP;
    if (isGroup) await services.internalTopics.ensureOffsets();
    const find = (key: string): Found =>
      // Other coordinators are not served: a client that tried again would wait in vain.
      isGroup
        ? coordinatorOf(services, key, context.connection.listenerName)
        : noCoordinator(ErrorCode.INVALID_REQUEST);
    if (context.header.apiVersion >= MANY_KEYS_SINCE) {
      return {
        errorCode: ErrorCode.NONE,
        nodeId: 0,
        host: '',
        port: 0,
        errorMessage: null,
        coordinators: request.coordinatorKeys.map((key) => {
          const { id: nodeId, host, port, errorCode } = find(key);
          // That the coordinator is not there yet is told by its code alone, as by Kafka.
          const said = errorCode === ErrorCode.INVALID_REQUEST ? errorMessage(errorCode) : '';
          return { key, nodeId, host, port, errorCode, errorMessage: said };
        }),
      };
    }
    const { id: nodeId, host, port, errorCode } = find(request.key);
    return {
      errorCode,
      errorMessage: errorCode === ErrorCode.NONE ? 'NONE' : errorMessage(errorCode),
      nodeId,
      host,
      port,
      coordinators: [],
    };
  });

function coordinatorOf({ quorum, groups }: BrokerServices, groupId: string, listenerName: string): Found {
  const image = quorum.image();
  const partition = image.topics.byName.get(OFFSETS_TOPIC)?.partitions[groups.partitionFor(groupId)];
  const broker = brokersOf(image, listenerName).find(({ id }) => id === partition?.leader);
  return broker === undefined
    ? noCoordinator(ErrorCode.COORDINATOR_NOT_AVAILABLE)
    : { ...broker, errorCode: ErrorCode.NONE };
}
