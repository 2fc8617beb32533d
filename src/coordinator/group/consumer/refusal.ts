/** Why a request is not served, in the form of every reply: a code and a sentence. */
import type { ErrorCode } from '../../../protocol/error-codes.ts';

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
