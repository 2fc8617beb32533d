/**
 * Handlers that fail: an operator hears of each kind once and then of how often it went on, the client gets an error in
 * the shape that it expects, and its connection stays.
 */
import type { Clock } from '../base/clock.ts';
import { messageOf, SluiceError } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import type { Reply } from '../network/reply-queue.ts';
import { produce } from '../protocol/apis/produce.ts';
import { ErrorCode } from '../protocol/error-codes.ts';
import { encodeResponseFrame } from '../protocol/frames.ts';
import type { Api } from '../protocol/schema.ts';
import { errorResponse } from './error-response.ts';
import type { RequestHeader } from './handler.ts';

/** Between two lines about one kind of failure. */
const SILENCE_MS = 60_000;
const MOST_KINDS = 200;

interface Kind {
  toldMs: number;
  times: number;
}

export class HandlerFailures {
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #kinds = new Map<string, Kind>();

  constructor(dependencies: { readonly clock: Clock; readonly logger: Logger }) {
    this.#clock = dependencies.clock;
    this.#logger = dependencies.logger;
  }

  replyTo(api: Api, header: RequestHeader, request: unknown, error: unknown): Reply {
    this.#tell(api, header, error);
    // Who awaits no reply learns of a failure by the end of the connection.
    if (api.key === produce.key && (request as { readonly acks: number }).acks === 0) return 'close';
    const { apiVersion, correlationId } = header;
    const response = errorResponse(api, apiVersion, request, ErrorCode.UNKNOWN_SERVER_ERROR);
    return encodeResponseFrame(api, apiVersion, correlationId, response);
  }

  #tell(api: Api, { apiVersion, clientId }: RequestHeader, error: unknown): void {
    const reason = messageOf(error);
    const key = `${api.key} ${reason}`;
    const nowMs = this.#clock.monotonicMs();
    const kind = this.#kinds.get(key);
    if (kind !== undefined && nowMs - kind.toldMs < SILENCE_MS) {
      kind.times++;
      return;
    }
    if (this.#kinds.size >= MOST_KINDS) this.#kinds.clear();
    this.#kinds.set(key, { toldMs: nowMs, times: 0 });
    const again = kind === undefined ? {} : { timesSince: kind.times };
    // What the surroundings did needs no stack.
    const stack = error instanceof Error && !(error instanceof SluiceError) ? { stack: error.stack } : {};
    this.#logger.error('a request could not be answered', {
      request: api.name,
      version: apiVersion,
      clientId,
      reason,
      ...again,
      ...stack,
    });
  }
}
