import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { connect as connectTls } from 'node:tls';
import { fileURLToPath } from 'node:url';
import { systemClock } from '../base/clock.ts';
import { disk } from '../base/disk.ts';
import { silentLogger } from '../base/logger.ts';
import { makeTemporaryDirectory } from '../base/temporary-directory.ts';
import { ConnectionCaps, NO_CONNECTION_CAPS } from './connection-caps.ts';
import { listen } from './listener.ts';
import { aWhile, eventually, framed, patternBytes, RawClient, RegionCounter } from './loopback.test.support.ts';

const directory = makeTemporaryDirectory('sluice-transport');
after(() => rmSync(directory, { recursive: true, force: true }));

const openssl = spawnSync('openssl', ['version']).status === 0;
test('over TLS replies with regions arrive byte for byte, a failed handshake harms nobody', {
  skip: !openssl && 'openssl is not installed: no certificate to test with',
}, async () => {
  const [keyFile, certFile] = [join(directory, 'key.pem'), join(directory, 'cert.pem')];
  // biome-ignore format: one option a line says nothing more
  const made = spawnSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2',
      '-subj', '/CN=localhost', '-addext', 'subjectAltName=IP:127.0.0.1', '-keyout', keyFile, '-out', certFile]);
  assert.equal(made.status, 0, made.stderr.toString());
  const [key, cert] = [readFileSync(keyFile), readFileSync(certFile)];
  const file = disk.open(join(directory, 'content'));
  const content = patternBytes(3_000_000);
  file.writeSync([content], 0);
  const regions = new RegionCounter();
  const caps = new ConnectionCaps(NO_CONNECTION_CAPS);
  const head = Buffer.alloc(4);
  head.writeInt32BE(content.length);
  const listener = await listen(
    {
      host: '127.0.0.1',
      port: 0,
      tls: { key, cert },
      handler: () => [head, regions.region(file, 0, content.length)],
    },
    { clock: systemClock, logger: silentLogger, caps },
  );

  const stranger = new RawClient(listener.port);
  stranger.socket.write('this is no handshake');
  await eventually('the stranger is out', () => stranger.closed);

  const chunks: Buffer[] = [];
  let received = 0;
  const client = connectTls({ host: '127.0.0.1', port: listener.port, ca: cert }, () => {
    client.write(Buffer.concat([framed('12345678'), framed('12345678')]));
  });
  client.on('data', (chunk: Buffer) => {
    chunks.push(chunk);
    received += chunk.length;
  });
  await eventually('both replies arrive', () => received === 2 * (4 + content.length));
  assert.ok(Buffer.concat(chunks).equals(Buffer.concat([head, content, head, content])));
  assert.equal(listener.statistics.sendfileBytes, 0);
  assert.equal(listener.statistics.copiedBytes, 2 * content.length);
  assert.deepEqual([regions.released, regions.releasedTwice], [2, 0]);

  const silent = new RawClient(listener.port);
  await eventually('it is admitted', () => caps.total === 2);
  await listener.close({ graceMs: 2_000 });
  await eventually('also the one that never shook hands is gone', () => silent.closed && caps.total === 0);
  client.destroy();
  file.close();
});

test('running out of descriptors turns connections away, and once there are some again they are served', {
  skip: process.platform === 'win32' && 'there is no ulimit',
}, async () => {
  const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
  const script = fileURLToPath(new URL(`./listener-process.test.support.${extension}`, import.meta.url));
  const child = spawn('sh', ['-c', 'ulimit -n 60; exec "$0" "$1"', process.execPath, script], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  let output = '';
  child.stdout.on('data', (bytes: Buffer) => {
    output += bytes.toString();
  });
  await eventually('it listens', () => output.includes('\n'));
  const port = Number(output.split('\n')[0]);
  const crowd = Array.from({ length: 120 }, () => new RawClient(port));
  for (const client of crowd) client.socket.write(framed('12345678'));
  await eventually('some are served', () => crowd.some((client) => client.frames().length === 1));
  await aWhile(300);
  const served = crowd.filter((client) => client.frames().length === 1).length;
  assert.ok(served > 10 && served < 60, `${served} of 120 are served`);
  for (const client of crowd) client.socket.destroy();
  await aWhile(100);
  const late = new RawClient(port);
  late.socket.write(framed('12345678'));
  await eventually('a late one is served', () => late.frames().length === 1);
  late.socket.destroy();
  assert.equal(child.exitCode, null, 'the process lives');
  const exited = new Promise((resolve) => child.on('exit', resolve));
  child.stdin.end();
  await exited;
});
