/** ConsumerGroupHeartbeat (68), versions 0-1: a member of a consumer group joins, lives, leaves and is assigned. */
import { consumerGroupHeartbeat } from '../../protocol/apis/consumer-group-heartbeat.ts';
import { ErrorCode } from '../../protocol/error-codes.ts';
import { groupClientOf } from '../group-client.ts';
import { servesConsumerProtocol } from '../group-protocols.ts';
import { handler } from '../handler.ts';
import type { BrokerServices } from '../services.ts';

export const handleConsumerGroupHeartbeat = (services: BrokerServices) =>
  handler(consumerGroupHeartbeat, (request, context) =>
    servesConsumerProtocol(services)
      ? services.groups.consumerGroupHeartbeat(request, groupClientOf(context))
      : { errorCode: ErrorCode.UNSUPPORTED_VERSION },
  );
