import assert from 'node:assert/strict';
import { test } from 'node:test';
import { messageOf } from '../base/errors.ts';
import { loadBrokerConfig } from './broker-config.ts';
import { advertisedListeners, brokerListeners } from './listeners.ts';

function told(overrides: Record<string, string>, ports?: ReadonlyMap<string, number>): string[] {
  const result = advertisedListeners(loadBrokerConfig({ overrides }), 'machine', ports);
  assert.ok(result.ok, result.ok ? '' : result.error);
  return result.endpoints.map(({ listener, protocol, host, port }) => `${listener}/${protocol}://${host}:${port}`);
}

function problem(overrides: Record<string, string>): string {
  try {
    loadBrokerConfig({ overrides });
  } catch (error) {
    return messageOf(error);
  }
  return '';
}

test('without advertised listeners clients are told the host, or the machine for every interface', () => {
  assert.deepEqual(told({}), ['PLAINTEXT/PLAINTEXT://machine:9092']);
  assert.deepEqual(told({ listeners: 'PLAINTEXT://0.0.0.0:1' }), ['PLAINTEXT/PLAINTEXT://machine:1']);
  assert.deepEqual(told({ listeners: 'PLAINTEXT://127.0.0.1:1,SSL://[::1]:1' }), [
    'PLAINTEXT/PLAINTEXT://127.0.0.1:1',
    'SSL/SSL://::1:1',
  ]);
});

test('a listener on any free port is told with the port it got', () => {
  assert.deepEqual(told({ listeners: 'PLAINTEXT://localhost:0' }, new Map([['PLAINTEXT', 4321]])), [
    'PLAINTEXT/PLAINTEXT://localhost:4321',
  ]);
});

test('listener names have the protocols of the map, and those of controllers are not for clients', () => {
  const overrides = {
    listeners: 'internal://:1,EXTERNAL://:2,CONTROLLER://:3',
    'advertised.listeners': 'INTERNAL://a:1,EXTERNAL://b.example:443',
    'listener.security.protocol.map': 'INTERNAL:PLAINTEXT, external:SASL_SSL',
    'controller.listener.names': 'CONTROLLER',
    'inter.broker.listener.name': 'INTERNAL',
  };
  assert.deepEqual(told(overrides), ['INTERNAL/PLAINTEXT://a:1', 'EXTERNAL/SASL_SSL://b.example:443']);
  const listeners = brokerListeners(loadBrokerConfig({ overrides }));
  assert.ok(listeners.ok && listeners.endpoints.length === 2);
});

test('each mistake is told in one line', () => {
  assert.match(problem({ listeners: 'PLAINTEXT:9092' }), /^listeners=PLAINTEXT:9092: allowed: NAME:\/\/host:port$/);
  assert.match(problem({ listeners: 'PLAINTEXT://:99999' }), /allowed: NAME/);
  assert.match(problem({ listeners: 'FOO://:1' }), /no protocol for FOO/);
  assert.match(problem({ listeners: 'PLAINTEXT://:1,SSL://:1' }), /have one port, 1/);
  assert.match(problem({ listeners: 'PLAINTEXT://:1,plaintext://:2' }), /PLAINTEXT stands twice/);
  assert.match(problem({ 'advertised.listeners': 'SSL://a:1' }), /SSL is not in listeners; allowed: PLAINTEXT/);
  assert.match(problem({ 'advertised.listeners': 'PLAINTEXT://0.0.0.0:1' }), /nobody can connect/);
  assert.match(problem({ 'listener.security.protocol.map': 'A:B' }), /NAME:PROTOCOL pairs/);
  assert.match(problem({ 'inter.broker.listener.name': 'X' }), /no listener that is advertised/);
  assert.match(problem({ 'controller.listener.names': 'PLAINTEXT' }), /needs one that is not in controller/);
});
