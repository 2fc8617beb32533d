/** Every program in examples/ does what it shows. They find the package by its name, as a user's program does. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { type EmbeddedBroker, startBroker } from '../../src/broker/embedded.ts';

const FOLDER = join(import.meta.dirname, '..', '..', 'examples');
const EXTENSION = import.meta.filename.endsWith('.ts') ? '.ts' : '.js';

/** In the order in which they build on each other. */
const EXPECTED: Readonly<Record<string, RegExp>> = {
  produce: /^order-1 is at 0:0\n3 more are acknowledged\n$/,
  consume: /^holds 0\n0:0 order-1 2 × lamp\n0:1 order-2 1 × desk\n.*\n.*\n0:4 order-1 is deleted\n$/,
  replay: /^5 records of the last hour, some bytes\n$/,
  backpressure: /^20000 acknowledged, 0 failed\nin few batches\n$/,
  admin: /^invoices: TOPIC_ALREADY_EXISTS\n4 partitions\naccounting reads on at 0\n$/,
  errors:
    /^RECORD_TOO_LARGE, no use to try again: .*\nassigned errors\n0: true\n1: DESERIALIZATION_FAILED: not json\n2: true\n$/,
  embedded: /^hello\n$/,
};

let broker: EmbeddedBroker;
before(async () => {
  broker = await startBroker({
    config: { 'group.initial.rebalance.delay.ms': '0', 'offsets.topic.num.partitions': '1' },
  });
});
after(() => broker?.close());

test('every example is expected to do something', () => {
  const found = readdirSync(FOLDER).filter((file) => file.endsWith(EXTENSION));
  assert.deepEqual(
    found.sort(),
    Object.keys(EXPECTED)
      .map((name) => `${name}${EXTENSION}`)
      .sort(),
  );
});

for (const [name, output] of Object.entries(EXPECTED)) {
  test(`the example ${name} does what it shows`, async () => {
    const { stdout, stderr } = await promisify(execFile)(process.execPath, [join(FOLDER, `${name}${EXTENSION}`)], {
      env: { ...process.env, SLUICE_BROKERS: broker.bootstrapServers },
      timeout: 30_000,
    });
    assert.match(stdout, output);
    assert.equal(stderr, '');
  });
}
