/** Options of listeners and connections. */
import { bool, className, INT_MAX, int, list, long, string } from '../option.ts';

export const networkOptions = {
  listeners: list(
    { default: 'PLAINTEXT://:9092' },
    'Where to listen, as NAME://host:port; an empty host is every interface.',
  ),
  'advertised.listeners': list({ default: null }, 'What clients are told to connect to; unset, the same as listeners.'),
  'listener.security.protocol.map': string(
    {
      default: 'SASL_SSL:SASL_SSL,PLAINTEXT:PLAINTEXT,SSL:SSL,SASL_PLAINTEXT:SASL_PLAINTEXT',
    },
    'Security protocol of each listener name, as NAME:PROTOCOL.',
  ),
  'inter.broker.listener.name': string({ default: null }, 'Listener that brokers use among themselves.'),
  'security.inter.broker.protocol': string(
    { default: 'PLAINTEXT', allowed: ['PLAINTEXT', 'SSL', 'SASL_PLAINTEXT', 'SASL_SSL'], inert: 'later' },
    'Protocol between brokers, where inter.broker.listener.name is unset.',
  ),
  'control.plane.listener.name': string(
    { default: null, inert: 'never' },
    'Listener for the controller in older Kafka.',
  ),
  'socket.send.buffer.bytes': int(
    // Not Kafka's 100 KiB: from 160 to 384 KiB less is waited, and what waits is still in the processor's cache.
    { default: 327680, min: -1 },
    'Send buffer of a connection (SO_SNDBUF); -1 leaves it to the system, for links of high latency. Needs koffi.',
  ),
  'socket.receive.buffer.bytes': int(
    { default: 102400, inert: 'never' },
    'Receive buffer of a connection (SO_RCVBUF); the system sizes it here.',
  ),
  'socket.request.max.bytes': int({ default: 104857600, min: 1 }, 'Largest request.'),
  'socket.listen.backlog.size': int({ default: 50, min: 1 }, 'Connections that may wait to be accepted.'),
  'socket.connection.setup.timeout.ms': long(
    { default: 10000, inert: 'later' },
    'Wait for a connection to another broker.',
  ),
  'socket.connection.setup.timeout.max.ms': long(
    { default: 30000, inert: 'later' },
    'Longest such wait after failures.',
  ),
  'max.connections': int({ default: INT_MAX, min: 0, mode: 'cluster-wide' }, 'Most connections at a time.'),
  'max.connections.per.ip': int(
    { default: INT_MAX, min: 0, mode: 'cluster-wide' },
    'Most connections from one address at a time.',
  ),
  'max.connections.per.ip.overrides': string(
    { default: '', mode: 'cluster-wide' },
    'Other limits for single addresses, as address:count,address:count.',
  ),
  'max.connection.creation.rate': int(
    { default: INT_MAX, min: 0, mode: 'cluster-wide', inert: 'later' },
    'Most new connections a second.',
  ),
  'connections.max.idle.ms': long({ default: 600000 }, 'Silence after which a connection is closed.'),
  'connection.failed.authentication.delay.ms': int(
    { default: 100, min: 0, inert: 'later' },
    'Pause before a failed authentication is answered.',
  ),
  'connections.max.reauth.ms': long({ default: 0, inert: 'later' }, 'Life of an authentication; 0 for no end.'),
  'queued.max.request.bytes': long(
    { default: -1 },
    'Bytes of requests in flight above which reading stops; -1 for a share of memory.',
  ),
  'queued.max.requests': int({ default: 500, min: 1, inert: 'never' }, 'Queue between the threads of a Java broker.'),
  'num.network.threads': int(
    { default: 3, min: 1, mode: 'cluster-wide', inert: 'never' },
    'Network threads of a Java broker.',
  ),
  'sluice.unauthenticated.request.max.bytes': int(
    { default: 65536, min: 1024 },
    'Largest request on a connection that must still authenticate.',
  ),
  'sluice.authentication.timeout.ms': int(
    { default: 10000, min: 1 },
    'Time within which a connection must authenticate.',
  ),
  'sluice.shutdown.grace.ms': int({ default: 5000, min: 0 }, 'Time that requests in flight get to finish at a stop.'),

  'quota.window.num': int({ default: 11, min: 1, inert: 'later' }, 'Windows over which client quotas are measured.'),
  'quota.window.size.seconds': int({ default: 1, min: 1, inert: 'later' }, 'Length of such a window.'),
  'controller.quota.window.num': int(
    { default: 11, min: 1, inert: 'later' },
    'Windows over which changes by clients are measured.',
  ),
  'controller.quota.window.size.seconds': int({ default: 1, min: 1, inert: 'later' }, 'Length of such a window.'),
  'replication.quota.window.num': int({ default: 11, min: 1 }, 'Windows over which replication is measured.'),
  'replication.quota.window.size.seconds': int({ default: 1, min: 1 }, 'Length of such a window.'),
  'alter.log.dirs.replication.quota.window.num': int(
    { default: 11, min: 1, inert: 'later' },
    'Windows over which moves between disks are measured.',
  ),
  'alter.log.dirs.replication.quota.window.size.seconds': int(
    { default: 1, min: 1, inert: 'later' },
    'Length of such a window.',
  ),
  'client.quota.callback.class': className({ default: null, inert: 'never' }, 'Java class that computes quotas.'),
  'leader.replication.throttled.rate': long(
    { default: null, min: 0, mode: 'per-broker' },
    'Most bytes a second that throttled replicas are sent.',
  ),
  'follower.replication.throttled.rate': long(
    { default: null, min: 0, mode: 'per-broker' },
    'Most bytes a second that throttled replicas fetch.',
  ),
  'replica.alter.log.dirs.io.max.bytes.per.second': long(
    { default: null, min: 1, mode: 'per-broker' },
    'Most bytes a second moved between disks.',
  ),
  'unstable.api.versions.enable': bool(
    { default: false, inert: 'never' },
    'Whether unreleased versions of requests are served.',
  ),
} as const;
