/**
 * Frames captured from real clients: each is decoded, and encoded again to the very same bytes, by the generated
 * functions and by the interpreter.
 *
 * A file in frames/ is { client, captured, frames: [{ apiKey, apiVersion, direction, hex }] }; `hex` is a frame without
 * its 4 bytes of size. A frame with `encodesOtherwise` (a reason) is one that we would write differently: it is decoded
 * only.
 */
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { interpretDecode, interpretEncode } from '../../src/protocol/codec/interpret.ts';
import { decodeMessage, encodeToBuffer, encodeWith, joinParts } from '../../src/protocol/codec.ts';
import {
  decodeRequestBody,
  decodeRequestHeader,
  decodeResponseFrame,
  encodeRequestFrame,
  encodeResponseFrame,
} from '../../src/protocol/frames.ts';
import { Reader } from '../../src/protocol/reader.ts';
import type { Api, MessageSchema } from '../../src/protocol/schema.ts';
import { includesVersion } from '../../src/protocol/versions.ts';
import { declaredSchemas, projectRoot } from '../support/declared-schemas.ts';

interface GoldenFrame {
  readonly apiKey: number;
  readonly apiVersion: number;
  readonly direction: 'request' | 'response';
  readonly hex: string;
  readonly encodesOtherwise?: string;
}

interface GoldenFile {
  readonly client: string;
  readonly captured: string;
  readonly frames: readonly GoldenFrame[];
}

const folder = join(projectRoot, 'test', 'golden', 'frames');
const files = existsSync(folder) ? readdirSync(folder).filter((file) => file.endsWith('.json')) : [];
const { apis } = await declaredSchemas();

if (files.length === 0) test('golden frames', { skip: `no file in ${folder}` }, () => undefined);

for (const file of files) {
  const golden = JSON.parse(readFileSync(join(folder, file), 'utf8')) as GoldenFile;
  test(`frames of ${golden.client} are read and written to the byte (${file})`, (t) => {
    let checked = 0;
    for (const [index, frame] of golden.frames.entries()) {
      const api = apis.find(({ key }) => key === frame.apiKey);
      if (api === undefined || !includesVersion(api.request.versions, frame.apiVersion)) continue;
      const what = `frame ${index}: ${api.name} ${frame.direction} version ${frame.apiVersion}`;
      try {
        checkFrame(api, frame);
      } catch (error) {
        throw new Error(`${what} of ${golden.client}`, { cause: error });
      }
      checked++;
    }
    assert.ok(checked > 0, 'no frame belongs to a declared API');
    t.diagnostic(`${checked} of ${golden.frames.length} frames; the others belong to APIs not declared`);
  });
}

function checkFrame(api: Api, frame: GoldenFrame): void {
  const bytes = Buffer.from(frame.hex, 'hex');
  const { bodyAt, encoded, schema } =
    frame.direction === 'request' ? passRequest(api, bytes) : passResponse(api, frame, bytes);
  const body = bytes.subarray(bodyAt);
  const reader = new Reader(body);
  const interpreted = interpretDecode(schema, frame.apiVersion, reader);
  assert.deepEqual(interpreted, decodeMessage(schema, frame.apiVersion, body));
  if (frame.encodesOtherwise !== undefined) return;
  assert.equal(reader.remaining(), 0, 'bytes are left after the body');
  assert.equal(encoded.toString('hex'), frame.hex);
  const parts = encodeWith(false, (writer) => interpretEncode(schema, frame.apiVersion, writer, interpreted));
  assert.equal(joinParts(parts).toString('hex'), body.toString('hex'));
  assert.deepEqual(encodeToBuffer(schema, frame.apiVersion, interpreted as never), body);
}

interface Passed {
  readonly bodyAt: number;
  /** The frame as we write it, without its size. */
  readonly encoded: Buffer;
  readonly schema: MessageSchema;
}

function passRequest(api: Api, bytes: Buffer): Passed {
  const header = decodeRequestHeader(bytes, (_key, version) => includesVersion(api.request.flexible, version));
  assert.equal(header.apiKey, api.key);
  const body = decodeRequestBody(api, header.apiVersion, bytes, header.bodyAt);
  const encoded = joinParts(encodeRequestFrame(api, header.apiVersion, header, body)).subarray(4);
  return { bodyAt: header.bodyAt, encoded, schema: api.request };
}

function passResponse(api: Api, frame: GoldenFrame, bytes: Buffer): Passed {
  const { correlationId, body } = decodeResponseFrame(api, frame.apiVersion, bytes);
  const encoded = joinParts(encodeResponseFrame(api, frame.apiVersion, correlationId, body)).subarray(4);
  const bodyLength = encodeToBuffer(api.response, frame.apiVersion, body as never).length;
  return { bodyAt: bytes.length - bodyLength, encoded, schema: api.response };
}
