/** `sluice doctor` as a user runs it. */
import assert from 'node:assert/strict';
import { createServer } from 'node:net';
import { after, before, it } from 'node:test';
import type { Finding } from '../../src/cli/doctor/findings.ts';
import { SluiceCommand } from '../support/sluice-command.ts';
import { makeTopic, startTestBroker, type TestBroker } from '../support/test-broker.ts';

interface Report {
  readonly errors: number;
  readonly warnings: number;
  readonly findings: readonly Finding[];
}

let broker: TestBroker;
let sluice: SluiceCommand;

before(async () => {
  broker = await startTestBroker();
  sluice = new SluiceCommand({ brokers: `127.0.0.1:${broker.port}` });
  const wire = broker.wire();
  await makeTopic(wire, 'orders', { partitions: 3 });
  wire.close();
});

after(() => broker.close());

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });
}

function about(report: Report, check: string): string[] {
  return report.findings.filter((finding) => finding.check === check).map(({ severity }) => severity);
}

it('finds nothing wrong with a broker that is well, writes to it, and leaves nothing behind', async () => {
  const report = await sluice.json<Report>('doctor', ['doctor', '--write']);
  assert.equal(report.errors, 0, JSON.stringify(report.findings));
  for (const check of ['bootstrap', 'advertised-listener', 'controller', 'replicas', 'write', 'clock']) {
    assert.deepEqual(about(report, check), ['ok'], check);
  }
  const topics = await sluice.json<{ name: string }[]>('topics list', ['topics', 'list']);
  assert.deepEqual(
    topics.map(({ name }) => name),
    ['orders'],
  );
  const { code, stdout, stderr } = await sluice.run(['doctor', '-v']);
  assert.equal(code, 0);
  assert.match(stdout, /✓ broker 1 answers at 127\.0\.0\.1/);
  assert.match(stderr, /things are in order/);
});

it('names a listener that clients are told of and cannot reach', async () => {
  const port = await freePort();
  const listeners = `PLAINTEXT://127.0.0.1:${port}`;
  const advertised = 'PLAINTEXT://no-such-host.invalid:9092';
  const wrong = await startTestBroker({ config: { listeners, 'advertised.listeners': advertised } });
  try {
    const given = `127.0.0.1:${port}`;
    const { code, stdout } = await sluice.run(['doctor', '-b', given, '--timeout', '2s']);
    assert.equal(code, 1);
    assert.match(
      stdout,
      /✗ broker 1 tells clients to connect to no-such-host\.invalid:9092, which is a name that does not/,
    );
    assert.match(stdout, /→ .*advertised\.listeners/);
  } finally {
    await wrong.close();
  }
});

it('says what is there instead where no broker answers', async () => {
  const nobody = await sluice.run(['doctor', '-b', 'localhost:1']);
  assert.equal(nobody.code, 3);
  assert.match(nobody.stdout, /localhost:1 refuses connections: nobody listens there\n {2}→ Start a broker/);
  const other = createServer((socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n')).listen(0, '127.0.0.1');
  await new Promise((resolve) => other.once('listening', resolve));
  const { port } = other.address() as { port: number };
  const stranger = await sluice.run(['doctor', '-b', `127.0.0.1:${port}`, '--timeout', '1s']);
  const list = await sluice.run(['topics', 'list', '-b', `127.0.0.1:${port}`]);
  other.close();
  assert.equal(list.code, 3);
  assert.match(
    list.stderr,
    /error: a web server answers at 127\.0\.0\.1:\d+: no Kafka broker\ntry: Check host and port/,
  );
  assert.equal(stranger.code, 3);
  assert.match(stranger.stdout, /Check that it is the port of a broker/);
});
