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
  { logger, failures }: DispatchDependencies,
  { toController, gate, obstacle = () => undefined }: DispatchOptions = {},
): RequestHandler {
  const byKey: (Handler | undefined)[] = [];
  for (const handler of handlers) byKey[handler.api.key] = handler;

  const flexibleFor = (apiKey: number, apiVersion: number): boolean | undefined => {
    const api = byKey[apiKey]?.api;
    return api === undefined ? undefined : includesVersion(api.request.flexible, apiVersion);
  };

  const refuse = (connection: Connection, why: string): Reply => {
    logger.warn('closed a connection', {
      peer: `${connection.remoteAddress}:${connection.remotePort}`,
      listener: connection.listenerName,
      reason: why,
    });
    return 'close';
  };

  return (frame, connection) => {
    let header: RequestHeader;
    let request: unknown;
    let handler: Handler | undefined;
    try {
      header = decodeRequestHeader(frame, flexibleFor);
      handler = byKey[header.apiKey];
      if (handler === undefined) return refuse(connection, `API key ${header.apiKey} is not served`);
      if (!includesVersion(handler.api.request.versions, header.apiVersion)) {
        if (handler.api.key === apiVersions.key) return unknownApiVersions(header);
        return refuse(connection, `${handler.api.name} version ${header.apiVersion} is not served`);
      }
      request = decodeRequestBody(handler.api, header.apiVersion, frame, header.bodyAt);
    } catch (error) {
      return refuse(connection, `malformed request: ${messageOf(error)}`);
    }
    const { api } = handler;
    const fail = (error: unknown): Reply => failures.replyTo(api, header, request, error);
    const finish = (outcome: Outcome<unknown>): Reply => {
      try {
        return replyOf(api, header, outcome);
      } catch (error) {
        return fail(error);
      }
    };
    const { traits } = handler;
    const answer = (): Reply | Promise<Reply> => {
      try {
        const outcome = handler.handle(request, { header, connection, cancellation: cancellationOf(connection) });
        if (traits.releasesRequest === true) connection.recycle(frame);
        return outcome instanceof Promise ? outcome.then(finish, fail) : finish(outcome);
      } catch (error) {
        return fail(error);
      }
    };
    if (gate?.isOpen === false && traits.peerOnly !== true && traits.gatesItself !== true) {
      return gate.pass().then((serves) => (serves ? answer() : 'close'));
    }
    if (traits.forController !== true) return answer();
    // Brokers try again by themselves, and clients that are told to as well: they would never tell anybody why.
    const answerUnlessHindered = (): Reply | Promise<Reply> => {
      const why = traits.peerOnly === true ? undefined : obstacle();
      return why === undefined
        ? answer()
        : replyOf(api, header, errorResponse(api, header.apiVersion, request, HINDERED, why));
    };
    if (toController === undefined || toController.isHere) return answerUnlessHindered();
    // Without an answer from the controller ours is a refusal in the right shape: not the controller.
    return toController
      .forward(frame)
      .then((response) => (response === undefined ? answerUnlessHindered() : withSize(response)));
  };
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
