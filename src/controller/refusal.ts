/** Why the controller did not do something, in the form of every reply: a code and a sentence. */
import { messageOf, SluiceError } from '../base/errors.ts';
import { ErrorCode } from '../protocol/error-codes.ts';

export interface Refusal {
  readonly errorCode: ErrorCode;
  readonly errorMessage: string;
}

export function refuse(errorCode: ErrorCode, errorMessage: string): Refusal {
  return { errorCode, errorMessage };
}

export function isRefusal(outcome: object): outcome is Refusal {
  return 'errorCode' in outcome;
}

/**
 * What a client is told where the metadata could not be written. Anything but an operational error is a bug and is
 * thrown on.
 */
export function refusalOf(error: unknown): Refusal {
  if (!(error instanceof SluiceError)) throw error;
  const errorCode = error.code === 'NOT_CONTROLLER' ? ErrorCode.NOT_CONTROLLER : ErrorCode.UNKNOWN_SERVER_ERROR;
  return refuse(errorCode, messageOf(error));
}
