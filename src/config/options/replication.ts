/** Options of replication between brokers and of leader election. */
import { bool, int, long, string } from '../option.ts';

export const replicationOptions = {
  'replica.lag.time.max.ms': long(
    { default: 30000 },
    'Time after which a follower that has not caught up leaves the in-sync set.',
  ),
  'sluice.replica.silence.max.ms': long(
    { default: 2500, min: 0 },
    'Time after which an in-sync follower leaves that misses records and does not ask for them; 0 for no such limit.',
  ),
  'replica.fetch.max.bytes': int({ default: 1048576, min: 0 }, 'Bytes a follower asks for of each partition.'),
  'replica.fetch.wait.max.ms': int({ default: 500 }, 'Longest that a follower waits for new records.'),
  'replica.fetch.min.bytes': int({ default: 1 }, 'Bytes a follower waits for.'),
  'replica.fetch.response.max.bytes': int({ default: 10485760, min: 0 }, 'Bytes a follower asks for at a time.'),
  'replica.fetch.backoff.ms': int({ default: 1000, min: 0 }, 'Pause of a follower after an error.'),
  'replica.socket.timeout.ms': int({ default: 30000 }, 'Longest wait of a follower for an answer.'),
  'replica.socket.receive.buffer.bytes': int(
    { default: 65536, inert: 'later' },
    'Receive buffer of a follower (SO_RCVBUF).',
  ),
  'replica.high.watermark.checkpoint.interval.ms': long({ default: 5000 }, 'Pace of writing high watermarks to disk.'),
  'replica.selector.class': string({ default: null }, 'How a consumer finds its nearest replica.'),
  'num.replica.fetchers': int(
    { default: 1, min: 1, mode: 'cluster-wide' },
    'Connections to each other broker for fetching.',
  ),
  'controller.socket.timeout.ms': int({ default: 30000, inert: 'later' }, 'Longest wait for the controller.'),
  'auto.leader.rebalance.enable': bool({ default: true }, 'Whether preferred leaders are restored by themselves.'),
  'leader.imbalance.check.interval.seconds': long({ default: 300, min: 1 }, 'Pace of restoring preferred leaders.'),
  'leader.imbalance.per.broker.percentage': int(
    { default: 10 },
    'Share of a broker led elsewhere from which leaders are restored.',
  ),
  'unclean.leader.election.interval.ms': long({ default: 300000, min: 1 }, 'Pace of unclean elections where allowed.'),
  'fetch.purgatory.purge.interval.requests': int(
    { default: 1000, inert: 'never' },
    'Housekeeping of waiting fetches in a Java broker.',
  ),
  'producer.purgatory.purge.interval.requests': int(
    { default: 1000, inert: 'never' },
    'Housekeeping of waiting writes in a Java broker.',
  ),
  'delete.records.purgatory.purge.interval.requests': int(
    { default: 1, inert: 'never' },
    'Housekeeping of waiting deletions in a Java broker.',
  ),
  'follower.fetch.last.tiered.offset.enable': bool(
    { default: false, mode: 'cluster-wide', inert: 'never' },
    'Start of new followers with tiered storage, which there is none of.',
  ),
} as const;
