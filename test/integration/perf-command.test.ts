/** `sluice perf` as a user runs it; what it measures is not judged here. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, it } from 'node:test';
import { SluiceCommand } from '../support/sluice-command.ts';
import { makeTopic, startTestBroker, type TestBroker } from '../support/test-broker.ts';

const RECORDS = 5000;

let broker: TestBroker;
let sluice: SluiceCommand;

before(async () => {
  broker = await startTestBroker({ config: { 'group.initial.rebalance.delay.ms': '0' } });
  sluice = new SluiceCommand({ brokers: `127.0.0.1:${broker.port}` });
  const wire = broker.wire();
  await makeTopic(wire, 'perf', { partitions: 3 });
  wire.close();
});

after(() => broker.close());

interface Measured {
  readonly records: number;
  readonly bytes: number;
  readonly seconds: number;
  readonly latencyMs: { readonly avg: number; readonly p99: number; readonly max: number };
}

it('sends as many records as it is told, and ends with the line of Kafka', async () => {
  const { code, stdout, stderr } = await sluice.run(['perf', 'produce', 'perf', '-n', String(RECORDS), '-s', '100']);
  assert.equal(code, 0, stderr);
  const number = '\\d+\\.\\d{2}';
  const line = `^${RECORDS} records sent, \\d+\\.\\d{6} records/sec \\(${number} MB/sec\\), ${number} ms avg latency, ${number} ms max latency, \\d+ ms 50th, \\d+ ms 95th, \\d+ ms 99th, \\d+ ms 99\\.9th\\.\n$`;
  assert.match(stdout, new RegExp(line));
  const args = ['perf', 'produce', 'perf', '-n', '100', '--keys', '3', '-z', 'lz4', '--acks', '1', '-s', '1KiB'];
  const measured = await sluice.json<Measured>('perf produce', args);
  assert.deepEqual([measured.records, measured.bytes], [100, 102_400]);
  assert.ok(measured.latencyMs.max >= measured.latencyMs.p99 * 0.99 && measured.latencyMs.p99 > 0);
});

it('keeps to a rate and a time, and takes values from a file', async () => {
  const payloads = join(broker.dataDirectory, 'payloads.txt');
  writeFileSync(payloads, 'one\ntwo!\n');
  const args = ['perf', 'produce', 'perf', '--rate', '200', '-n', '100', '--payloads', payloads];
  const { records, bytes, seconds } = await sluice.json<Measured>('perf produce', args);
  assert.deepEqual([records, bytes], [100, 350]);
  assert.ok(seconds >= 0.45, `a hundred at 200 a second in ${seconds} s`);
  const timed = await sluice.json<Measured>('perf produce', ['perf', 'produce', 'perf', '--duration', '500ms']);
  assert.ok(timed.seconds >= 0.5 && timed.records > 0);
  const slow = await sluice.json<Measured>('perf produce', [
    ...['perf', 'produce', 'perf', '--duration', '500ms', '--rate', '50'],
  ]);
  assert.ok(slow.records >= 10 && slow.records <= 26, `${slow.records} at 50 a second in half a second`);
});

it('reads everything, or so much, with or without a group', async () => {
  const total = (await sluice.output(['consume', 'perf', '-o', ':', '-f', '%%%o\\n'])).split('\n').length - 1;
  const whole = await sluice.json<Measured>('perf consume', ['perf', 'consume', 'perf']);
  assert.equal(whole.records, total);
  const { stdout } = await sluice.run(['perf', 'consume', 'perf', '-n', '1000']);
  const [heading, row] = stdout.trim().split('\n');
  assert.match(heading!, /^start\.time, end\.time, data\.consumed\.in\.MB/);
  assert.equal(row!.split(', ')[4], '1000');
  const member = await sluice.json<Measured>('perf consume', ['perf', 'consume', 'perf', '-g', 'g', '-n', '1000']);
  assert.equal(member.records, 1000);
});

it('times records through the broker, and ends with the lines of Kafka', async () => {
  const { code, stdout, stderr } = await sluice.run(['perf', 'latency', 'latency', '-n', '50']);
  assert.equal(code, 0, stderr);
  assert.match(stdout, /^Avg latency: \d+\.\d{4} ms\nPercentiles: 50th = \d+, 99th = \d+, 99\.9th = \d+\n$/);
  const { records } = await sluice.json<Measured>('perf latency', ['perf', 'latency', 'latency', '-n', '20']);
  assert.equal(records, 20);
});

it('says what is wrong with what it shall measure', async () => {
  assert.equal((await sluice.run(['perf', 'produce', 'perf', '--size', 'big'])).code, 2);
  assert.equal((await sluice.run(['perf', 'produce', 'perf', '-n', '1', '-p', '99'])).code, 1);
  assert.equal((await sluice.run(['perf', 'consume', 'absent'])).code, 1);
});
