import assert from 'node:assert/strict';
import { readdirSync, readFileSync, renameSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { disk } from '../base/disk.ts';
import { makeTemporaryDirectory } from '../base/temporary-directory.ts';
import { buildBatch } from '../records/builder.ts';
import { ControlType, controlKey, endTransactionValue } from '../records/control.ts';
import { buildRecords, FIRST_TIMESTAMP, testDependencies } from './log.test.support.ts';
import { defaultLogConfig } from './log-config.ts';
import { LogManager } from './log-manager.ts';
import { type Finding, type VerifySummary, verifyDirectory } from './verify.ts';

const TOPIC = { topic: 'orders', partition: 0 };
const CONFIG = { ...defaultLogConfig, segmentBytes: 1200, indexIntervalBytes: 200, retentionMs: -1 };
const FIRST = '00000000000000000000';

function managerOf(directory: string): LogManager {
  const options = { directories: [directory], nodeId: 1, configOf: () => CONFIG, producerIdExpirationMs: 2 ** 52 };
  return new LogManager(options, testDependencies());
}

/** A data directory with some segments, transactions that committed and aborted, one that is open, and epochs. */
async function makeDirectory(directory: string): Promise<void> {
  const manager = managerOf(directory);
  await manager.open();
  const log = manager.getOrCreate(TOPIC, 'ckhF3xLEQsqTd6aJf9KTaQ', CONFIG, { isNew: true });
  let timestamp = FIRST_TIMESTAMP;
  const append = (bytes: Buffer, leaderEpoch: number): void => {
    assert.ok(log.appendAsLeader(bytes, { leaderEpoch, origin: 'coordinator' }).ok);
  };
  for (let round = 0; round < 24; round++) {
    const producerId = round % 3;
    const epoch = round < 12 ? 0 : 2;
    timestamp += 1000;
    append(
      buildRecords({ values: ['x'.repeat(90)], timestamp, producerId, producerEpoch: 0, transactional: true }),
      epoch,
    );
    append(buildRecords({ values: ['plain', 'two'], timestamp }), epoch);
    if (round === 23) break;
    const key = controlKey(round % 2 === 0 ? ControlType.ABORT : ControlType.COMMIT);
    const records = [{ key, value: endTransactionValue(0), timestamp }];
    append(buildBatch({ producerId, producerEpoch: 0, transactional: true, control: true, records }), epoch);
  }
  await manager.close();
}

async function withDirectory(run: (directory: string, partition: string) => Promise<void>): Promise<void> {
  const directory = makeTemporaryDirectory('sluice-verify');
  try {
    await makeDirectory(directory);
    await run(directory, `${directory}/orders-0`);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

async function verify(directory: string): Promise<{ findings: Finding[]; summary: VerifySummary }> {
  const findings: Finding[] = [];
  const summary = await verifyDirectory(directory, { onFinding: (finding) => findings.push(finding) }, disk);
  return { findings, summary };
}

/** Adds to one byte. */
function poke(path: string, at: number, by: number): void {
  edit(path, (bytes) => {
    bytes[at] = bytes[at]! + by;
    return bytes;
  });
}

function edit(path: string, change: (bytes: Buffer) => Buffer): void {
  writeFileSync(path, change(readFileSync(path)));
}

const filesOf = (partition: string, suffix: string): string[] =>
  readdirSync(partition)
    .filter((name) => name.endsWith(suffix))
    .sort()
    .map((name) => `${partition}/${name}`);

test('a sound directory has no findings, and its segments and batches are counted', async () => {
  await withDirectory(async (directory, partition) => {
    const seen: number[] = [];
    const findings: Finding[] = [];
    const summary = await verifyDirectory(
      directory,
      {
        onFinding: (finding) => findings.push(finding),
        onProgress: ({ doneBytes, totalBytes }) => seen.push(doneBytes / totalBytes),
      },
      disk,
    );
    assert.deepEqual(findings, []);
    assert.equal(summary.segments, filesOf(partition, '.log').length);
    assert.ok(summary.segments > 3);
    assert.equal(summary.batches, 24 * 3 - 1);
    assert.equal(seen.at(-1), 1);
    assert.deepEqual((await verify(partition)).findings, [], 'the directory of one partition alone');
  });
});

interface Damage {
  readonly what: string;
  readonly make: (partition: string, directory: string) => void;
  readonly expected: RegExp;
  readonly severity?: Finding['severity'];
  /** A start on it repairs it, as far as it can. */
  readonly repaired?: false;
}

const swap = (bytes: Buffer, at: number, size: number): Buffer => {
  const first = Buffer.from(bytes.subarray(at, at + size));
  bytes.copy(bytes, at, at + size, at + 2 * size);
  first.copy(bytes, at + size);
  return bytes;
};

const DAMAGES: readonly Damage[] = [
  {
    what: 'a flipped bit in a record',
    make: (partition) => poke(`${partition}/${FIRST}.log`, 100, 1),
    expected: /does not match its checksum/,
  },
  {
    what: 'a batch that is cut off',
    make: (partition) => truncateSync(filesOf(partition, '.log').at(-1)!, 200),
    expected: /bytes are no batch/,
  },
  {
    what: 'garbage in the midst of a segment',
    make: (partition) => edit(filesOf(partition, '.log')[1]!, (bytes) => bytes.fill(0xff, 300, 400)),
    expected: /bytes are no batch|checksum/,
  },
  {
    what: 'batches that lie twice in a segment',
    make: (partition) => {
      edit(filesOf(partition, '.log').at(-1)!, (bytes) => Buffer.concat([bytes, bytes]));
    },
    expected: /does not follow/,
  },
  {
    what: 'a segment under the name of a later one',
    make: (partition) => renameSync(`${partition}/${FIRST}.log`, `${partition}/00000000000000000009.log`),
    expected: /does not follow|belongs to the next segment/,
    repaired: false,
  },
  {
    what: 'an offset index that points between batches',
    make: (partition) => poke(`${partition}/${FIRST}.index`, 7, 1),
    expected: /\.index.*into the midst of a batch/,
  },
  {
    what: 'an offset index that does not rise',
    make: (partition) => edit(`${partition}/${FIRST}.index`, (bytes) => swap(bytes, 0, 8)),
    expected: /\.index.*(does not rise|midst|points at)/,
    severity: 'warning',
  },
  {
    what: 'a preallocated index',
    make: (partition) => edit(`${partition}/${FIRST}.index`, (bytes) => Buffer.concat([bytes, Buffer.alloc(800)])),
    expected: /\.index.*preallocated/,
    severity: 'warning',
  },
  {
    what: 'a missing index',
    make: (partition) => rmSync(`${partition}/${FIRST}.timeindex`),
    expected: /\.timeindex.*missing/,
    severity: 'warning',
  },
  {
    what: 'a time index with another timestamp',
    make: (partition) => poke(`${partition}/${FIRST}.timeindex`, 7, 1),
    expected: /\.timeindex.*largest timestamp/,
  },
  {
    what: 'an index that ends inside an entry',
    make: (partition) => edit(`${partition}/${FIRST}.index`, (bytes) => bytes.subarray(0, bytes.length - 3)),
    expected: /\.index.*ends inside an entry/,
    severity: 'warning',
  },
  {
    what: 'a missing transaction index',
    make: (partition) => rmSync(filesOf(partition, '.txnindex')[0]!),
    expected: /\.txnindex.*missing: readers of committed records see it/,
  },
  {
    what: 'an aborted transaction of another producer',
    make: (partition) => poke(filesOf(partition, '.txnindex')[0]!, 9, 9),
    expected: /\.txnindex.*the index says producer/,
  },
  {
    what: 'an aborted transaction without a marker',
    make: (partition) => poke(filesOf(partition, '.txnindex')[0]!, 25, 1),
    expected: /\.txnindex.*(no marker|is missing)/,
  },
  {
    what: 'a broken producer snapshot',
    make: (partition) => poke(filesOf(partition, '.snapshot').at(-1)!, 12, 1),
    expected: /snapshot is broken/,
    severity: 'warning',
  },
  {
    what: 'the producer snapshot of another offset',
    make: (partition) => {
      const [first, ...others] = filesOf(partition, '.snapshot');
      writeFileSync(first!, readFileSync(others.at(-1)!));
    },
    expected: /\.snapshot.*last batch of producer/,
    repaired: false,
  },
  {
    what: 'leader epochs that lack one',
    make: (partition) => writeFileSync(`${partition}/leader-epoch-checkpoint`, '0\n1\n0 0\n'),
    expected: /epoch 2 begins at/,
    severity: 'warning',
  },
  {
    what: 'leader epochs that are no such file',
    make: (partition) => writeFileSync(`${partition}/leader-epoch-checkpoint`, 'epochs'),
    expected: /leader-epoch-checkpoint/,
    severity: 'warning',
  },
  {
    what: 'a topic id that is none',
    make: (partition) => writeFileSync(`${partition}/partition.metadata`, 'version: 0\ntopic_id: ?'),
    expected: /names no topic id/,
    repaired: false,
  },
  {
    what: 'a recovery point behind the end',
    make: (_partition, directory) =>
      writeFileSync(`${directory}/recovery-point-offset-checkpoint`, '0\n1\norders 0 100000\n'),
    expected: /orders-0 is at 100000, behind the log's end/,
  },
  {
    what: 'a checkpoint that is none',
    make: (_partition, directory) => writeFileSync(`${directory}/replication-offset-checkpoint`, '0\n7\n'),
    expected: /replication-offset-checkpoint.*0 entries instead of 7/,
    severity: 'warning',
  },
  {
    what: 'a directory that belongs to nobody',
    make: (_partition, directory) => writeFileSync(`${directory}/meta.properties`, 'version=1\n'),
    expected: /meta\.properties.*missing/,
    repaired: false,
  },
];

const textOf = ({ path, problem }: Finding): string => `${path}: ${problem}`;

for (const { what, make, expected, severity = 'error', repaired } of DAMAGES) {
  test(`${what} is found and told${repaired === false ? '' : ', and gone after the next start'}`, async () => {
    await withDirectory(async (directory, partition) => {
      make(partition, directory);
      const { findings, summary } = await verify(directory);
      const told = findings.filter((finding) => expected.test(textOf(finding)));
      assert.ok(told.length > 0, `not among: ${findings.map(textOf).join('\n')}`);
      assert.ok(
        told.some((finding) => finding.severity === severity),
        told[0]?.severity,
      );
      assert.ok(findings.every(({ recovery }) => recovery.length > 0));
      assert.ok(summary.findings[severity] > 0);
      if (repaired === false) return;
      // A start after an unclean stop checks everything, as the advice in the findings says.
      rmSync(`${directory}/.kafka_cleanshutdown`, { force: true });
      rmSync(`${directory}/recovery-point-offset-checkpoint`, { force: true });
      const manager = managerOf(directory);
      await manager.open();
      await manager.close();
      const after = await verify(directory);
      const left = after.findings.filter((finding) => finding.severity !== 'note');
      assert.deepEqual(left.map(textOf), []);
    });
  });
}

test('what becomes of a bad batch depends on whether the next start looks at it', async () => {
  await withDirectory(async (directory, partition) => {
    poke(`${partition}/${FIRST}.log`, 100, 1);
    const recoveryOf = async (): Promise<string> => (await verify(directory)).findings[0]!.recovery;
    assert.match(await recoveryOf(), /does not look here/);
    rmSync(`${directory}/.kafka_cleanshutdown`);
    assert.match(await recoveryOf(), /does not look here/, 'the recovery point lies behind it');
    rmSync(`${directory}/recovery-point-offset-checkpoint`);
    assert.match(await recoveryOf(), /cuts the log here: it ends at offset 0, .* all later segments are lost/);
  });
});

test('of many findings alike in one file the first ones are told, and how many there were', async () => {
  await withDirectory(async (directory, partition) => {
    const [path = ''] = filesOf(partition, '.log');
    edit(path, (bytes) => {
      const copies = Array.from({ length: 20 }, () => bytes.subarray(0, bytes.readInt32BE(8) + 12));
      return Buffer.concat([bytes, ...copies]);
    });
    const { findings, summary } = await verify(directory);
    const told = findings.filter((finding) => finding.path === path);
    assert.ok(told.length <= 25, `${told.length} findings are told`);
    assert.ok(told.some(({ problem }) => /\d+ more of this kind/.test(problem)) || summary.findings.error >= 20);
  });
});

test('leftovers of a stop are told as notes and are no faults', async () => {
  await withDirectory(async (directory, partition) => {
    writeFileSync(`${partition}/${FIRST}.log.deleted`, '');
    writeFileSync(`${partition}/${FIRST}.log.cleaned`, '');
    const { findings, summary } = await verify(directory);
    assert.deepEqual(
      findings.map(({ severity }) => severity),
      ['note', 'note'],
    );
    assert.equal(summary.findings.error + summary.findings.warning, 0);
  });
});
