/** Envelope (58): a client's request for the controller that another broker passes on. */
import { type EnvelopeResponse, envelope } from '../../protocol/apis/envelope.ts';
import { ErrorCode } from '../../protocol/error-codes.ts';
import { handler } from '../handler.ts';
import type { BrokerServices } from '../services.ts';

export const handleEnvelope = (services: BrokerServices) =>
  handler(
    envelope,
    async ({ requestData }, context): Promise<EnvelopeResponse> => {
      if (!services.quorum.isActiveController()) return { errorCode: ErrorCode.NOT_CONTROLLER };
      const responseData = await services.answerEnveloped(requestData, context.connection);
      return responseData === undefined
        ? { errorCode: ErrorCode.INVALID_REQUEST }
        : { errorCode: ErrorCode.NONE, responseData };
    },
    { peerOnly: true },
  );
