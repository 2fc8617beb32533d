import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { SluiceError } from '../../base/errors.ts';
import { BrokerVersions } from '../../client/api-versions.ts';
import { ScriptedBroker } from '../../client/scripted-broker.test.support.ts';
import type { ClusterState, PlacedPartition } from '../cluster-state.ts';
import { judgeClock } from './clock-checks.ts';
import { checkBrokers, checkDisks, checkPartitions, checkVersions } from './cluster-checks.ts';
import { checkAdvertised, checkBootstrap } from './connection-checks.ts';
import { Findings } from './findings.ts';
import { checkMachine, type Machine } from './machine-checks.ts';

const GIB = 2 ** 30;
const machine: Machine = {
  nodeVersion: '20.19.0',
  platform: 'linux',
  hasLibc: true,
  descriptors: 65_536,
  memory: { free: GIB, total: 4 * GIB },
};

/** Severities and checks of what is not in order. */
function wrong(look: (findings: Findings) => void): string[] {
  const findings = new Findings();
  look(findings);
  for (const { severity, remedy, check } of findings.all) {
    if (severity === 'warning' || severity === 'error') assert.ok(remedy, `${check} says what to do`);
  }
  return findings.all.filter(({ severity }) => severity !== 'ok').map(({ severity, check }) => `${severity} ${check}`);
}

describe('the doctor looks at this machine', () => {
  it('and finds an old Node, missing natives, few descriptors', () => {
    const found = (change: Partial<Machine>) => wrong((findings) => checkMachine({ ...machine, ...change }, findings));
    assert.deepEqual(found({}), []);
    assert.deepEqual(found({ nodeVersion: '20.18.3' }), ['error node']);
    assert.deepEqual(found({ nodeVersion: '22.1.0' }), []);
    assert.deepEqual(found({ hasLibc: false }), ['warning native']);
    assert.deepEqual(found({ hasLibc: false, platform: 'darwin' }), ['note native']);
    assert.deepEqual(found({ descriptors: 1024 }), ['warning descriptors']);
    assert.deepEqual(found({ descriptors: undefined }), []);
  });
});

describe('the doctor compares clocks', () => {
  it('and forgives what the way of an answer takes', () => {
    const found = (told: number) =>
      wrong((findings) => judgeClock({ broker: 1, told, here: 1_000_000, withinMs: 50 }, findings));
    assert.deepEqual(found(1_000_000), []);
    assert.deepEqual(found(1_001_040), []);
    assert.deepEqual(found(1_001_060), ['warning clock']);
    assert.deepEqual(found(998_990), ['warning clock']);
    assert.deepEqual(found(999_010), []);
    assert.deepEqual(found(1_000_000 + 2 * 3_600_000), ['error clock']);
  });
});

function partition(change: Partial<PlacedPartition>): PlacedPartition {
  const whole = { topic: 't', partition: 0, replicas: [1, 2, 3], leader: 1, inSync: [1, 2, 3] };
  return { ...whole, internal: false, bytes: 0, ...change };
}

function stateWith(partitions: readonly PlacedPartition[], change: Partial<ClusterState> = {}): ClusterState {
  const brokers = [1, 2, 3].map((id) => ({ id, host: 'h', port: id, rack: null, fenced: false }));
  return { clusterId: 'c', controllerId: 1, brokers, partitions, ...change };
}

describe('the doctor looks at partitions', () => {
  const found = (change: Partial<PlacedPartition>, minInSync = 2) =>
    wrong((findings) => {
      checkPartitions(stateWith([partition(change)]), { minInSync: new Map([['t', minInSync]]) }, findings);
    });

  it('and tells who cannot be read, who refuses, and who is in danger', () => {
    assert.deepEqual(found({}), []);
    assert.deepEqual(found({ leader: -1, inSync: [] }), ['error leaders']);
    assert.deepEqual(found({ inSync: [1, 2] }), ['warning replicas']);
    assert.deepEqual(found({ inSync: [1] }), ['error min-in-sync', 'warning replicas']);
    assert.deepEqual(found({ replicas: [1], inSync: [1] }, 1), ['warning safety']);
    assert.deepEqual(found({}, 1), ['note safety']);
  });

  it('and at the brokers that should have them', () => {
    const fenced = [1, 2].map((id) => ({ id, host: 'h', port: id, rack: null, fenced: id === 2 }));
    const state = stateWith([partition({})], { brokers: fenced, controllerId: -1 });
    assert.deepEqual(
      wrong((findings) => checkBrokers(state, findings)),
      ['error controller', 'warning broker', 'warning broker'],
    );
    assert.deepEqual(
      wrong((findings) => checkBrokers(stateWith([partition({})]), findings)),
      [],
    );
  });

  it('and at their disks', () => {
    const directory = {
      broker: 1,
      path: '/d',
      totalBytes: 100 * GIB,
      usableBytes: 50 * GIB,
      cordoned: false,
      replicas: [],
    };
    const disks = (change: Partial<typeof directory>) =>
      wrong((findings) => checkDisks([{ ...directory, ...change, ok: true }], findings));
    assert.deepEqual(disks({}), []);
    assert.deepEqual(disks({ usableBytes: 9 * GIB }), ['warning disk']);
    assert.deepEqual(disks({ usableBytes: GIB / 2 }), ['error disk']);
    assert.deepEqual(disks({ totalBytes: 2 * GIB, usableBytes: GIB }), [], 'half of a small disk is enough');
    assert.deepEqual(disks({ totalBytes: -1, usableBytes: -1 }), [], 'not every broker says');
    const error = new SluiceError('KAFKA_STORAGE_ERROR', 'offline');
    assert.deepEqual(
      wrong((findings) => checkDisks([{ ...directory, ok: false, error }], findings)),
      ['error disk'],
    );
  });

  it('and at versions that differ', () => {
    const speaks = (to: number) => ({ versions: new BrokerVersions(new Map([[0, { from: 0, to }]]), []) });
    assert.deepEqual(
      wrong((findings) =>
        checkVersions(
          new Map([
            [1, speaks(3)],
            [2, speaks(3)],
          ]),
          findings,
        ),
      ),
      [],
    );
    assert.deepEqual(
      wrong((findings) =>
        checkVersions(
          new Map([
            [1, speaks(3)],
            [2, speaks(4)],
          ]),
          findings,
        ),
      ),
      ['warning versions'],
    );
  });
});

describe('the doctor connects', () => {
  const options = { clientId: 'doctor', connectTimeoutMs: 500, requestTimeoutMs: 500 };

  it('to what was given, and says why that does not work', async () => {
    const broker = await ScriptedBroker.start();
    const findings = new Findings();
    try {
      const given = [
        { host: '127.0.0.1', port: broker.port },
        { host: '127.0.0.1', port: 1 },
        { host: 'no-such-host.invalid', port: 9092 },
      ];
      const told = await checkBootstrap(given, options, findings);
      assert.equal(told?.clusterId, 'scripted');
      assert.deepEqual(
        findings.all.map(({ severity }) => severity),
        ['ok', 'warning', 'warning'],
      );
      assert.match(findings.all[1]!.message, /127\.0\.0\.1:1 refuses connections/);
      assert.match(findings.all[2]!.message, /no-such-host\.invalid:9092 is a name that does not resolve/);
      assert.equal(await checkBootstrap(given.slice(1, 2), options, findings), undefined);
      assert.equal(findings.all.at(-1)!.severity, 'error');
      assert.match(findings.all.at(-1)!.remedy!, /sluice start --port 1/);
    } finally {
      await broker.stop();
    }
  });

  it('to what brokers tell, where clients will look', async () => {
    const [one, two] = [await ScriptedBroker.start(1), await ScriptedBroker.start(2)];
    one.peers = [one, two];
    two.peers = [one, two];
    try {
      const endpoint = { host: '127.0.0.1', port: one.port };
      const told = (await checkBootstrap([endpoint], options, new Findings()))!;
      const both = new Findings();
      assert.deepEqual([...(await checkAdvertised(told, [endpoint], options, both)).keys()].sort(), [1, 2]);
      assert.deepEqual(both.count('ok'), 2);
      await two.stop();
      const alone = new Findings();
      const elsewhere = [{ host: 'brokers.example', port: 9092 }];
      assert.deepEqual([...(await checkAdvertised(told, elsewhere, options, alone)).keys()], [1]);
      const byBroker = new Map(alone.all.map((finding) => [finding.broker, finding]));
      assert.equal(byBroker.get(1)!.severity, 'warning', 'who comes from elsewhere is sent to itself');
      assert.equal(byBroker.get(2)!.severity, 'error');
      assert.match(byBroker.get(2)!.message, /broker 2 tells clients to connect to 127\.0\.0\.1:\d+, which refuses/);
      assert.match(byBroker.get(2)!.remedy!, /advertised\.listeners/);
    } finally {
      await one.stop();
    }
  });
});
