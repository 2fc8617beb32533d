/** Options of the node itself: who it is, what it may do, its metadata stream and its limits. */
import { bool, className, INT_MAX, int, list, long, password, string } from '../option.ts';

export const serverOptions = {
  'node.id': int({ default: 1, min: 0 }, 'Number of this node, unique in the cluster.'),
  'broker.id': int({ default: 1, min: 0 }, 'Older name of node.id; where both are given they must agree.'),
  'process.roles': list(
    { default: 'broker,controller', allowed: ['broker', 'controller'] },
    'Roles of this process. A node without ZooKeeper has both.',
  ),
  'broker.rack': string(
    { default: null },
    'Name of the rack, host or zone; replicas of a partition are spread over them.',
  ),
  'auto.create.topics.enable': bool(
    { default: true },
    'Whether asking for the metadata of an absent topic, or producing to it, creates it.',
  ),
  'delete.topic.enable': bool({ default: true }, 'Whether topics may be deleted.'),
  'num.partitions': int({ default: 1, min: 1 }, 'Partitions of a topic that is created without a count.'),
  'default.replication.factor': int(
    { default: 1, min: 1, max: 32767 },
    'Replicas of a topic that is created without a factor.',
  ),
  'max.request.partition.size.limit': int(
    { default: 2000, min: 1 },
    'Most partitions in one answer to DescribeTopicPartitions.',
  ),
  'max.incremental.fetch.session.cache.slots': int({ default: 1000, min: 0 }, 'Most fetch sessions kept at a time.'),
  'fetch.max.bytes': int({ default: 57671680, min: 1024 }, 'Most bytes in one answer to a fetch.'),
  'request.timeout.ms': int({ default: 30000, inert: 'later' }, 'Longest wait for an answer from another broker.'),
  'controlled.shutdown.enable': bool(
    { default: true, inert: 'later' },
    'Whether a stopping broker hands its leaderships over first.',
  ),
  'controlled.shutdown.max.retries': int({ default: 3, inert: 'later' }, 'Attempts to hand leaderships over.'),
  'controlled.shutdown.retry.backoff.ms': long({ default: 5000, inert: 'later' }, 'Pause between those attempts.'),
  'telemetry.max.bytes': int({ default: 1048576, min: 1, inert: 'later' }, 'Largest metrics report of a client.'),
  'authorizer.class.name': string(
    { default: '', inert: 'later' },
    'Switches access control on; any value of Kafka selects the built-in authorizer.',
  ),
  'super.users': string(
    { default: '', inert: 'later' },
    'Principals that may do everything, separated by semicolons (User:alice;User:bob).',
  ),
  'allow.everyone.if.no.acl.found': bool(
    { default: false, inert: 'later' },
    'Whether a resource without any rule is open to everyone.',
  ),
  'create.topic.policy.class.name': className({ default: null, inert: 'never' }, 'Java policy for topic creation.'),
  'alter.config.policy.class.name': className({ default: null, inert: 'never' }, 'Java policy for config changes.'),
  'early.start.listeners': list(
    { default: null, mayBeEmpty: true, inert: 'never' },
    'Listeners opened before authorization is ready.',
  ),
  'config.providers': list(
    { default: '', mayBeEmpty: true, mode: 'cluster-wide', inert: 'never' },
    'Java classes that resolve placeholders in values.',
  ),
  'num.io.threads': int(
    { default: 8, min: 1, mode: 'cluster-wide', inert: 'never' },
    'Request threads of a Java broker.',
  ),
  'background.threads': int(
    { default: 10, min: 1, mode: 'cluster-wide', inert: 'never' },
    'Housekeeping threads of a Java broker.',
  ),
  'metric.reporters': list(
    { default: 'org.apache.kafka.common.metrics.JmxReporter', mayBeEmpty: true, mode: 'cluster-wide', inert: 'never' },
    'Java classes that publish metrics.',
  ),
  'metrics.num.samples': int({ default: 2, min: 1, inert: 'never' }, 'Windows of a metric kept by a Java broker.'),
  'metrics.sample.window.ms': long({ default: 30000, min: 1, inert: 'never' }, 'Length of such a window.'),
  'metrics.recording.level': string({ default: 'INFO', inert: 'never' }, 'Detail of metrics in a Java broker.'),
  'kafka.metrics.reporters': list(
    { default: '', mayBeEmpty: true, inert: 'never' },
    'Java classes that publish metrics.',
  ),
  'kafka.metrics.polling.interval.secs': int({ default: 10, min: 1, inert: 'never' }, 'Pace of those reporters.'),

  'metadata.log.dir': string({ default: null }, 'Directory of the metadata log; unset, the first of log.dirs.'),
  'metadata.log.segment.bytes': int({ default: 1073741824, min: 8388608 }, 'Largest file of the metadata log.'),
  'metadata.log.segment.ms': long(
    { default: 604800000 },
    'Longest time that a file of the metadata log is written to.',
  ),
  'metadata.log.max.record.bytes.between.snapshots': long(
    { default: 20971520, min: 1 },
    'Bytes of new metadata records after which a snapshot is written.',
  ),
  'metadata.log.max.snapshot.interval.ms': long(
    { default: 3600000, min: 0 },
    'Longest time without a snapshot while there are new records; 0 means no such limit.',
  ),
  'metadata.max.retention.bytes': long(
    { default: 104857600, inert: 'never' },
    'Bytes of metadata log and snapshots kept; -1 for all.',
  ),
  'metadata.max.retention.ms': long(
    { default: 604800000, inert: 'never' },
    'Age up to which metadata log and snapshots are kept.',
  ),
  'metadata.max.idle.interval.ms': int(
    { default: 500, min: 0, inert: 'later' },
    'Pace at which an idle controller writes an empty record.',
  ),

  'zookeeper.connect': string(
    { default: null },
    'ZooKeeper servers as host:port,host:port/path; given, the cluster is held together by ZooKeeper.',
  ),
  'zookeeper.session.timeout.ms': int(
    { default: 6000, min: 1 },
    'How long ZooKeeper waits for a silent broker: a broker that hangs holds its partitions up for as long.',
  ),
  'zookeeper.connection.timeout.ms': int({ default: 18000, min: 1 }, 'Longest wait for a connection to ZooKeeper.'),
  'zookeeper.max.in.flight.requests': int({ default: 10, min: 1 }, 'Unanswered requests to ZooKeeper at a time.'),
  'zookeeper.set.acl': bool(
    { default: false },
    'Whether znodes are written so that only brokers may change them; needs sluice.zookeeper.credentials.',
  ),
  'sluice.zookeeper.credentials': password({}, 'Who the brokers are to ZooKeeper: user:password of its digest scheme.'),

  'controller.listener.names': list(
    { default: '', mayBeEmpty: true },
    'Listeners that carry controller traffic; clients are never told of them.',
  ),
  'controller.quorum.voters': list(
    { default: '', mayBeEmpty: true },
    'The controller as id@host:port; a node with another id is a broker that follows it.',
  ),
  'controller.quorum.bootstrap.servers': list(
    { default: '', mayBeEmpty: true, inert: 'later' },
    'Controllers as host:port, to find the others through.',
  ),
  'controller.quorum.election.timeout.ms': int({ default: 1000, min: 0, inert: 'later' }, 'Longest wait for votes.'),
  'controller.quorum.fetch.timeout.ms': int(
    { default: 2000, min: 0, inert: 'later' },
    'Time without hearing from the active controller after which another is elected.',
  ),
  'controller.quorum.election.backoff.max.ms': int(
    { default: 1000, min: 0, inert: 'later' },
    'Longest pause between elections.',
  ),
  'controller.quorum.append.linger.ms': int(
    { default: 25, min: 0, inert: 'later' },
    'Time that metadata records wait for company.',
  ),
  'controller.quorum.request.timeout.ms': int(
    { default: 2000, min: 0, inert: 'later' },
    'Longest wait for a controller.',
  ),
  'controller.quorum.retry.backoff.ms': int(
    { default: 20, min: 0, inert: 'later' },
    'Pause before asking a controller again.',
  ),
  'controller.quorum.auto.join.enable': bool(
    { default: false, inert: 'later' },
    'Whether a new controller joins by itself.',
  ),
  'controller.quorum.fetch.max.bytes': int(
    { default: 1048576, min: 1, inert: 'later' },
    'Bytes of metadata fetched at a time.',
  ),
  'controller.quorum.fetch.snapshot.max.bytes': int(
    { default: 1048576, min: 1, inert: 'later' },
    'Bytes of a snapshot fetched at a time.',
  ),
  'broker.heartbeat.interval.ms': int({ default: 2000 }, 'Pace of heartbeats to the controller.'),
  'broker.session.timeout.ms': int({ default: 9000 }, 'Silence after which a broker counts as gone.'),
  'initial.broker.registration.timeout.ms': int(
    { default: 60000, inert: 'later' },
    'Longest wait for the first registration.',
  ),
  'broker.id.generation.enable': bool({ default: true, inert: 'later' }, 'Whether ZooKeeper may give out broker ids.'),
  'reserved.broker.max.id': int({ default: 1000, min: 0, inert: 'later' }, 'Largest id that is given by hand.'),

  'sluice.partitions.per.broker.max': int(
    { default: 20000, min: 1 },
    'Most partition replicas on one broker; creating more is refused.',
  ),
  'sluice.partitions.per.request.max': int(
    { default: 10000, min: 1, max: INT_MAX },
    'Most partitions that one request may create.',
  ),
} as const;
