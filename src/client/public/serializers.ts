/** Between what a program works with and the bytes of keys and values. Null is nobody's to translate: it stays null. */
import { messageOf, SluiceError } from '../../base/errors.ts';

/** Where the content belongs. */
export interface ContentPlace {
  readonly topic: string;
  readonly part: 'key' | 'value';
}

export interface Serializer<T> {
  /** Text is sent as UTF-8. What it throws is the cause of a SERIALIZATION_FAILED. */
  serialize(content: T, place: ContentPlace): Uint8Array | string;
}

export interface Deserializer<T> {
  /** The bytes may be a view of a larger memory. What it throws is the cause of a DESERIALIZATION_FAILED. */
  deserialize(bytes: Buffer, place: ContentPlace): T;
}

/** Both ways. */
export interface Serde<T> extends Serializer<T>, Deserializer<T> {}

/** UTF-8 text. */
export const string: Serde<string> = {
  serialize: (content) => content,
  deserialize: (bytes) => bytes.toString('utf8'),
};

/** Bytes as they are: views of what was fetched, which stays in memory as long as one of them does. */
export const buffer: Serializer<Uint8Array> & Deserializer<Buffer> = {
  serialize: (content) => content,
  deserialize: (bytes) => bytes,
};

/** JSON text. Nobody checks that what comes in is a `T`: give a function that does, where others write too. */
export function json<T>(check: (content: unknown) => T = (content) => content as T): Serde<T> {
  return {
    serialize: (content) => JSON.stringify(content),
    deserialize: (bytes) => check(JSON.parse(bytes.toString('utf8'))),
  };
}

/** What is sent where a producer has no serializer. */
export type Content = Uint8Array | string;

export const asIs: Serializer<Content> = { serialize: (content) => content };

/** Throws a SluiceError SERIALIZATION_FAILED. */
export function serialized<T>(
  serializer: Serializer<T>,
  content: T | null | undefined,
  topic: string,
  part: ContentPlace['part'],
): Uint8Array | string | null {
  if (content === null || content === undefined) return null;
  let bytes: unknown = content;
  if ((serializer as unknown) !== asIs) {
    try {
      bytes = serializer.serialize(content, { topic, part });
    } catch (cause) {
      throw failed('SERIALIZATION_FAILED', { topic, part }, cause);
    }
  }
  if (typeof bytes === 'string' || bytes instanceof Uint8Array) return bytes;
  const cause = new TypeError(`it is ${typeof bytes}, neither bytes nor text`);
  throw failed('SERIALIZATION_FAILED', { topic, part }, cause);
}

/** Throws a SluiceError DESERIALIZATION_FAILED. */
export function deserialized<T>(
  deserializer: Deserializer<T>,
  bytes: Buffer | null,
  topic: string,
  part: ContentPlace['part'],
): T | null {
  if (bytes === null) return null;
  // What is not looked at costs no object.
  if ((deserializer as unknown) === buffer) return bytes as T;
  try {
    return deserializer.deserialize(bytes, { topic, part });
  } catch (cause) {
    throw failed('DESERIALIZATION_FAILED', { topic, part }, cause);
  }
}

function failed(code: string, { topic, part }: ContentPlace, cause: unknown): SluiceError {
  return new SluiceError(code, `the ${part} of a record of ${topic}: ${messageOf(cause)}`, {
    cause,
    remedy: 'Look at the cause: the content is not what the serializer expects.',
  });
}
