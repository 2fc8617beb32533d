/** Options of consumer groups and transactions. */
import { bool, INT_MAX, int, list, long, short, string } from '../option.ts';

const LATER = 'later';
const CODEC_NUMBERS = '0 none, 1 gzip, 2 snappy, 3 lz4, 4 zstd';

export const coordinationOptions = {
  'offsets.topic.num.partitions': int({ default: 50, min: 1 }, 'Partitions of the topic of committed offsets.'),
  'offsets.topic.replication.factor': short(
    { default: 3, min: 1 },
    'Replicas of that topic; a smaller cluster makes as many as it has brokers.',
  ),
  'offsets.topic.segment.bytes': int({ default: 104857600, min: 1 }, 'Segment size of that topic.'),
  'offsets.topic.compression.codec': int({ default: 0, min: 0, max: 4 }, `Codec of that topic: ${CODEC_NUMBERS}.`),
  'offsets.retention.minutes': int({ default: 10080, min: 1 }, 'Time that the offsets of an empty group are kept.'),
  'offsets.retention.check.interval.ms': long({ default: 600000, min: 1 }, 'Pace of dropping old offsets.'),
  'offsets.commit.timeout.ms': int({ default: 5000, min: 1 }, 'Longest wait until a commit is replicated.'),
  'offsets.load.buffer.size': int({ default: 5242880, min: 1 }, 'Bytes read at a time when groups are loaded.'),
  'offset.metadata.max.bytes': int({ default: 4096 }, 'Largest note that may come with a committed offset.'),
  'group.min.session.timeout.ms': int({ default: 6000 }, 'Shortest session that a consumer may ask for.'),
  'group.max.session.timeout.ms': int({ default: 1800000 }, 'Longest session that a consumer may ask for.'),
  'group.initial.rebalance.delay.ms': int({ default: 3000 }, 'Wait for more members before a new group starts.'),
  'group.max.size': int({ default: INT_MAX, min: 1 }, 'Most members of a group.'),
  'group.coordinator.rebalance.protocols': list(
    { default: 'classic,consumer,streams', allowed: ['consumer', 'classic', 'share', 'streams'] },
    'Group protocols that are served.',
  ),
  'group.coordinator.threads': int({ default: 4, min: 1, inert: 'never' }, 'Coordinator threads of a Java broker.'),
  'group.coordinator.background.threads': int(
    { default: 2, min: 1, inert: 'never' },
    'Background threads of that coordinator.',
  ),
  'group.coordinator.append.linger.ms': int(
    { default: -1, min: -1, inert: 'never' },
    'Time that group records wait for company; -1 decides by load.',
  ),
  'group.coordinator.cached.buffer.max.bytes': int(
    { default: 1048588, min: 524288, mode: 'cluster-wide', inert: 'never' },
    'Buffers that a Java coordinator keeps.',
  ),
  'group.consumer.session.timeout.ms': int({ default: 45000, min: 1 }, 'Session of a consumer of the newer protocol.'),
  'group.consumer.min.session.timeout.ms': int(
    { default: 45000, min: 1 },
    'Shortest such session a group may be given.',
  ),
  'group.consumer.max.session.timeout.ms': int(
    { default: 60000, min: 1 },
    'Longest such session a group may be given.',
  ),
  'group.consumer.heartbeat.interval.ms': int({ default: 5000, min: 1 }, 'Pace of heartbeats of the newer protocol.'),
  'group.consumer.min.heartbeat.interval.ms': int(
    { default: 5000, min: 1 },
    'Shortest such pace a group may be given.',
  ),
  'group.consumer.max.heartbeat.interval.ms': int(
    { default: 15000, min: 1 },
    'Longest such pace a group may be given.',
  ),
  'group.consumer.max.size': int({ default: INT_MAX, min: 1 }, 'Most members of a group of the newer protocol.'),
  'group.consumer.assignors': list(
    {
      default: 'uniform,range',
      // The last two are Kafka's names from before 4.0.
      allowed: [
        'uniform',
        'range',
        'org.apache.kafka.coordinator.group.assignor.UniformAssignor',
        'org.apache.kafka.coordinator.group.assignor.RangeAssignor',
      ],
    },
    'Assignors on the broker, the default first.',
  ),
  'group.consumer.migration.policy': string(
    {
      default: 'bidirectional',
      allowed: ['disabled', 'downgrade', 'upgrade', 'bidirectional'],
      ignoreCase: true,
    },
    'Whether a group may change its protocol while it lives.',
  ),
  'group.consumer.assignment.interval.ms': int(
    { default: 1000, min: 0, mode: 'cluster-wide' },
    'Shortest time between two assignments of a group.',
  ),
  'group.consumer.min.assignment.interval.ms': int({ default: 0, min: 0 }, 'Smallest such time a group may be given.'),
  'group.consumer.max.assignment.interval.ms': int(
    { default: 15000, min: 0 },
    'Largest such time a group may be given.',
  ),
  'group.consumer.regex.refresh.interval.ms': int(
    { default: 600000, min: 10000 },
    'Pace of matching patterns against new topics.',
  ),

  'transaction.max.timeout.ms': int(
    { default: 900000, min: 1, inert: LATER },
    'Longest transaction that a producer may ask for.',
  ),
  'transactional.id.expiration.ms': int(
    { default: 604800000, min: 1, inert: LATER },
    'Silence after which a transactional id is forgotten.',
  ),
  'transaction.state.log.num.partitions': int(
    { default: 50, min: 1, inert: LATER },
    'Partitions of the topic of transactions.',
  ),
  'transaction.state.log.replication.factor': short(
    { default: 3, min: 1, inert: LATER },
    'Replicas of that topic; a smaller cluster makes as many as it has brokers.',
  ),
  'transaction.state.log.min.isr': int(
    { default: 2, min: 1, inert: LATER },
    'In-sync replicas that topic needs; at most its replicas.',
  ),
  'transaction.state.log.segment.bytes': int(
    { default: 104857600, min: 1, inert: LATER },
    'Segment size of that topic.',
  ),
  'transaction.state.log.load.buffer.size': int(
    { default: 5242880, min: 1, inert: LATER },
    'Bytes read at a time when transactions are loaded.',
  ),
  'transaction.abort.timed.out.transaction.cleanup.interval.ms': int(
    { default: 10000, min: 1, inert: LATER },
    'Pace of aborting transactions that have run out of time.',
  ),
  'transaction.remove.expired.transaction.cleanup.interval.ms': int(
    { default: 3600000, min: 1, inert: LATER },
    'Pace of forgetting transactional ids.',
  ),
  'transaction.partition.verification.enable': bool(
    { default: true, mode: 'cluster-wide', inert: LATER },
    'Whether a transactional write is checked against its transaction first.',
  ),
  'transaction.two.phase.commit.enable': bool(
    { default: false, inert: LATER },
    'Whether transactions may be part of a larger one.',
  ),
  'add.partitions.to.txn.retry.backoff.ms': int(
    { default: 20, min: 1, inert: LATER },
    'Pause before a partition is added again.',
  ),
  'add.partitions.to.txn.retry.backoff.max.ms': int(
    { default: 100, min: 0, inert: LATER },
    'Longest time of trying to add it.',
  ),
} as const;
