/** Turns generated text into functions. The text stays at hand for whoever debugs a codec: see `generatedSource`. */

import type { Reader } from '../reader.ts';
import type { MessageSchema } from '../schema.ts';
import type { Writer } from '../writer.ts';
import { decoderSource } from './decoder-source.ts';
import { encoderSource } from './encoder-source.ts';

export type Decoder = (reader: Reader) => unknown;
export type Encoder = (writer: Writer, value: unknown) => void;

const NO_BYTES = Buffer.alloc(0);

export function compileDecoder(schema: MessageSchema, version: number): Decoder {
  return compile(decoderSource(schema, version), `${schema.name}-${version}-decoder`) as Decoder;
}

export function compileEncoder(schema: MessageSchema, version: number): Encoder {
  return compile(encoderSource(schema, version), `${schema.name}-${version}-encoder`) as Encoder;
}

/** The JavaScript that decodes and encodes a message in one version, for reading. */
export function generatedSource(schema: MessageSchema, version: number): string {
  return `// decoder\n${decoderSource(schema, version)}\n\n// encoder\n${encoderSource(schema, version)}\n`;
}

/** The source's name appears in stack traces and profiles. Only declared schemas reach this: no input, no injection. */
function compile(source: string, name: string): unknown {
  return new Function('NO_BYTES', `'use strict';\n${source}\n//# sourceURL=sluice:${name}`)(NO_BYTES);
}
