/** Kafka's options of consumer groups, and the configs of one group that stand in for them. */
import { assert } from '../../../base/assert.ts';
import type { BrokerConfig } from '../../../config/broker-config.ts';
import { groupConfigValue } from '../../../config/group-config.ts';
import type { Assignor } from '../assignors/assignor.ts';
import { rangeAssignor } from '../assignors/range.ts';
import { uniformAssignor } from '../assignors/uniform.ts';
import type { ConsumerGroupSettings } from './context.ts';

/** By the names that `group.consumer.assignors` allows. */
const ASSIGNORS: Readonly<Record<string, Assignor>> = {
  uniform: uniformAssignor,
  range: rangeAssignor,
  'org.apache.kafka.coordinator.group.assignor.UniformAssignor': uniformAssignor,
  'org.apache.kafka.coordinator.group.assignor.RangeAssignor': rangeAssignor,
};

/** An assignor that is named twice is there once. */
export function assignorsOf(names: readonly string[]): readonly Assignor[] {
  return [
    ...new Set(
      names.map((name) => {
        const assignor = ASSIGNORS[name];
        assert(assignor !== undefined, 'the option allows known assignors only');
        return assignor;
      }),
    ),
  ];
}

/** What holds for a group with these configs of its own. */
export function consumerGroupSettings(broker: BrokerConfig, own: ReadonlyMap<string, string>): ConsumerGroupSettings {
  const policy = broker.get('group.consumer.migration.policy').toLowerCase();
  return {
    sessionTimeoutMs: groupConfigValue(broker, own, 'consumer.session.timeout.ms'),
    heartbeatIntervalMs: groupConfigValue(broker, own, 'consumer.heartbeat.interval.ms'),
    assignmentIntervalMs: groupConfigValue(broker, own, 'consumer.assignment.interval.ms'),
    maxMembers: broker.get('group.consumer.max.size'),
    assignors: assignorsOf(broker.get('group.consumer.assignors')),
    patternRefreshMs: broker.get('group.consumer.regex.refresh.interval.ms'),
    mayUpgrade: policy === 'bidirectional' || policy === 'upgrade',
    mayDowngrade: policy === 'bidirectional' || policy === 'downgrade',
  };
}
