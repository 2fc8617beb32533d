/** What a handler of one API is: a declared API and the function that answers its requests. */

import type { Connection } from '../network/connection.ts';
import type { Api, DecodedFields, EncodableFields, Fields } from '../protocol/schema.ts';
import type { Cancellation } from '../replication/fetching.ts';

export interface RequestHeader {
  readonly apiKey: number;
  readonly apiVersion: number;
  readonly correlationId: number;
  readonly clientId: string | null;
}

/** What surrounds a request. */
export interface RequestContext {
  readonly header: RequestHeader;
  readonly connection: Connection;
  /** Tells when the connection is gone, so that a waiting request can be given up. */
  readonly cancellation: Cancellation;
}

/** Nothing is sent: Produce with acks=0. */
export const NO_REPLY = Symbol('no reply');
/** The connection is closed: the only way to tell a client of a failure where it awaits no reply. */
export const CLOSE = Symbol('close');

export type Outcome<Response> = Response | typeof NO_REPLY | typeof CLOSE;

/**
 * Answers requests of one API. `handle` runs synchronously up to its first `await`, in arrival order: what must keep
 * the order of a client's requests (appends) happens there.
 */
export interface Handler {
  readonly api: Api;
  readonly traits: HandlerTraits;
  handle(request: unknown, context: RequestContext): Outcome<unknown> | Promise<Outcome<unknown>>;
}

/** How an API is reached. */
export interface HandlerTraits {
  /** Only the active controller can answer: elsewhere the request is passed on to it. */
  readonly forController?: boolean;
  /** Brokers speak it among themselves: ApiVersions does not tell of it, and it is answered before this broker serves. */
  readonly peerOnly?: boolean;
  /** Looks itself whether the broker serves, for some or all of its requests are answered before. */
  readonly gatesItself?: boolean;
  /** Keeps no bytes of the request once `handle` has returned: its memory is free for the next one. */
  readonly releasesRequest?: boolean;
}

export function handler<Req extends Fields, Res extends Fields>(
  api: Api<Req, Res>,
  handle: (
    request: DecodedFields<Req>,
    context: RequestContext,
  ) => Outcome<EncodableFields<Res>> | Promise<Outcome<EncodableFields<Res>>>,
  traits: HandlerTraits = {},
): Handler {
  // The types of request and response meet here for the last time; dispatch decodes and encodes by the same `api`.
  return { api, traits, handle: handle as Handler['handle'] } as unknown as Handler;
}
