import assert from 'node:assert/strict';
import { test } from 'node:test';
import { resolveConsumerOptions } from './consumer/consumer-options.ts';
import { resolveClusterOptions } from './options.ts';
import { resolveProducerOptions } from './producer/options.ts';

const resolvers = {
  cluster: (options: object) => resolveClusterOptions({ bootstrapServers: 'localhost', ...options }),
  producer: (options: object) => resolveProducerOptions(options),
  consumer: (options: object) => resolveConsumerOptions({ groupId: 'g', ...options }, 'lane'),
};

test('a value that an option cannot have is refused by name, with what it may be', () => {
  for (const [of, options, message, remedy] of [
    ['cluster', { requestTimeoutMs: -1 }, /requestTimeoutMs cannot be -1/, /at least 1/],
    ['cluster', { operationTimeoutMs: '5s' }, /operationTimeoutMs cannot be "5s"/, /a number/],
    ['cluster', { retryBackoffMs: Number.NaN }, /retryBackoffMs cannot be NaN/, /at least 0/],
    ['producer', { acks: 2 }, /acks cannot be 2/, /"all", 1, 0/],
    ['producer', { acks: '1' }, /acks cannot be "1"/, /"all", 1, 0/],
    ['producer', { lingerMs: null }, /lingerMs cannot be null/, /at least 0/],
    ['producer', { maxInFlight: 0 }, /maxInFlight/, /./],
    ['producer', { bufferBytes: 0 }, /bufferBytes cannot be 0/, /at least 1/],
    ['consumer', { offsetReset: 'beginning' }, /offsetReset cannot be "beginning"/, /"earliest", "latest", "none"/],
    ['consumer', { offsetReset: { withinMs: '1h' } }, /withinMs cannot be "1h"/, /at least 0/],
    ['consumer', { groupProtocol: 'next' }, /groupProtocol cannot be "next"/, /"classic", "consumer"/],
    ['consumer', { isolation: 'serializable' }, /isolation cannot be/, /"read_uncommitted", "read_committed"/],
    ['consumer', { maxPollIntervalMs: -5 }, /maxPollIntervalMs cannot be -5/, /at least 1/],
  ] as const) {
    assert.throws(
      () => resolvers[of](options),
      (error: Error & { code?: string; remedy?: string }) => {
        assert.equal(error.code, 'INVALID_OPTION', JSON.stringify(options));
        assert.match(error.message, message);
        assert.match(error.remedy ?? '', remedy);
        return true;
      },
    );
  }
});

test('what an option may be is taken, also for ever', () => {
  resolvers.cluster({ operationTimeoutMs: Number.POSITIVE_INFINITY, retryBackoffMs: 0 });
  resolvers.producer({ acks: 0, lingerMs: 0, deliveryTimeoutMs: Number.POSITIVE_INFINITY });
  resolvers.consumer({ offsetReset: { withinMs: 0 }, groupProtocol: 'consumer', isolation: 'read_committed' });
});

test('a client without addresses says so', () => {
  for (const bootstrapServers of [undefined, 9092, null, [undefined]]) {
    assert.throws(() => resolveClusterOptions({ bootstrapServers: bootstrapServers as never }), {
      code: 'INVALID_BOOTSTRAP_SERVERS',
    });
  }
});
