/** The configs of one group: its own values over the broker's, within the bounds that the broker sets. */
import type { BrokerConfig } from './broker-config.ts';
import { type BrokerOptionName, brokerOptions } from './broker-options.ts';
import { parseValue } from './option.ts';

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

export type GroupOptionName = keyof typeof groupOptions;
export const groupOptionNames = Object.keys(groupOptions) as GroupOptionName[];

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
    if (!isGroupOption(name))
      return `${name}: groups have no such config here; they have: ${groupOptionNames.join(', ')}`;
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
