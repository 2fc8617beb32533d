/** `sluice log verify` and `sluice log dump` as commands: what they print, and how they end. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { disk } from '../../src/base/disk.ts';
import { makeTemporaryDirectory } from '../../src/base/temporary-directory.ts';
import { startBroker } from '../../src/broker/embedded.ts';
import { JSON_OUTPUT, mismatch } from '../../src/cli/json-output.ts';
import { createTopics } from '../../src/client/admin/topics.ts';
import { Cluster } from '../../src/client/cluster.ts';
import { projectRoot } from '../support/declared-schemas.ts';

const MAIN = join(projectRoot, 'dist', 'bundle', 'cli', 'main.js');

interface Outcome {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function sluice(...parameters: readonly string[]): Outcome {
  const main = process.env['SLUICE_COMPAT_MAIN'] ?? MAIN;
  const { status, stdout, stderr } = spawnSync(process.execPath, [main, 'log', ...parameters], { encoding: 'utf8' });
  return { status, stdout, stderr };
}

async function withData(run: (directory: string) => Promise<void>): Promise<void> {
  const dataDir = makeTemporaryDirectory('sluice-log-verify');
  try {
    const broker = await startBroker({ dataDir });
    const cluster = new Cluster(broker);
    try {
      await createTopics(cluster, [{ name: 'orders', partitions: 2 }]);
      const locked = sluice('verify', dataDir);
      assert.equal(locked.status, 1);
      assert.match(locked.stderr, /a broker uses .*locked|a broker uses/);
      assert.match(locked.stderr, /--force/);
      assert.equal(sluice('verify', '--force', dataDir).stderr.includes('a broker uses'), false);
    } finally {
      await cluster.close();
      await broker.close();
    }
    await run(dataDir);
  } finally {
    await disk.removeTree(dataDir);
  }
}

test('a directory in use is refused; a sound one ends with 0, a damaged one with 1 and says what becomes of it', async () => {
  await withData(async (directory) => {
    const sound = sluice('verify', directory);
    assert.equal(sound.status, 0, sound.stdout + sound.stderr);
    assert.match(sound.stderr, /nothing is wrong \(3 partitions/);
    const path = `${directory}/__cluster_metadata-0/00000000000000000000.log`;
    const bytes = readFileSync(path);
    bytes[80] = bytes[80]! ^ 1;
    writeFileSync(path, bytes);
    const damaged = sluice('verify', directory);
    assert.equal(damaged.status, 1);
    assert.match(
      damaged.stdout,
      /^error .*\.log, byte 0, offset 0: the batch does not match its checksum\n {2}→ the next start/m,
    );
    const json = sluice('verify', '--json', directory);
    assert.equal(json.status, 1);
    const lines = json.stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    for (const line of lines) assert.equal(mismatch(line, JSON_OUTPUT['log verify']!.shape), undefined);
    assert.equal(lines[0]?.['type'], 'finding');
    assert.equal(lines.at(-1)?.['type'], 'summary');
    assert.equal(sluice('verify', `${directory}/nothing`).status, 1);
    const file = sluice('verify', `${directory}/meta.properties`);
    assert.equal(file.status, 1);
    assert.match(file.stderr, /meta\.properties is a file\n.*sluice log dump/);
    const dumped = sluice('dump', path);
    assert.equal(dumped.status, 1, 'a batch that does not match its checksum is a failure of the dump too');
    assert.match(dumped.stdout, /valid=false/);
    assert.doesNotMatch(sluice('dump', '--help').stdout, /default: false/);
  });
});

test('checkpoints, epochs and identities are dumped with the names of their fields', async () => {
  await withData(async (directory) => {
    const checkpoint = sluice('dump', `${directory}/replication-offset-checkpoint`).stdout;
    assert.match(checkpoint, /^replication-offset topic=orders partition=1 offset=0$/m);
    assert.match(
      sluice('dump', `${directory}/meta.properties`).stdout,
      /^identity clusterId=\S+ nodeId=\d+ directoryId=/,
    );
    const epochs = sluice('dump', `${directory}/__cluster_metadata-0/leader-epoch-checkpoint`).stdout;
    assert.match(epochs, /^epoch epoch=1 startOffset=0$/m);
    const segment = sluice('dump', '--records', `${directory}/__cluster_metadata-0/00000000000000000000.log`).stdout;
    assert.match(segment, /^control offset=0 .*kind=LEADER_CHANGE/m);
    assert.match(segment, /^metadata .*kind=topic /m);
  });
});

test('aborted transactions are dumped from their index', () => {
  const directory = makeTemporaryDirectory('sluice-log-dump');
  try {
    const path = join(projectRoot, 'test/golden/log-directory/kafka-4.3-transactions.json');
    const { files } = JSON.parse(readFileSync(path, 'utf8')) as { files: Record<string, string> };
    const name = '00000000000000000000.txnindex';
    writeFileSync(join(directory, name), Buffer.from(files[name]!, 'hex'));
    const lines = sluice('dump', join(directory, name)).stdout.split('\n');
    assert.equal(lines[0], 'aborted version=0 producerId=0 firstOffset=0 lastOffset=10 lastStableOffset=3');
    const logName = '00000000000000000000.log';
    writeFileSync(join(directory, logName), Buffer.from(files[logName]!, 'hex'));
    assert.match(sluice('dump', '--records', join(directory, logName)).stdout, /kind=ABORT coordinatorEpoch=0/);
  } finally {
    void disk.removeTree(directory);
  }
});
