/**
 * Decodes and encodes messages by their schema. The functions for a schema and version are generated on first use;
 * later uses find them by two array and map look-ups. This file owns no format: see codec/ for how the functions are
 * made, reader.ts and writer.ts for the primitives and their limits.
 */
import { isFileRegion, type ReplyPart } from '../base/file-region.ts';
import { compileDecoder, compileEncoder, type Decoder, type Encoder } from './codec/compile.ts';
import { MalformedMessage, UnencodableMessage } from './malformed.ts';
import { MAX_ELEMENTS, Reader } from './reader.ts';
import type { Decoded, Encodable, MessageSchema } from './schema.ts';
import { includesVersion } from './versions.ts';
import { Writer } from './writer.ts';

export { MalformedMessage, UnencodableMessage } from './malformed.ts';

/** The one writer: messages are written in one synchronous run each, and keep no hold on it afterwards. */
const writer = new Writer();
const decoders = new Map<MessageSchema, Decoder[]>();
const encoders = new Map<MessageSchema, Encoder[]>();

export interface DecodeLimits {
  /** Cap on the elements of all arrays together; MAX_ELEMENTS unless told. */
  readonly maxElements?: number;
  /** Where the message must end at the latest; the end of `bytes` unless told. */
  readonly end?: number;
}

/**
 * Decodes a message that starts at `from`. Byte fields of the result are views into `bytes`. Bytes after the message
 * are ignored, as Kafka does.
 *
 * @throws MalformedMessage
 */
export function decodeMessage<S extends MessageSchema>(
  schema: S,
  version: number,
  bytes: Buffer,
  from = 0,
  limits: DecodeLimits = NO_LIMITS,
): Decoded<S> {
  const reader = new Reader(bytes, from, limits.end ?? bytes.length, limits.maxElements ?? MAX_ELEMENTS);
  return decoderFor(schema, version)(reader) as Decoded<S>;
}

/** As `decodeMessage`, for stored records: bytes after the message are malformed. */
export function decodeWhole<S extends MessageSchema>(schema: S, version: number, bytes: Buffer, from = 0): Decoded<S> {
  const reader = new Reader(bytes, from);
  const value = decoderFor(schema, version)(reader) as Decoded<S>;
  if (reader.remaining() > 0) reader.malformed(`${reader.remaining()} bytes after ${schema.name}`);
  return value;
}

/**
 * Encodes a message. Its parts are views of shared memory that is never written again, and, for large record fields,
 * the caller's own bytes and file regions, which must stay unchanged until the parts are sent.
 *
 * @throws UnencodableMessage
 */
export function encodeMessage<S extends MessageSchema>(schema: S, version: number, value: Encodable<S>): ReplyPart[] {
  return encodeWith(false, (target) => writeMessage(target, schema, version, value));
}

/** Encodes a message without file regions into one buffer. */
export function encodeToBuffer<S extends MessageSchema>(schema: S, version: number, value: Encodable<S>): Buffer {
  return joinParts(encodeMessage(schema, version, value));
}

/**
 * Runs `write` between the writer's begin and end; with `framed`, 4 bytes of size go in front. A `write` that throws
 * leaves nothing behind.
 */
export function encodeWith(framed: boolean, write: (target: Writer) => void): ReplyPart[] {
  writer.begin();
  try {
    if (framed) writer.int32(0);
    write(writer);
    return framed ? writer.finishFrame() : writer.finish();
  } catch (error) {
    writer.abandon();
    throw error;
  }
}

/** Writes one message into a writer that has begun. */
export function writeMessage<S extends MessageSchema>(
  target: Writer,
  schema: S,
  version: number,
  value: Encodable<S>,
): void {
  encoderFor(schema, version)(target, value);
}

/** The parts as one buffer; a single part is returned as it is. */
export function joinParts(parts: readonly ReplyPart[]): Buffer {
  const buffers = parts.map((part) => {
    if (isFileRegion(part)) throw new UnencodableMessage('a file region cannot go into a buffer');
    return Buffer.isBuffer(part) ? part : Buffer.from(part.buffer, part.byteOffset, part.byteLength);
  });
  return buffers.length === 1 ? buffers[0]! : Buffer.concat(buffers);
}

/** The compiled decoder, made on first use. */
export function decoderFor(schema: MessageSchema, version: number): Decoder {
  return decoders.get(schema)?.[version] ?? addDecoder(schema, version);
}

function encoderFor(schema: MessageSchema, version: number): Encoder {
  return encoders.get(schema)?.[version] ?? addEncoder(schema, version);
}

function addDecoder(schema: MessageSchema, version: number): Decoder {
  if (!includesVersion(schema.versions, version))
    throw new MalformedMessage(`${schema.name} has no version ${version}`);
  const decoder = compileDecoder(schema, version);
  remember(decoders, schema, version, decoder);
  return decoder;
}

function addEncoder(schema: MessageSchema, version: number): Encoder {
  if (!includesVersion(schema.versions, version)) {
    throw new UnencodableMessage(`${schema.name} has no version ${version}`);
  }
  const encoder = compileEncoder(schema, version);
  remember(encoders, schema, version, encoder);
  return encoder;
}

function remember<T>(known: Map<MessageSchema, T[]>, schema: MessageSchema, version: number, made: T): void {
  const versions = known.get(schema) ?? [];
  versions[version] = made;
  known.set(schema, versions);
}

const NO_LIMITS: DecodeLimits = {};
