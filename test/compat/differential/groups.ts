/** Groups of the classic protocol and committed offsets: a life at every version, and all ways to be refused. */
import { deleteGroups } from '../../../src/protocol/apis/delete-groups.ts';
import { describeGroups } from '../../../src/protocol/apis/describe-groups.ts';
import { findCoordinator } from '../../../src/protocol/apis/find-coordinator.ts';
import { heartbeat } from '../../../src/protocol/apis/heartbeat.ts';
import { joinGroup } from '../../../src/protocol/apis/join-group.ts';
import { leaveGroup } from '../../../src/protocol/apis/leave-group.ts';
import { listGroups } from '../../../src/protocol/apis/list-groups.ts';
import { offsetCommit } from '../../../src/protocol/apis/offset-commit.ts';
import { offsetDelete } from '../../../src/protocol/apis/offset-delete.ts';
import { offsetFetch } from '../../../src/protocol/apis/offset-fetch.ts';
import { syncGroup } from '../../../src/protocol/apis/sync-group.ts';
import type { Body } from '../../support/wire.ts';
import type { Answers, Pair, Side } from '../harness/differential/pair.ts';
import type { Scenarios } from '../harness/differential/scenarios.ts';
import { bytesOf } from './requests.ts';

const TOPIC = 'read-by-groups';
const TOPIC_METADATA = subscription(TOPIC);

function subscription(topic: string): Buffer {
  const length = Buffer.from([0, topic.length]);
  return Buffer.concat([Buffer.from([0, 0, 0, 0, 0, 1]), length, Buffer.from(topic), Buffer.from('ffffffff', 'hex')]);
}

/** Member ids as each side gave them, by a name of the scenario's. */
class Members {
  readonly #ids = new Map<string, string>();

  learn(name: string, answers: Answers): void {
    for (const side of ['kafka', 'sluice'] as const) {
      const answer = answers[side];
      if (answer.kind === 'reply') this.#ids.set(`${side}/${name}`, String(answer.body['memberId']));
    }
  }

  of(side: Side, name: string): string {
    return this.#ids.get(`${side.name}/${name}`) ?? '';
  }
}

const joinBody = (groupId: string, more: Body = {}): Body => ({
  groupId,
  sessionTimeoutMs: 10_000,
  rebalanceTimeoutMs: 10_000,
  memberId: '',
  protocolType: 'consumer',
  protocols: [{ name: 'range', metadata: TOPIC_METADATA }],
  ...more,
});

async function stage(pair: Pair): Promise<void> {
  await pair.createTopics({ name: TOPIC, partitions: 2 });
  // The first question makes the topic of offsets; then its partitions are loaded.
  await pair.settle(findCoordinator, 3, { key: 'g', keyType: 0 }, (body) => body['errorCode'] === 0);
  const groups = Array.from({ length: 20 }, (_, at) => ({ groupId: `g${at}`, topics: null }));
  await pair.settle(offsetFetch, 8, { groups }, (body) =>
    (body['groups'] as { errorCode: number }[]).every(({ errorCode }) => errorCode === 0),
  );
}

async function coordinators(pair: Pair): Promise<void> {
  await stage(pair);
  for (const keyType of [0, 1, 2, 5, -1]) {
    await pair.askAll(`key type ${keyType}`, findCoordinator, { key: 'g', keyType, coordinatorKeys: ['g', 'h', ''] });
  }
  await pair.askAll('no keys', findCoordinator, { key: '', coordinatorKeys: [] });
}

/** One member alone, from its first JoinGroup to the deletion of its group, in one version each of all APIs. */
async function lives(pair: Pair): Promise<void> {
  for (let version = 0; version <= joinGroup.request.versions.to; version++) {
    await life(pair, version, version % 2 === 1 && version >= 5 ? `instance-${version}` : null);
  }
}

const atMost = (api: { readonly request: { readonly versions: { readonly to: number } } }, version: number): number =>
  Math.min(version, api.request.versions.to);

async function life(pair: Pair, version: number, groupInstanceId: string | null): Promise<void> {
  const groupId = `life-${version}`;
  const members = new Members();
  const what = `version ${version}`;
  const join = async (name: string, more: Body = {}) => {
    const body = (side: Side) => joinBody(groupId, { memberId: members.of(side, name), groupInstanceId, ...more });
    members.learn(name, await pair.ask(`${what}, join of ${name}`, joinGroup, version, body));
  };
  await join('first');
  if (version >= 4 && groupInstanceId === null) await join('first');
  const generationId = 1;
  const me = (side: Side, more: Body = {}): Body => {
    return { groupId, generationId, memberId: members.of(side, 'first'), groupInstanceId, ...more };
  };
  const sync = (side: Side, more: Body = {}) =>
    me(side, {
      protocolType: 'consumer',
      protocolName: 'range',
      assignments: [{ memberId: members.of(side, 'first'), assignment: bytesOf('mine') }],
      ...more,
    });
  const syncVersion = atMost(syncGroup, version);
  await pair.ask(`${what}, early heartbeat`, heartbeat, atMost(heartbeat, version), me);
  await pair.ask(`${what}, early commit`, offsetCommit, 7, (side) => commitBody({ ...me(side), offset: 1 }));
  await pair.ask(`${what}, before the assignment`, describeGroups, atMost(describeGroups, version), {
    groups: [groupId],
  });
  await pair.ask(`${what}, sync of another protocol`, syncGroup, syncVersion, (side) =>
    sync(side, { protocolName: 'x' }),
  );
  await pair.ask(`${what}, sync`, syncGroup, syncVersion, (side) => sync(side));
  await pair.ask(`${what}, sync again`, syncGroup, syncVersion, (side) => sync(side, { assignments: [] }));
  await pair.ask(`${what}, heartbeat`, heartbeat, atMost(heartbeat, version), me);
  for (const [why, more] of WRONG_MEMBERS) {
    await pair.ask(`${what}, heartbeat, ${why}`, heartbeat, atMost(heartbeat, version), (side) => me(side, more));
    await pair.ask(`${what}, sync, ${why}`, syncGroup, syncVersion, (side) => sync(side, more));
    await pair.askAll(`${what}, commit, ${why}`, offsetCommit, (side, at) =>
      commitBody({ ...me(side, more), offset: at, topicId: side.topicIds.get(TOPIC) }),
    );
  }
  await pair.askAll(`${what}, commit`, offsetCommit, (side, at) =>
    commitBody({ ...me(side), offset: at, topicId: side.topicIds.get(TOPIC) }),
  );
  await pair.askAll(`${what}, fetched`, offsetFetch, (side, at) => fetchBody(side, at, [groupId]));
  await pair.ask(`${what}, offsets in use`, offsetDelete, 0, deleteBody(groupId));
  await pair.askAll(`${what}, described`, describeGroups, { groups: [groupId], includeAuthorizedOperations: true });
  await pair.ask(`${what}, deleted in use`, deleteGroups, 2, { groupsNames: [groupId] });
  await join('first', { protocols: [{ name: 'range', metadata: subscription('another') }] });
  await end(pair, version, { groupId, groupInstanceId, members });
}

/** The member leaves, and the group goes. */
async function end(
  pair: Pair,
  version: number,
  group: { readonly groupId: string; readonly groupInstanceId: string | null; readonly members: Members },
): Promise<void> {
  const { groupId, groupInstanceId, members } = group;
  const what = `version ${version}`;
  await pair.ask(`${what}, leave of a stranger`, leaveGroup, atMost(leaveGroup, version), {
    groupId,
    memberId: 'nobody',
    members: [{ memberId: 'nobody' }, { memberId: '', groupInstanceId: 'nobody' }],
  });
  await pair.ask(`${what}, leave`, leaveGroup, atMost(leaveGroup, version), (side) => {
    const memberId = members.of(side, 'first');
    return { groupId, memberId, members: [{ memberId, groupInstanceId }, { memberId }] };
  });
  await pair.ask(`${what}, empty`, describeGroups, atMost(describeGroups, version), { groups: [groupId] });
  await pair.ask(`${what}, offsets deleted`, offsetDelete, 0, deleteBody(groupId));
  await pair.ask(`${what}, deleted`, deleteGroups, 2, { groupsNames: [groupId, groupId] });
  await pair.askAll(`${what}, described when gone`, describeGroups, { groups: [groupId] });
}

const WRONG_MEMBERS: readonly (readonly [string, Body])[] = [
  ['an old generation', { generationId: 0 }],
  ['a generation to come', { generationId: 2 }],
  ['no generation', { generationId: -1 }],
  ['a stranger', { memberId: 'nobody' }],
  ['nobody', { memberId: '' }],
  ['nobody without generation', { memberId: '', generationId: -1, groupInstanceId: null }],
  ['an unknown instance', { groupInstanceId: 'nobody' }],
  ['another group', { groupId: 'never-there' }],
  ['no group', { groupId: '' }],
];

function commitBody({ groupId, generationId, memberId, groupInstanceId, offset, topicId }: Body): Body {
  return {
    groupId,
    generationIdOrMemberEpoch: generationId ?? -1,
    memberId: memberId ?? '',
    groupInstanceId: groupInstanceId ?? null,
    topics: [{ name: TOPIC, topicId, partitions: [partOf(0, { committedOffset: offset ?? 1 })] }],
  };
}

const partOf = (partitionIndex: number, more: Body = {}): Body => {
  return { partitionIndex, committedOffset: 1, committedMetadata: null, ...more };
};

function fetchBody(side: Side, version: number, groupIds: readonly string[], more: Body = {}): Body {
  const topics = [
    { name: TOPIC, partitionIndexes: [0, 1, 9] },
    { name: 'none', partitionIndexes: [0] },
  ];
  if (version < 8) return { groupId: groupIds[0], topics, ...more };
  const byId = topics.map((topic) => ({
    ...topic,
    topicId: side.topicIds.get(topic.name) ?? 'AAAAAAAAAAAAAAAAAAAAAg',
  }));
  return { groups: groupIds.map((groupId) => ({ groupId, topics: byId })), ...more };
}

const deleteBody = (groupId: string): Body => ({
  groupId,
  topics: [
    { name: TOPIC, partitions: [{ partitionIndex: 0 }, { partitionIndex: 9 }] },
    { name: 'none', partitions: [{ partitionIndex: 0 }] },
  ],
});

async function refusedJoins(pair: Pair): Promise<void> {
  const ask = (why: string, more: Body) => pair.askAll(why, joinGroup, joinBody('refused', more));
  await ask('no group', { groupId: '' });
  await ask('a short session', { sessionTimeoutMs: 5999 });
  await ask('a long session', { sessionTimeoutMs: 1_800_001 });
  await ask('a stranger', { memberId: 'nobody' });
  await ask('a strange instance', { memberId: 'nobody', groupInstanceId: 'nobody' });
  await ask('no protocol type', { protocolType: '' });
  await ask('no protocols', { protocols: [] });
  const groupId = 'refused-by-members';
  await pair.ask('a member', joinGroup, 3, joinBody(groupId));
  await pair.askAll(
    'another protocol',
    joinGroup,
    joinBody(groupId, { protocols: [{ name: 'x', metadata: TOPIC_METADATA }] }),
  );
  await pair.askAll('another type', joinGroup, joinBody(groupId, { protocolType: 'connect' }));
  await pair.askAll('a stranger to members', joinGroup, joinBody(groupId, { memberId: 'nobody' }));
}

async function staticMembers(pair: Pair): Promise<void> {
  const groupId = 'static';
  const members = new Members();
  const join = async (name: string, version: number, more: Body = {}) => {
    const body = joinBody(groupId, { groupInstanceId: 'i', ...more });
    members.learn(name, await pair.ask(`join as ${name}`, joinGroup, version, body));
  };
  const sync = (name: string, more: Body = {}) =>
    pair.ask(`sync of ${name}`, syncGroup, 5, (side) => ({
      groupId,
      generationId: 1,
      memberId: members.of(side, name),
      groupInstanceId: 'i',
      protocolType: 'consumer',
      protocolName: 'range',
      assignments: [{ memberId: members.of(side, name), assignment: bytesOf('mine') }],
      ...more,
    }));
  await join('first', 9);
  await sync('first');
  for (const version of [5, 6, 7, 8, 9]) {
    await join(`again in ${version}`, version);
    await sync(`again in ${version}`, { assignments: [] });
    await pair.ask(`heartbeat of who it was, ${version}`, heartbeat, 4, (side) => {
      return { groupId, generationId: 1, memberId: members.of(side, 'first'), groupInstanceId: 'i' };
    });
  }
  await pair.ask('join as who it was', joinGroup, 9, (side) =>
    joinBody(groupId, { groupInstanceId: 'i', memberId: members.of(side, 'first') }),
  );
  await pair.ask('commit as who it was', offsetCommit, 9, (side) =>
    commitBody({ groupId, generationId: 1, memberId: members.of(side, 'first'), groupInstanceId: 'i' }),
  );
  await pair.ask('described', describeGroups, 6, { groups: [groupId] });
  await join('other subscription', 9, { protocols: [{ name: 'range', metadata: subscription('another') }] });
  await pair.ask('sent away', leaveGroup, 5, { groupId, members: [{ memberId: '', groupInstanceId: 'i' }] });
  await pair.ask('afterwards', describeGroups, 6, { groups: [groupId] });
}

async function offsets(pair: Pair): Promise<void> {
  const known = (side: Side) => side.topicIds.get(TOPIC);
  const commit = (why: string, groupId: string, topics: (side: Side) => readonly Body[], more: Body = {}) =>
    pair.askAll(why, offsetCommit, (side) => ({
      groupId,
      generationIdOrMemberEpoch: -1,
      memberId: '',
      topics: topics(side),
      ...more,
    }));
  const named =
    (...partitions: readonly Body[]) =>
    (side: Side) => [{ name: TOPIC, topicId: known(side), partitions }];
  await commit('simple', 'simple', named(partOf(0, { committedMetadata: 'note', committedLeaderEpoch: 0 }), partOf(1)));
  await commit('no group', '', named(partOf(0)));
  await commit('partitions that are not there', 'simple', named(partOf(0), partOf(7), partOf(-1)));
  await commit('a partition twice', 'simple', named(partOf(0), partOf(0, { committedOffset: 5 })));
  await commit('negative', 'negative', named(partOf(0, { committedOffset: -1 }), partOf(1, { committedOffset: -7 })));
  await commit('long note', 'simple', named(partOf(0, { committedMetadata: 'n'.repeat(4096) })));
  await commit('too long note', 'simple', named(partOf(0, { committedMetadata: 'n'.repeat(4097) }), partOf(1)));
  await commit('unknown topic', 'simple', () => [
    { name: 'none', topicId: 'AAAAAAAAAAAAAAAAAAAAAg', partitions: [partOf(0)] },
  ]);
  await commit('nothing', 'simple', () => []);
  await commit('as a stranger', 'simple', named(partOf(0)), { memberId: 'nobody' });
  await commit('with a generation', 'simple', named(partOf(0)), { generationIdOrMemberEpoch: 1 });
  await commit('with a generation, unknown group', 'unknown', named(partOf(0)), { generationIdOrMemberEpoch: 1 });
  await commit('as an instance', 'simple', named(partOf(0)), { groupInstanceId: 'nobody' });
  const groups = ['simple', 'negative', 'unknown', ''];
  for (const requireStable of [false, true]) {
    await pair.askAll(`fetched, stable ${requireStable}`, offsetFetch, (side, version) =>
      fetchBody(side, version, groups, { requireStable }),
    );
  }
  await pair.askAll('fetched all', offsetFetch, (_side, version) => fetchedAll(version), { from: 2 });
  await pair.askAll('fetched nothing', offsetFetch, (_side, version) =>
    version < 8 ? { groupId: 'simple', topics: [] } : { groups: [{ groupId: 'simple', topics: [] }] },
  );
  await pair.ask('fetched as a member', offsetFetch, 9, {
    groups: [{ groupId: 'simple', memberId: 'nobody', memberEpoch: 3, topics: null }],
  });
  await pair.askAll('described', describeGroups, { groups: ['simple'] });
  for (const groupId of ['simple', 'unknown', '']) {
    await pair.ask(`offsets of ${groupId} deleted`, offsetDelete, 0, deleteBody(groupId));
  }
  await pair.ask('fetched after that', offsetFetch, 8, (side) => fetchBody(side, 8, ['simple']));
  await pair.askAll('groups deleted', deleteGroups, { groupsNames: ['negative', 'unknown', ''] });
}

function fetchedAll(version: number): Body {
  return version < 8 ? { groupId: 'simple', topics: null } : { groups: [{ groupId: 'simple', topics: null }] };
}

async function lists(pair: Pair): Promise<void> {
  await pair.ask('a group', joinGroup, 3, joinBody('listed'));
  const ours = (body: Body) => ({
    ...body,
    groups: (body['groups'] as { groupId: string }[]).filter(({ groupId }) => /^(listed|simple)$/.test(groupId)),
  });
  for (const [why, body] of [
    ['all', {}],
    ['one state', { statesFilter: ['Empty'] }],
    ['states in any case', { statesFilter: ['COMPLETINGREBALANCE', ' empty '] }],
    ['a strange state', { statesFilter: ['Strange'] }],
    ['one type', { typesFilter: ['classic'] }],
    ['types in any case', { typesFilter: ['CLASSIC', 'consumer'] }],
    ['another type', { typesFilter: ['Consumer'] }],
    ['a strange type', { typesFilter: ['strange'] }],
  ] as const) {
    const from = 'typesFilter' in body ? 5 : 'statesFilter' in body ? 4 : 0;
    await pair.askAll(why, listGroups, body, { pick: ours, from });
  }
}

export const groupScenarios: Scenarios = {
  FindCoordinator: coordinators,
  'groups at every version': lives,
  'JoinGroup, refused': refusedJoins,
  'static members': staticMembers,
  'committed offsets': offsets,
  ListGroups: lists,
};
