/** `sluice groups` as a user runs it, against a broker in this process with a member that a wire holds. */
import assert from 'node:assert/strict';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, before, describe, it } from 'node:test';
import { makeTemporaryDirectory } from '../../src/base/temporary-directory.ts';
import { JSON_OUTPUT, mismatch } from '../../src/cli/json-output.ts';
import { joinGroup } from '../../src/protocol/apis/join-group.ts';
import { leaveGroup } from '../../src/protocol/apis/leave-group.ts';
import { offsetCommit } from '../../src/protocol/apis/offset-commit.ts';
import { produce } from '../../src/protocol/apis/produce.ts';
import { syncGroup } from '../../src/protocol/apis/sync-group.ts';
import { buildBatch } from '../../src/records/builder.ts';
import { ended, SluiceCommand } from '../support/sluice-command.ts';
import { makeTopic, startTestBroker, type TestBroker } from '../support/test-broker.ts';
import type { Wire } from '../support/wire.ts';

const TOPIC = 'orders';
const FIRST_MS = 1_700_000_000_000;
const STEP_MS = 60_000;

let broker: TestBroker;
let wire: Wire;
let home = '';
let command: SluiceCommand;

const sluice = (...args: readonly string[]) => command.run(['groups', ...args]);

/** `flag` names the shape of the answer where it is not the command's own. */
function json(...args: readonly string[]): Promise<Record<string, unknown>[]> {
  const flag = args.find((each) => each === '--members' || each === '--state');
  const name = args[0] === 'describe' && flag !== undefined ? `groups describe ${flag}` : `groups ${args[0]}`;
  return command.json(name, ['groups', ...args]);
}

async function offsetsOf(group: string): Promise<unknown[]> {
  return (await json('describe', group)).map(({ partition, currentOffset, lag }) => [partition, currentOffset, lag]);
}

const reset = (group: string, ...args: readonly string[]) => json('reset-offsets', group, '--execute', ...args);

before(async () => {
  home = makeTemporaryDirectory('sluice-groups');
  broker = await startTestBroker({
    config: { 'group.initial.rebalance.delay.ms': '0', 'offsets.topic.num.partitions': '4' },
  });
  wire = broker.wire();
  command = new SluiceCommand({ brokers: `127.0.0.1:${broker.port}`, cwd: home });
  const topicId = await makeTopic(wire, TOPIC, { partitions: 2 });
  const records = Array.from({ length: 10 }, (_, at) => {
    return { key: null, value: Buffer.from(`v${at}`), timestamp: FIRST_MS + at * STEP_MS };
  });
  const partitionData = [0, 1].map((index) => ({ index, records: buildBatch({ records }) }));
  await wire.reply(produce, 12, { acks: -1, timeoutMs: 1000, topicData: [{ name: TOPIC, topicId, partitionData }] });
});

after(async () => {
  wire.close();
  await broker.close();
  rmSync(home, { recursive: true, force: true });
});

describe('sluice groups', () => {
  it('says where a group would go on, and moves it when told to', async () => {
    const plan = await sluice('reset-offsets', 'g', '--topic', TOPIC, '--to-earliest');
    assert.equal(plan.code, 0, plan.stderr);
    assert.match(plan.stdout, /^GROUP +TOPIC +PARTITION +CURRENT-OFFSET +NEW-OFFSET\ng +orders +0 +- +0\ng +orders +1/);
    assert.match(plan.stderr, /Nothing was changed. Add --execute/);
    assert.deepEqual(await json('list'), []);

    await reset('g', '--topic', TOPIC, '--to-earliest');
    assert.deepEqual(await offsetsOf('g'), [
      [0, 0, 10],
      [1, 0, 10],
    ]);
    await reset('g', '--all-topics', '--to-latest');
    await reset('g', '--topic', `${TOPIC}:1`, '--to-offset', '4');
    assert.deepEqual(await offsetsOf('g'), [
      [0, 10, 0],
      [1, 4, 6],
    ]);
    await reset('g', '--all-topics', '--shift-by', '-3');
    assert.deepEqual(await offsetsOf('g'), [
      [0, 7, 3],
      [1, 1, 9],
    ]);
    await reset('g', '--all-topics', '--to-current');
    const time = new Date(FIRST_MS + 5 * STEP_MS - 1).toISOString();
    await reset('g', '--topic', TOPIC, '--to-datetime', time);
    assert.deepEqual(await offsetsOf('g'), [
      [0, 5, 5],
      [1, 5, 5],
    ]);
    await reset('g', '--topic', TOPIC, '--by-duration', 'PT1M');
    assert.deepEqual(await offsetsOf('g'), [
      [0, 10, 0],
      [1, 10, 0],
    ]);
    const file = join(home, 'offsets.csv');
    writeFileSync(file, `# where to go on\n${TOPIC},1,2\n`);
    await reset('g', '--from-file', file);
    assert.deepEqual(await offsetsOf('g'), [
      [0, 10, 0],
      [1, 2, 8],
    ]);
  });

  it('keeps a group inside of what is there, and says so', async () => {
    const { stdout, stderr } = await sluice('reset-offsets', 'g', '--topic', TOPIC, '--to-offset', '99', '--json');
    assert.deepEqual(
      (JSON.parse(stdout) as { newOffset: number }[]).map(({ newOffset }) => newOffset),
      [10, 10],
    );
    assert.match(stderr, /orders-0: 99 is outside of 0 to 10; taking 10/);
  });

  it('refuses arguments that say nothing or too much', async () => {
    for (const [exit, args, why] of [
      [2, ['reset-offsets', 'g', '--topic', TOPIC], /give one of --to-earliest/],
      [2, ['reset-offsets', 'g', '--topic', TOPIC, '--to-earliest', '--to-latest'], /give one of --to-earliest/],
      [2, ['reset-offsets', 'g', '--to-earliest'], /no topic given/],
      [2, ['reset-offsets', 'g', '--topic', TOPIC, '--by-duration', 'soon'], /--by-duration soon: give a duration/],
      [2, ['reset-offsets', 'g', '--topic', TOPIC, '--to-datetime', 'soon'], /--to-datetime soon: give a time/],
      [1, ['reset-offsets', 'g', '--topic', 'nowhere', '--to-earliest'], /UNKNOWN|topic nowhere/],
      [2, ['describe'], /no group given/],
      [1, ['describe', 'nobody'], /group nobody/],
      [1, ['delete', 'nobody'], /group nobody/],
    ] as const) {
      const { code, stderr } = await sluice(...args);
      assert.equal(code, exit, args.join(' '));
      assert.match(stderr, why);
    }
  });

  it('says that a group has no members, and which states and types there are', async () => {
    await reset('idle', '--topic', TOPIC, '--to-earliest');
    const { code, stdout, stderr } = await sluice('describe', 'idle', '--members');
    assert.deepEqual([code, stdout, stderr], [0, '', 'group idle has no members (Empty)\n']);
    assert.deepEqual((await sluice('list', '--state', 'EMPTY', '--type', 'Classic')).code, 0);
    for (const [option, value, allowed] of [
      ['--state', 'bogus', /--state bogus: give one of Empty, .*Stable/],
      ['--type', 'bogus', /--type bogus: give one of classic, consumer/],
    ] as const) {
      const wrong = await sluice('list', option, value);
      assert.equal(wrong.code, 2);
      assert.match(wrong.stderr, allowed);
    }
    await sluice('delete', 'idle');
  });

  it('shows who reads what and how far behind, and leaves a group with members alone', async () => {
    const first = await rejoin(await firstMemberId());
    assert.equal(first['generationId'], 1);
    const memberId = String(first['memberId']);
    const assignment = Buffer.from(
      `0000000000010006${Buffer.from(TOPIC).toString('hex')}0000000100000001ffffffff`,
      'hex',
    );
    await wire.reply(syncGroup, 3, {
      groupId: 'live',
      generationId: 1,
      memberId,
      assignments: [{ memberId, assignment }],
    });
    const partitions = [{ partitionIndex: 1, committedOffset: 4, committedMetadata: null }];
    const topics = [{ name: TOPIC, partitions }];
    await wire.reply(offsetCommit, 7, { groupId: 'live', generationIdOrMemberEpoch: 1, memberId, topics });

    const { stdout } = await sluice('describe', 'live');
    const heading = 'GROUP TOPIC PARTITION CURRENT-OFFSET LOG-END-OFFSET LAG CONSUMER-ID HOST CLIENT-ID';
    const lines = stdout.trimEnd().split('\n');
    assert.equal(lines[0]!.replace(/ +/g, ' '), heading);
    assert.equal(lines[1]!.replace(/ +/g, ' '), `live ${TOPIC} 1 4 10 6 ${memberId} /127.0.0.1 wire`);
    const [member] = await json('describe', 'live', '--members');
    assert.deepEqual([member!['partitions'], member!['assignment']], [1, `${TOPIC}(1)`]);
    const [state] = await json('describe', 'live', '--state');
    assert.deepEqual([state!['state'], state!['type'], state!['members']], ['Stable', 'classic', 1]);
    assert.deepEqual(
      (await json('list', '--state', 'stable')).map(({ group }) => group),
      ['live'],
    );

    await assertWatched(async () => {
      const further = [{ name: TOPIC, partitions: [{ ...partitions[0]!, committedOffset: 9 }] }];
      await wire.reply(offsetCommit, 7, { groupId: 'live', generationIdOrMemberEpoch: 1, memberId, topics: further });
    });

    await assertWatchedAsJson();

    const refused = await sluice('reset-offsets', 'live', '--all-topics', '--to-earliest', '--execute');
    assert.equal(refused.code, 1);
    assert.match(refused.stderr, /group live has 1 members \(Stable\)/);
    const kept = await sluice('delete', 'live');
    assert.equal(kept.code, 1);

    await wire.reply(leaveGroup, 4, { groupId: 'live', members: [{ memberId }] });
    assert.deepEqual(await json('delete', 'live', 'g'), [
      { group: 'live', deleted: true },
      { group: 'g', deleted: true },
    ]);
    assert.deepEqual(await json('list'), []);
  });
});

/** With --json a look is a line. */
async function assertWatchedAsJson(): Promise<void> {
  const child = command.start(['groups', 'describe', 'live', '--watch', '1', '--json']);
  try {
    let times = 0;
    let last = 0;
    for await (const line of createInterface({ input: child.stdout! })) {
      const look = JSON.parse(line) as { readonly time: number };
      assert.equal(mismatch(look, JSON_OUTPUT['groups describe --watch']!.shape), undefined, line);
      assert.ok(look.time > last);
      last = look.time;
      if (++times === 2) break;
    }
  } finally {
    child.kill('SIGTERM');
    await ended(child);
  }
}

/** `--watch` shows where the group is, again and again, until it is told to end. */
async function assertWatched(commitFurther: () => Promise<void>): Promise<void> {
  const child = command.start(['groups', 'describe', 'live', '--watch', '1']);
  try {
    const offsets: string[] = [];
    for await (const line of createInterface({ input: child.stdout! })) {
      const [group, , , current, end, lag] = line.split(/ +/);
      if (group !== 'live') continue;
      offsets.push(`${current} ${end} ${lag}`);
      if (offsets.length === 2) await commitFurther();
      if (offsets.length > 2 && offsets.at(-1) !== offsets[0]) break;
      assert.ok(offsets.length < 20, offsets.join());
    }
    assert.deepEqual(offsets.slice(0, 2), ['4 10 6', '4 10 6']);
    assert.equal(offsets.at(-1), '9 10 1');
    assert.equal(child.exitCode, null, 'goes on until it is told to end');
  } finally {
    child.kill('SIGTERM');
    await ended(child);
  }
}

const JOINING = {
  groupId: 'live',
  sessionTimeoutMs: 10_000,
  rebalanceTimeoutMs: 10_000,
  protocolType: 'consumer',
  protocols: [{ name: 'range', metadata: Buffer.from('000000000001' + '0006' + '6f7264657273' + 'ffffffff', 'hex') }],
};

async function firstMemberId(): Promise<string> {
  const { memberId } = await wire.reply(joinGroup, 5, { ...JOINING, memberId: '' });
  return String(memberId);
}

function rejoin(memberId: string) {
  return wire.reply(joinGroup, 5, { ...JOINING, memberId });
}
