/** Shows groups: as a list, with their lag a partition, with their members, or their state; once or again and again. */
import { systemClock } from '../base/clock.ts';
import { SluiceError } from '../base/errors.ts';
import { Admin } from '../client/admin/admin.ts';
import type { GroupDescription } from '../client/admin/describe-groups.ts';
import { invalid, wholeNumber } from './arguments.ts';
import type { DescribeOptions, GroupsOptions, ListOptions } from './groups.ts';
import { openCluster } from './open-cluster.ts';
import { fail, formatTable, printJson, printJsonLine, printLine, printRows, type Row, remark } from './output.ts';

const CLIENT_ID = 'sluice-groups';
const DEFAULT_WATCH_SECONDS = 2;
const CLEAR_SCREEN = '\u001b[2J\u001b[H';

const LAG_COLUMNS = [
  ...['group', 'topic', 'partition', 'currentOffset', 'logEndOffset', 'lag'],
  ...['consumerId', 'host', 'clientId'],
];
const MEMBER_COLUMNS = ['group', 'consumerId', 'instanceId', 'host', 'clientId', 'partitions', 'assignment'];
const STATE_COLUMNS = ['group', 'type', 'state', 'coordinator', 'assignor', 'members'];

/** Of all kinds of groups. Kafka's tools take small letters as well. */
const GROUP_STATES = [
  ...['Empty', 'PreparingRebalance', 'CompletingRebalance', 'Stable', 'Dead'],
  ...['Assigning', 'Reconciling', 'NotReady'],
];
const GROUP_TYPES = ['classic', 'consumer', 'share', 'streams'];

function allowed(option: string, text: string, names: readonly string[]): void {
  if (names.some((name) => name.toLowerCase() === text.toLowerCase())) return;
  throw invalid(option, text, `give one of ${names.join(', ')}`);
}

export async function listGroups(options: ListOptions): Promise<void> {
  for (const state of options.state) allowed('--state', state, GROUP_STATES);
  for (const type of options.type) allowed('--type', type, GROUP_TYPES);
  await using cluster = await openCluster(options, CLIENT_ID);
  const groups = await new Admin(cluster).listGroups({ states: options.state, types: options.type });
  const rows = groups.map(({ id: group, type, state, protocolType }) => ({ group, type, state, protocolType }));
  printRows(rows, { json: options.json, columns: ['group', 'type', 'state', 'protocolType'] });
}

export async function describeGroups(names: readonly string[], options: DescribeOptions): Promise<void> {
  if (names.length === 0 && !options.all) {
    throw new SluiceError('INVALID_ARGUMENT', 'no group given: name some, or give --all');
  }
  await using cluster = await openCluster(options, CLIENT_ID);
  const admin = new Admin(cluster);
  if (options.watch === undefined) {
    await showOnce(admin, names, options);
    return;
  }
  const seconds = options.watch === true ? DEFAULT_WATCH_SECONDS : wholeNumber('--watch', options.watch, 1);
  for (;;) {
    if (process.stdout.isTTY && !options.json) process.stdout.write(CLEAR_SCREEN);
    await showOnce(admin, names, options);
    await new Promise<void>((resolve) => {
      systemClock.after(seconds * 1000, resolve, { holdsProcess: true });
    });
  }
}

async function showOnce(admin: Admin, names: readonly string[], options: DescribeOptions): Promise<void> {
  const ids = options.all ? (await admin.listGroups()).map(({ id }) => id) : names;
  const rows: Row[] = [];
  const columns = options.members ? MEMBER_COLUMNS : options.state ? STATE_COLUMNS : LAG_COLUMNS;
  for (const id of ids) {
    try {
      const group = await admin.describeGroup(id);
      if (!options.json && group.members.length === 0 && columns !== STATE_COLUMNS) {
        remark(`group ${id} has no members (${group.state})`);
      }
      rows.push(...(await rowsOf(admin, group, options)));
    } catch (error) {
      fail(error);
    }
  }
  if (options.json && options.watch !== undefined) printJsonLine({ time: systemClock.wallMs(), groups: rows });
  else if (options.json) printJson(rows);
  else if (rows.length > 0) printLine(formatTable(rows, columns).trimEnd());
}

async function rowsOf(admin: Admin, group: GroupDescription, options: DescribeOptions): Promise<Row[]> {
  if (options.members) return memberRows(group);
  if (options.state) {
    const { id, type, state, coordinator, assignor, members } = group;
    return [{ group: id, type, state, coordinator, assignor: assignor || null, members: members.length }];
  }
  const lags = await admin.groupLag(group);
  return lags.map(({ topic, partition, current, end, lag, member }) => ({
    group: group.id,
    topic,
    partition,
    currentOffset: current ?? null,
    logEndOffset: end ?? null,
    lag: lag ?? null,
    consumerId: member?.id ?? null,
    host: member?.host ?? null,
    clientId: member?.clientId ?? null,
  }));
}

function memberRows({ id: group, members }: GroupDescription): Row[] {
  return members.map(({ id: consumerId, instanceId, host, clientId, assignment }) => ({
    group,
    consumerId,
    instanceId,
    host,
    clientId,
    partitions: assignment.length,
    assignment: topicsOf(assignment) || null,
  }));
}

/** `orders(0,1) payments(3)` */
function topicsOf(assignment: GroupDescription['members'][number]['assignment']): string {
  const topics = new Map<string, number[]>();
  for (const { topic, partition } of assignment) topics.set(topic, [...(topics.get(topic) ?? []), partition]);
  return [...topics].map(([topic, partitions]) => `${topic}(${partitions.join(',')})`).join(' ');
}

export async function deleteGroups(names: readonly string[], options: GroupsOptions): Promise<void> {
  await using cluster = await openCluster(options, CLIENT_ID);
  const outcomes = await new Admin(cluster).deleteGroups(names);
  const rows = outcomes.flatMap((outcome) => (outcome.ok ? [{ group: outcome.id, deleted: true }] : []));
  if (rows.length > 0 || options.json) printRows(rows, { json: options.json, columns: ['group', 'deleted'] });
  for (const outcome of outcomes) if (!outcome.ok) fail(outcome.error);
}
