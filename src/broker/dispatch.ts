/**
 * From a frame to its reply: header, version, decoding, the handler, encoding. What cannot be understood closes the
 * connection with one log line, as Kafka does; only ApiVersions answers a version it does not know, since clients
 * begin with it. A handler that fails is answered for (handler-failures.ts).
 */

import { messageOf } from '../base/errors.ts';
import type { ReplyPart } from '../base/file-region.ts';
import type { Logger } from '../base/logger.ts';
import type { Connection, RequestHandler } from '../network/connection.ts';
import { FRAME_PREFIX_BYTES } from '../network/frame-reader.ts';
import type { Reply } from '../network/reply-queue.ts';
import { apiVersions } from '../protocol/apis/api-versions.ts';
import { ErrorCode } from '../protocol/error-codes.ts';
import { decodeRequestBody, decodeRequestHeader, encodeResponseFrame, type RequestHeader } from '../protocol/frames.ts';
import { includesVersion } from '../protocol/versions.ts';
import { cancellationOf } from './cancellation.ts';
import { errorResponse } from './error-response.ts';
import { CLOSE, type Handler, NO_REPLY, type Outcome } from './handler.ts';
import type { HandlerFailures } from './handler-failures.ts';
import type { ServingGate } from './serving-gate.ts';

/** The way to the active controller, for requests that only it can answer. */
export interface ControllerRoute {
  /** Whether they are answered here. */
  readonly isHere: boolean;
  /** Takes a request frame and resolves with the response, both without size; undefined where none was to be had. */
  forward(frame: Buffer): Promise<Buffer | undefined>;
}

export interface DispatchDependencies {
  readonly logger: Logger;
  readonly failures: HandlerFailures;
}

/** What surrounds a dispatch: without a route everything is answered here, without a gate at once. */
export interface DispatchOptions {
  readonly toController?: ControllerRoute;
  readonly gate?: ServingGate;
  /** Why the controller can change nothing now: clients are told that instead of being sent around. */
  readonly obstacle?: () => string | undefined;
}

/** Builds the function that answers frames from the handler table. */
export function createDispatch(
  handlers: readonly Handler[],
  dependencies: DispatchDependencies,
  options: DispatchOptions = {},
): RequestHandler {
  const dispatch = new Dispatch(handlers, dependencies, options);
  return (frame, connection) => dispatch.serve(frame, connection);
}

/** A request that was understood. */
interface Asked {
  readonly handler: Handler;
  readonly header: RequestHeader;
  readonly request: unknown;
  readonly frame: Buffer;
  readonly connection: Connection;
}

class Dispatch {
  readonly #byKey: (Handler | undefined)[] = [];
  readonly #deps: DispatchDependencies;
  readonly #options: DispatchOptions;
  readonly #flexibleFor = (apiKey: number, apiVersion: number): boolean | undefined => {
    const api = this.#byKey[apiKey]?.api;
    return api === undefined ? undefined : includesVersion(api.request.flexible, apiVersion);
  };

  constructor(handlers: readonly Handler[], dependencies: DispatchDependencies, options: DispatchOptions) {
    for (const handler of handlers) this.#byKey[handler.api.key] = handler;
    this.#deps = dependencies;
    this.#options = options;
  }

  serve(frame: Buffer, connection: Connection): Reply | Promise<Reply> {
    let asked: Asked;
    try {
      const header = decodeRequestHeader(frame, this.#flexibleFor);
      const handler = this.#byKey[header.apiKey];
      if (handler === undefined) return this.#refuse(connection, `API key ${header.apiKey} is not served`);
      const { api } = handler;
      if (!includesVersion(api.request.versions, header.apiVersion)) {
        if (api.key === apiVersions.key) return unknownApiVersions(header);
        return this.#refuse(connection, `${api.name} version ${header.apiVersion} is not served`);
      }
      const request = decodeRequestBody(api, header.apiVersion, frame, header.bodyAt);
      asked = { handler, header, request, frame, connection };
    } catch (error) {
      return this.#refuse(connection, `malformed request: ${messageOf(error)}`);
    }
    return this.#route(asked);
  }

  /** Waits until the broker serves, where that matters, and finds who answers. */
  #route(asked: Asked): Reply | Promise<Reply> {
    const { traits } = asked.handler;
    const { gate, toController } = this.#options;
    if (gate?.isOpen === false && traits.peerOnly !== true && traits.gatesItself !== true) {
      return gate.pass().then((serves) => (serves ? this.#answer(asked) : 'close'));
    }
    if (traits.forController !== true) return this.#answer(asked);
    if (toController === undefined || toController.isHere) return this.#answerUnlessHindered(asked);
    // Without an answer from the controller ours is a refusal in the right shape: not the controller.
    return toController
      .forward(asked.frame)
      .then((response) => (response === undefined ? this.#answerUnlessHindered(asked) : withSize(response)));
  }

  #answer(asked: Asked): Reply | Promise<Reply> {
    const { handler, header, request, frame, connection } = asked;
    try {
      const outcome = handler.handle(request, { header, connection, cancellation: cancellationOf(connection) });
      if (handler.traits.releasesRequest === true) connection.recycle(frame);
      if (!(outcome instanceof Promise)) return this.#finish(asked, outcome);
      return outcome.then(
        (settled) => this.#finish(asked, settled),
        (error: unknown) => this.#fail(asked, error),
      );
    } catch (error) {
      return this.#fail(asked, error);
    }
  }

  #answerUnlessHindered(asked: Asked): Reply | Promise<Reply> {
    const { handler, header, request } = asked;
    // Brokers try again by themselves, and clients that are told to as well: they would never tell anybody why.
    const why = handler.traits.peerOnly === true ? undefined : this.#options.obstacle?.();
    if (why === undefined) return this.#answer(asked);
    return replyOf(handler.api, header, errorResponse(handler.api, header.apiVersion, request, HINDERED, why));
  }

  #finish(asked: Asked, outcome: Outcome<unknown>): Reply {
    try {
      return replyOf(asked.handler.api, asked.header, outcome);
    } catch (error) {
      return this.#fail(asked, error);
    }
  }

  #fail({ handler, header, request }: Asked, error: unknown): Reply {
    return this.#deps.failures.replyTo(handler.api, header, request, error);
  }

  #refuse(connection: Connection, why: string): Reply {
    this.#deps.logger.warn('closed a connection', {
      peer: `${connection.remoteAddress}:${connection.remotePort}`,
      listener: connection.listenerName,
      reason: why,
    });
    return 'close';
  }
}

/** Not retriable: Kafka's tools say at once what the message is. */
const HINDERED = ErrorCode.UNKNOWN_SERVER_ERROR;

function withSize(response: Buffer): readonly ReplyPart[] {
  const size = Buffer.allocUnsafe(FRAME_PREFIX_BYTES);
  size.writeInt32BE(response.length);
  return [size, response];
}

function replyOf(api: Handler['api'], header: RequestHeader, outcome: Outcome<unknown>): Reply {
  if (outcome === NO_REPLY) return 'none';
  if (outcome === CLOSE) return 'close';
  return encodeResponseFrame(api, header.apiVersion, header.correlationId, outcome as Record<string, unknown>);
}

/** Version 0 of the reply, which every client reads, naming only the range of ApiVersions itself (KIP-511). */
function unknownApiVersions(header: RequestHeader): readonly ReplyPart[] {
  const { from, to } = apiVersions.request.versions;
  return encodeResponseFrame(apiVersions, 0, header.correlationId, {
    errorCode: ErrorCode.UNSUPPORTED_VERSION,
    apiKeys: [{ apiKey: apiVersions.key, minVersion: from, maxVersion: to }],
  });
}
