/** DescribeCluster (60), versions 0-2: the brokers, their endpoints, the controller. */
import { type DescribeClusterResponse, describeCluster } from '../../protocol/apis/describe-cluster.ts';
import { ErrorCode } from '../../protocol/error-codes.ts';
import { CLUSTER_OPERATIONS, operationBits } from '../../security/operations.ts';
import { brokersOf } from '../cluster-view.ts';
import { handler } from '../handler.ts';
import type { BrokerServices } from '../services.ts';

const BROKER_ENDPOINTS = 1;
const CONTROLLER_ENDPOINTS = 2;
const NOT_ASKED = -(2 ** 31);

export const handleDescribeCluster = (services: BrokerServices) =>
  handler(describeCluster, (request, context): DescribeClusterResponse => {
    const { endpointType } = request;
    if (endpointType !== BROKER_ENDPOINTS) {
      const errorCode =
        endpointType === CONTROLLER_ENDPOINTS
          ? ErrorCode.MISMATCHED_ENDPOINT_TYPE
          : ErrorCode.UNSUPPORTED_ENDPOINT_TYPE;
      const errorMessage = 'this is a broker: ask it for broker endpoints';
      return { errorCode, errorMessage, clusterId: '', brokers: [] };
    }
    return {
      endpointType,
      clusterId: services.quorum.image().clusterId,
      controllerId: services.quorum.controllerId(),
      brokers: brokersOf(services.quorum.image(), context.connection.listenerName, {
        includeFenced: request.includeFencedBrokers,
      }).map(({ id, host, port, rack, fenced }) => ({ brokerId: id, host, port, rack, isFenced: fenced })),
      clusterAuthorizedOperations: request.includeClusterAuthorizedOperations
        ? operationBits(CLUSTER_OPERATIONS)
        : NOT_ASKED,
    };
  });
