/** The configs of one group: its own values over the broker's, within the bounds that the broker sets. */
import type { BrokerConfig } from './broker-config.ts';
import { type BrokerOptionName, brokerOptions } from './broker-options.ts';
import { bool, int, type Option, parseValue, string } from './option.ts';

interface GroupOption {
  /** Gives the value where the group has none. */
  readonly synonym: MillisecondOption;
  readonly min: MillisecondOption;
  readonly max: MillisecondOption;
}

type MillisecondOption = Extract<BrokerOptionName, `group.consumer.${string}.ms`>;

export const groupOptions = {
  'consumer.session.timeout.ms': {
    synonym: 'group.consumer.session.timeout.ms',
    min: 'group.consumer.min.session.timeout.ms',
    max: 'group.consumer.max.session.timeout.ms',
  },
  'consumer.heartbeat.interval.ms': {
    synonym: 'group.consumer.heartbeat.interval.ms',
    min: 'group.consumer.min.heartbeat.interval.ms',
    max: 'group.consumer.max.heartbeat.interval.ms',
  },
  'consumer.assignment.interval.ms': {
    synonym: 'group.consumer.assignment.interval.ms',
    min: 'group.consumer.min.assignment.interval.ms',
    max: 'group.consumer.max.assignment.interval.ms',
  },
} as const satisfies Readonly<Record<string, GroupOption>>;

/** An option of groups of kinds that are not served here. */
interface UnservedOption {
  readonly option: Option;
  /** Kafka's option of the broker that gives the value where the group has none. */
  readonly synonym: string | undefined;
}

const unserved = (option: Option, synonym?: string): UnservedOption => ({ option, synonym });

/**
 * Configs of share and streams groups: taken as Kafka takes them and kept, within the bounds that Kafka has where nobody
 * moved them, for whoever reads this metadata next. Nothing here follows them.
 */
const unservedOptions: Readonly<Record<string, UnservedOption>> = {
  'share.session.timeout.ms': unserved(
    int({ default: 45_000, min: 45_000, max: 60_000 }, 'Silence that ends a membership.'),
    'group.share.session.timeout.ms',
  ),
  'share.heartbeat.interval.ms': unserved(
    int({ default: 5000, min: 5000, max: 15_000 }, 'Pace of heartbeats.'),
    'group.share.heartbeat.interval.ms',
  ),
  'share.record.lock.duration.ms': unserved(
    int({ default: 30_000, min: 15_000, max: 60_000 }, 'How long a member has a record for itself.'),
    'group.share.record.lock.duration.ms',
  ),
  'share.delivery.count.limit': unserved(
    int({ default: 5, min: 2, max: 10 }, 'How often a record is delivered.'),
    'group.share.delivery.count.limit',
  ),
  'share.partition.max.record.locks': unserved(
    int({ default: 2000, min: 100, max: 4000 }, 'Most records of a partition on their way.'),
    'group.share.partition.max.record.locks',
  ),
  'share.auto.offset.reset': unserved(
    string(
      { default: 'latest', check: { accepts: isResetStrategy, allowed: 'latest, earliest, by_duration:<ISO 8601>' } },
      'Where a new group begins.',
    ),
  ),
  'share.isolation.level': unserved(
    string(
      { default: 'read_uncommitted', allowed: ['read_committed', 'read_uncommitted'] },
      'Whether records of open and aborted transactions are delivered.',
    ),
  ),
  'share.renew.acknowledge.enable': unserved(bool({ default: true }, 'Whether a lock may be renewed.')),
  'share.assignment.interval.ms': unserved(
    int({ default: 1000, min: 0, max: 15_000 }, 'Shortest time between two assignments.'),
    'group.share.assignment.interval.ms',
  ),
  'streams.session.timeout.ms': unserved(
    int({ default: 45_000, min: 45_000, max: 60_000 }, 'Silence that ends a membership.'),
    'group.streams.session.timeout.ms',
  ),
  'streams.heartbeat.interval.ms': unserved(
    int({ default: 5000, min: 5000, max: 15_000 }, 'Pace of heartbeats.'),
    'group.streams.heartbeat.interval.ms',
  ),
  'streams.num.standby.replicas': unserved(
    int({ default: 0, min: 0, max: 2 }, 'Copies of the state of a task.'),
    'group.streams.num.standby.replicas',
  ),
  'streams.initial.rebalance.delay.ms': unserved(
    int({ default: 3000, min: 0 }, 'How long a new group waits for company.'),
    'group.streams.initial.rebalance.delay.ms',
  ),
  'streams.assignment.interval.ms': unserved(
    int({ default: 1000, min: 0, max: 15_000 }, 'Shortest time between two assignments.'),
    'group.streams.assignment.interval.ms',
  ),
};

function isResetStrategy(text: string): boolean {
  return /^(latest|earliest|by_duration:P(?=.)(\d+D)?(T(?=.)(\d+H)?(\d+M)?(\d+(\.\d{1,9})?S)?)?)$/.test(text);
}

export type GroupOptionName = keyof typeof groupOptions;
const servedOptionNames = Object.keys(groupOptions) as GroupOptionName[];
export const groupOptionNames: readonly string[] = [...servedOptionNames, ...Object.keys(unservedOptions)];

/** The option of a config that is kept without being followed. */
export function unservedGroupOption(name: string): UnservedOption | undefined {
  return Object.hasOwn(unservedOptions, name) ? unservedOptions[name] : undefined;
}

export function isGroupOption(name: string): name is GroupOptionName {
  return Object.hasOwn(groupOptions, name);
}

/**
 * The effective value. One that was set when the broker's bounds were wider counts as the nearest that they allow now.
 */
export function groupConfigValue(
  broker: BrokerConfig,
  own: ReadonlyMap<string, string>,
  name: GroupOptionName,
): number {
  const option = groupOptions[name];
  const value = own.get(name);
  if (value === undefined) return broker.get(option.synonym);
  return Math.min(broker.get(option.max), Math.max(broker.get(option.min), Number(value)));
}

/** The first thing that is wrong with all values of a group, as a sentence. */
export function validateGroupConfigs(broker: BrokerConfig, values: ReadonlyMap<string, string>): string | undefined {
  for (const [name, value] of values) {
    if (!isGroupOption(name)) {
      const problem = unservedProblem(name, value);
      if (problem !== undefined) return problem;
      continue;
    }
    const { synonym, min, max } = groupOptions[name];
    const parsed = parseValue(brokerOptions[synonym], value);
    if (!parsed.ok) return `${name}=${value}: not allowed; allowed: ${parsed.allowed}`;
    const [least, most] = [broker.get(min), broker.get(max)];
    const number = Number(value);
    if (number < least) return `${name}=${value}: allowed: at least ${min}, which is ${least}`;
    if (number > most) return `${name}=${value}: allowed: at most ${max}, which is ${most}`;
  }
  const sessionMs = groupConfigValue(broker, values, 'consumer.session.timeout.ms');
  const heartbeatMs = groupConfigValue(broker, values, 'consumer.heartbeat.interval.ms');
  if (sessionMs > heartbeatMs) return undefined;
  return `consumer.session.timeout.ms=${sessionMs}: allowed: more than consumer.heartbeat.interval.ms, which is ${heartbeatMs}`;
}

function unservedProblem(name: string, value: string): string | undefined {
  const known = unservedGroupOption(name);
  if (known === undefined) return `${name}: groups have no such config; they have: ${groupOptionNames.join(', ')}`;
  const parsed = parseValue(known.option, value);
  return parsed.ok ? undefined : `${name}=${value}: not allowed; allowed: ${parsed.allowed}`;
}
