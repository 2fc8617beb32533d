import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SluiceError } from '../../../../base/errors.ts';
import { isPath, parseConnectString } from './connect-string.ts';

test('servers are hosts with or without ports, and may be followed by a root', () => {
  assert.deepEqual(parseConnectString('a:1, b,[::1]:3/kafka/one/'), {
    servers: [
      { host: 'a', port: 1 },
      { host: 'b', port: 2181 },
      { host: '::1', port: 3 },
    ],
    root: '/kafka/one',
  });
  assert.equal(parseConnectString('a/').root, '');
});

test('what is no connect string is refused with the reason', () => {
  for (const text of ['', '/root', 'a:b', 'a:70000', 'a//b', 'a/..', 'a:1:2']) {
    assert.throws(
      () => parseConnectString(text),
      (error) => error instanceof SluiceError && error.code === 'INVALID_CONFIG' && error.message.includes(text),
      text,
    );
  }
});

test('paths are what ZooKeeper takes for paths', () => {
  for (const path of ['/', '/a', '/a/b-0000000001', '/<default>', '/a.b']) assert.ok(isPath(path), path);
  for (const path of ['', 'a', '/a/', '//a', '/a/./b', '/..', '/a\u0000']) assert.ok(!isPath(path), path);
});
