/**
 * Requests and responses as they stand on a connection: size, header, body. Which header version goes with which API
 * version is known here and nowhere else.
 *
 *   request   size int32 | api key int16 | api version int16 | correlation id int32 | client id string? | tags | body
 *   response  size int32 | correlation id int32 | tags | body
 *
 * The tags are there in flexible versions, with one exception: an ApiVersions response never has them, so that a
 * client which does not yet know the broker can read it (KIP-511).
 */
import type { ReplyPart } from '../base/file-region.ts';
import { decoderFor, encodeWith, joinParts, writeMessage } from './codec.ts';
import { MAX_ELEMENTS, MAX_REQUEST_ELEMENTS, Reader } from './reader.ts';
import {
  type Api,
  type DecodedFields,
  type EncodableFields,
  type Fields,
  int16,
  int32,
  message,
  string,
} from './schema.ts';
import { includesVersion } from './versions.ts';

export const requestHeader = message('RequestHeader', '1-2', '2+', {
  requestApiKey: int16('0+'),
  requestApiVersion: int16('0+'),
  correlationId: int32('0+'),
  clientId: string('1+', { nullable: '1+', flexible: 'none' }),
});

export const responseHeader = message('ResponseHeader', '0-1', '1+', {
  correlationId: int32('0+'),
});

const API_VERSIONS_KEY = 18;

export interface RequestHeader {
  readonly apiKey: number;
  readonly apiVersion: number;
  readonly correlationId: number;
  readonly clientId: string | null;
  /** Where the body starts in the frame. */
  readonly bodyAt: number;
}

/**
 * Reads the header of a request frame (without its size). `flexibleFor` tells whether a version of an API is flexible;
 * for an unknown API it returns undefined, and then the client id is not read (its place is unknown).
 *
 * @throws MalformedMessage
 */
export function decodeRequestHeader(
  frame: Buffer,
  flexibleFor: (apiKey: number, apiVersion: number) => boolean | undefined,
): RequestHeader {
  const reader = new Reader(frame);
  const apiKey = reader.int16();
  const apiVersion = reader.int16();
  const correlationId = reader.int32();
  const flexible = flexibleFor(apiKey, apiVersion);
  let clientId: string | null = null;
  if (flexible !== undefined) {
    clientId = reader.nullableString();
    if (flexible) reader.skipTagged();
  }
  return { apiKey, apiVersion, correlationId, clientId, bodyAt: reader.at };
}

/** Decodes a request's body, with the tighter limits that hold for what strangers send. */
export function decodeRequestBody<Req extends Fields, Res extends Fields>(
  api: Api<Req, Res>,
  version: number,
  frame: Buffer,
  bodyAt: number,
): DecodedFields<Req> {
  const reader = new Reader(frame, bodyAt, frame.length, MAX_REQUEST_ELEMENTS);
  return decoderFor(api.request, version)(reader) as DecodedFields<Req>;
}

/** Encodes a request with its size in front. */
export function encodeRequestFrame<Req extends Fields, Res extends Fields>(
  api: Api<Req, Res>,
  version: number,
  header: { readonly correlationId: number; readonly clientId: string | null },
  body: EncodableFields<Req>,
): Buffer[] {
  const parts = encodeWith(true, (writer) => {
    writer.int16(api.key);
    writer.int16(version);
    writer.int32(header.correlationId);
    writer.nullableString(header.clientId);
    if (includesVersion(api.request.flexible, version)) writer.unsignedVarint(0);
    writeMessage(writer, api.request, version, body as never);
  });
  return parts.map((part) => joinParts([part]));
}

/** Encodes a response with its size in front; regions of record bytes are parts of their own. */
export function encodeResponseFrame<Req extends Fields, Res extends Fields>(
  api: Api<Req, Res>,
  version: number,
  correlationId: number,
  body: EncodableFields<Res>,
): ReplyPart[] {
  return encodeWith(true, (writer) => {
    writer.int32(correlationId);
    if (hasResponseTags(api, version)) writer.unsignedVarint(0);
    writeMessage(writer, api.response, version, body as never);
  });
}

/**
 * Decodes a response frame (without its size).
 *
 * @throws MalformedMessage
 */
export function decodeResponseFrame<Req extends Fields, Res extends Fields>(
  api: Api<Req, Res>,
  version: number,
  frame: Buffer,
): { correlationId: number; body: DecodedFields<Res> } {
  const reader = new Reader(frame, 0, frame.length, MAX_ELEMENTS);
  const correlationId = reader.int32();
  if (hasResponseTags(api, version)) reader.skipTagged();
  return { correlationId, body: decoderFor(api.response, version)(reader) as DecodedFields<Res> };
}

/** The correlation id alone, for matching a response to what it answers. */
export function responseCorrelationId(frame: Buffer): number {
  return new Reader(frame).int32();
}

function hasResponseTags(api: Api, version: number): boolean {
  return api.key !== API_VERSIONS_KEY && includesVersion(api.response.flexible, version);
}
