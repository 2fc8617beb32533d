/** The one idea, proved on a whole broker by its system calls: record bytes of a fetch never enter the process. */
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { libc } from '../../src/base/libc.ts';
import { startBrokerProcess } from '../support/broker-process.ts';
import { batchOf, fetchFrom, produceTo, readAll } from '../support/partition-io.ts';
import { makeTopic } from '../support/test-broker.ts';

const directory = mkdtempSync(join(tmpdir(), 'sluice-trace-'));
after(() => rmSync(directory, { recursive: true, force: true }));

const CALLS = 'sendfile,read,readv,pread64,preadv,write,writev,sendto,sendmsg';
const BATCHES = 40;
const VALUE_BYTES = 500_000;
const strace = spawnSync('strace', ['-V']).status === 0;

test('a fetch moves record bytes by sendfile alone', {
  skip:
    libc === undefined ? 'koffi is not available' : !strace && 'strace is not installed: system calls were not counted',
}, async (context) => {
  const broker = await startBrokerProcess(join(directory, 'data'));
  context.after(() => broker.kill());
  const wire = broker.wire();
  await makeTopic(wire, 'traced');
  const target = { topic: 'traced' };
  for (let batch = 0; batch < BATCHES; batch++) {
    const value = createHash('sha256').update(`${batch}`).digest('hex').padEnd(VALUE_BYTES, '.');
    assert.equal((await produceTo(wire, target, batchOf([value]))).baseOffset, batch);
  }
  await fetchFrom(wire, target, 0);
  const trace = join(directory, 'trace');
  const tracer = spawn('strace', ['-f', '-qq', '-p', String(broker.child.pid), '-o', trace, '-e', `trace=${CALLS}`], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  // Attached once a first call of the broker appears in the trace.
  await untilTraced(trace, async () => {
    await fetchFrom(wire, target, BATCHES);
  });
  const values = await readAll(wire, target);
  assert.equal(values.length, BATCHES);
  wire.close();
  const ended = new Promise((resolve) => tracer.once('exit', resolve));
  tracer.kill('SIGINT');
  await ended;
  const total = BATCHES * VALUE_BYTES;
  const { bySendfile, written, read } = countTraced(readFileSync(trace, 'latin1'));
  assert.ok(bySendfile >= total * 0.99, `${bySendfile} of ${total} bytes by sendfile`);
  assert.ok(written <= total / 100, `${written} bytes were written`);
  assert.ok(read <= total / 100, `${read} bytes were read`);
});

async function untilTraced(trace: string, cause: () => Promise<void>): Promise<void> {
  const deadline = performance.now() + 10_000;
  for (;;) {
    await cause();
    if (spawnSync('test', ['-s', trace]).status === 0) return;
    assert.ok(performance.now() < deadline, 'strace did not attach');
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** Bytes by kind of call; calls that were interrupted in the trace end in their resumed line. */
function countTraced(trace: string): { bySendfile: number; written: number; read: number } {
  const counts = { bySendfile: 0, written: 0, read: 0 };
  for (const line of trace.split('\n')) {
    const call = /^(?:\d+\s+)?(?:<\.\.\. )?(\w+)[( ].*=\s+(\d+)\s*$/.exec(line);
    if (call === null) continue;
    const count = Number(call[2]);
    if (call[1] === 'sendfile') counts.bySendfile += count;
    else if (/^(write|writev|sendto|sendmsg)$/.test(call[1]!)) counts.written += count;
    else counts.read += count;
  }
  return counts;
}
