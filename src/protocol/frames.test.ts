import assert from 'node:assert/strict';
import { test } from 'node:test';
import { apiVersions } from './apis/api-versions.ts';
import { metadata } from './apis/metadata.ts';
import { produce } from './apis/produce.ts';
import { joinParts, MalformedMessage } from './codec.ts';
import {
  decodeRequestBody,
  decodeRequestHeader,
  decodeResponseFrame,
  encodeRequestFrame,
  encodeResponseFrame,
  responseCorrelationId,
} from './frames.ts';
import { includesVersion } from './versions.ts';

const apis = [apiVersions, metadata, produce];
const flexibleFor = (apiKey: number, version: number): boolean | undefined => {
  const api = apis.find(({ key }) => key === apiKey);
  return api === undefined ? undefined : includesVersion(api.request.flexible, version);
};

/** Checks the size in front and returns the rest. */
function unframed(parts: Parameters<typeof joinParts>[0]): Buffer {
  const bytes = joinParts(parts);
  assert.equal(bytes.readInt32BE(0), bytes.length - 4);
  return bytes.subarray(4);
}

test('a request comes back whole through header version 1 and header version 2', () => {
  for (const version of [1, 12]) {
    const frame = unframed(
      encodeRequestFrame(metadata, version, { correlationId: 77, clientId: 'café' }, { topics: null } as never),
    );
    const header = decodeRequestHeader(frame, flexibleFor);
    assert.deepEqual(
      [header.apiKey, header.apiVersion, header.correlationId, header.clientId],
      [metadata.key, version, 77, 'café'],
    );
    assert.equal(decodeRequestBody(metadata, version, frame, header.bodyAt).topics, null);
  }
});

test('a client id may be null, also in a flexible header, where its length stays 16 bits wide', () => {
  const frame = unframed(encodeRequestFrame(apiVersions, 3, { correlationId: 1, clientId: null }, {} as never));
  assert.equal(frame.readInt16BE(8), -1);
  assert.equal(decodeRequestHeader(frame, flexibleFor).clientId, null);
});

test('the header of an unknown API is read as far as its place is known', () => {
  const frame = Buffer.from('03e7000000000005', 'hex');
  assert.deepEqual(decodeRequestHeader(frame, flexibleFor), {
    apiKey: 999,
    apiVersion: 0,
    correlationId: 5,
    clientId: null,
    bodyAt: 8,
  });
});

test('a frame that ends inside its header is malformed', () => {
  for (let length = 0; length < 11; length++) {
    const frame = Buffer.from('0012000300000001000261', 'hex').subarray(0, length);
    assert.throws(() => decodeRequestHeader(frame, flexibleFor), MalformedMessage);
  }
});

test('a response comes back whole with and without tags in its header', () => {
  for (const version of [1, 9]) {
    const frame = unframed(encodeResponseFrame(metadata, version, 5, { brokers: [], topics: [], controllerId: 3 }));
    assert.equal(responseCorrelationId(frame), 5);
    const { correlationId, body } = decodeResponseFrame(metadata, version, frame);
    assert.deepEqual([correlationId, body.controllerId], [5, 3]);
  }
});

test('an ApiVersions response has no tags in its header in any version', () => {
  const frame = unframed(encodeResponseFrame(apiVersions, 3, 1, { errorCode: 35, apiKeys: [] } as never));
  assert.equal(frame.readInt16BE(4), 35);
  assert.equal(decodeResponseFrame(apiVersions, 3, frame).body.errorCode, 35);
});

test('the records of a request follow its head without a copy', () => {
  const records = Buffer.alloc(10_000, 1);
  const body = { acks: 1, timeoutMs: 5, topicData: [{ name: 't', partitionData: [{ index: 0, records }] }] };
  const parts = encodeRequestFrame(produce, 9, { correlationId: 1, clientId: 'c' }, body as never);
  assert.equal(parts[1], records);
  assert.equal(joinParts(parts).readInt32BE(0) + 4, joinParts(parts).length);
});
