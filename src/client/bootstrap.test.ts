import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SluiceError } from '../base/errors.ts';
import { formatEndpoint, parseBootstrapServers } from './bootstrap.ts';

test('reads addresses from text and lists, with and without a port', () => {
  assert.deepEqual(parseBootstrapServers('one:1, two ,three:65535'), [
    { host: 'one', port: 1 },
    { host: 'two', port: 9092 },
    { host: 'three', port: 65535 },
  ]);
  assert.deepEqual(parseBootstrapServers(['a:1,b:2', 'c:3']).length, 3);
  assert.deepEqual(parseBootstrapServers('[::1]:9093'), [{ host: '::1', port: 9093 }]);
  assert.deepEqual(parseBootstrapServers('PLAINTEXT://broker:9094'), [{ host: 'broker', port: 9094 }]);
});

test('refuses what is no address, and says what one looks like', () => {
  for (const text of ['', ' , ', 'host:0', 'host:65536', 'host:port', '::1', 'a b:1', 'http://host/path']) {
    assert.throws(
      () => parseBootstrapServers(text),
      (error) =>
        error instanceof SluiceError && error.code === 'INVALID_BOOTSTRAP_SERVERS' && error.remedy !== undefined,
      text,
    );
  }
});

test('writes an address as it is read', () => {
  for (const text of ['host:1', '[fe80::1]:9092']) {
    assert.equal(formatEndpoint(parseBootstrapServers(text)[0]!), text);
  }
});
