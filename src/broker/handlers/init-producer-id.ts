/** InitProducerId (22), versions 0-5: ids for idempotent producers. */

import { SluiceError } from '../../base/errors.ts';
import { type InitProducerIdResponse, initProducerId } from '../../protocol/apis/init-producer-id.ts';
import { ErrorCode } from '../../protocol/error-codes.ts';
import { handler } from '../handler.ts';
import type { BrokerServices } from '../services.ts';

export const handleInitProducerId = (services: BrokerServices) =>
  handler(initProducerId, async (request): Promise<InitProducerIdResponse> => {
    const { producerId, producerEpoch } = request;
    if ((producerId === -1) !== (producerEpoch === -1))
      return { errorCode: ErrorCode.INVALID_REQUEST, producerEpoch: -1 };
    if (request.transactionalId !== null) {
      // Transactions need a coordinator, which is not served and not advertised: say so instead of "try again".
      const errorCode =
        request.transactionalId === '' ? ErrorCode.INVALID_REQUEST : ErrorCode.TRANSACTIONAL_ID_NOT_FOUND;
      return { errorCode, producerEpoch: -1 };
    }
    // A plain idempotent producer that asks again gets a new id: its old one has no owner to bump the epoch for.
    const next = await services.producerIds.next().catch((error: unknown) => {
      // No block could be written to the metadata; the client asks again, as Kafka has it do.
      if (error instanceof SluiceError) return undefined;
      throw error;
    });
    if (next === undefined) return { errorCode: ErrorCode.COORDINATOR_LOAD_IN_PROGRESS, producerEpoch: -1 };
    return { producerId: next, producerEpoch: 0 };
  });
