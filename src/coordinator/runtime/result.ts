import type { ErrorCode } from '../../protocol/error-codes.ts';

/** What a request to a coordinator comes to. Nothing durable has changed yet: replaying the records does that. */
export interface Result<Reply, Rec> {
  readonly records: readonly Rec[];
  readonly reply: Reply;
  /**
   * For state that runs ahead of its record (a classic group between two generations): the records are then not
   * replayed, and this is called once they are committed, or with the error that kept them from it.
   */
  readonly settle?: (errorCode: ErrorCode) => void;
}
