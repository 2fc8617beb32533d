/** What must hold between broker options, each alone being valid. */
import type { BrokerConfig } from './broker-config.ts';
import { listenerViolations } from './listeners.ts';
import { splitList } from './option.ts';

/** One line for each rule that is broken, naming options, values and what is allowed. */
export function brokerRuleViolations(config: BrokerConfig): string[] {
  const lines: string[] = [];
  const require = (holds: boolean, line: () => string): void => {
    if (!holds) lines.push(line());
  };
  const retentionMs = config.get('log.retention.ms');
  require(retentionMs === -1 || retentionMs >= 1, () => `log.retention.ms=${retentionMs}: allowed: -1 or at least 1`);
  const waitMs = config.get('replica.fetch.wait.max.ms');
  const socketMs = config.get('replica.socket.timeout.ms');
  require(waitMs <= socketMs, () => above('replica.fetch.wait.max.ms', waitMs, 'replica.socket.timeout.ms', socketMs));
  const lagMs = config.get('replica.lag.time.max.ms');
  require(waitMs <= lagMs, () => above('replica.fetch.wait.max.ms', waitMs, 'replica.lag.time.max.ms', lagMs));
  const queuedBytes = config.get('queued.max.request.bytes');
  const requestBytes = config.get('socket.request.max.bytes');
  require(queuedBytes <= 0 || queuedBytes >= requestBytes, () =>
    above('socket.request.max.bytes', requestBytes, 'queued.max.request.bytes', queuedBytes));
  const minLagMs = config.get('log.cleaner.min.compaction.lag.ms');
  const maxLagMs = config.get('log.cleaner.max.compaction.lag.ms');
  require(minLagMs <= maxLagMs, () =>
    above('log.cleaner.min.compaction.lag.ms', minLagMs, 'log.cleaner.max.compaction.lag.ms', maxLagMs));
  require(config.get('max.connections.per.ip') > 0 || config.get('max.connections.per.ip.overrides') !== '', () =>
    'max.connections.per.ip=0: allowed only with max.connections.per.ip.overrides');
  lines.push(...groupRules(config), ...addressLimitRules(config), ...listenerViolations(config));
  return lines;
}

function above(option: string, value: number, limit: string, limitValue: number): string {
  return `${option}=${value}: allowed: at most ${limit}, which is ${limitValue}`;
}

function groupRules(config: BrokerConfig): string[] {
  const lines: string[] = [];
  const ordered = [
    ['group.min.session.timeout.ms', 'group.max.session.timeout.ms'],
    ['group.consumer.min.session.timeout.ms', 'group.consumer.session.timeout.ms'],
    ['group.consumer.session.timeout.ms', 'group.consumer.max.session.timeout.ms'],
    ['group.consumer.min.heartbeat.interval.ms', 'group.consumer.heartbeat.interval.ms'],
    ['group.consumer.heartbeat.interval.ms', 'group.consumer.max.heartbeat.interval.ms'],
    ['group.consumer.min.assignment.interval.ms', 'group.consumer.assignment.interval.ms'],
    ['group.consumer.assignment.interval.ms', 'group.consumer.max.assignment.interval.ms'],
  ] as const;
  for (const [lower, upper] of ordered) {
    if (config.get(lower) > config.get(upper)) lines.push(above(lower, config.get(lower), upper, config.get(upper)));
  }
  return lines;
}

function addressLimitRules(config: BrokerConfig): string[] {
  const text = config.get('max.connections.per.ip.overrides');
  return typeof parseAddressLimits(text) === 'string'
    ? [`max.connections.per.ip.overrides=${text}: allowed: address:count pairs`]
    : [];
}

/** `max.connections.per.ip.overrides` by address; a text says what is wrong. */
export function parseAddressLimits(text: string): ReadonlyMap<string, number> | string {
  const limits = new Map<string, number>();
  for (const entry of splitList(text)) {
    const match = /^\[?([0-9a-zA-Z\-%._:]+)\]?:(\d+)$/.exec(entry);
    if (match === null) return entry;
    limits.set(match[1]!, Number(match[2]));
  }
  return limits;
}
