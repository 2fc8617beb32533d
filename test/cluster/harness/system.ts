/**
 * What differs between the systems that the harness can run as a cluster: Sluice on ZooKeeper, Sluice on a local quorum, and
 * Apache Kafka, against which workload, faults and checker prove themselves.
 */
import type { Wire } from '../../support/wire.ts';
import type { BrokerCommand, BrokerPlace } from './broker.ts';
import type { Host, Network } from './network.ts';
import type { Ensemble } from './zookeeper.ts';

export interface ClusterPlan {
  readonly network: Network;
  readonly home: string;
  readonly places: readonly BrokerPlace[];
  /** Options of every broker, over those that the system sets itself. */
  readonly settings: Readonly<Record<string, string>>;
  /** Of a JVM: 'tests' starts fast with a small heap, 'benchmark' is how Kafka's own script starts it. */
  readonly flags: 'tests' | 'benchmark';
}

export interface RunningSystem {
  readonly name: SystemName;
  /** ZooKeeper, where the system has one. */
  readonly ensemble: Ensemble | undefined;
  readonly ensembleHosts: readonly Host[];
  commandOf(place: BrokerPlace): BrokerCommand;
  /** Before the first start of a broker, and again before a start on a wiped directory. */
  prepare(place: BrokerPlace): Promise<void>;
  /** The active controller's id, where what Metadata tells may be another. */
  controller?(ask: Wire): Promise<number | undefined>;
  close(): Promise<void>;
}

export const SYSTEM_NAMES = ['sluice', 'sluice-local', 'kafka'] as const;
export type SystemName = (typeof SYSTEM_NAMES)[number];

export type StartSystem = (plan: ClusterPlan) => Promise<RunningSystem>;

/** What all clusters of tests are alike in. */
export const COMMON_SETTINGS: Readonly<Record<string, string>> = {
  'default.replication.factor': '3',
  'min.insync.replicas': '2',
  'offsets.topic.replication.factor': '3',
  'offsets.topic.num.partitions': '6',
  'transaction.state.log.replication.factor': '3',
  'transaction.state.log.min.isr': '2',
  'group.initial.rebalance.delay.ms': '0',
  'auto.create.topics.enable': 'false',
  'unclean.leader.election.enable': 'false',
};

export function propertiesFile(settings: Readonly<Record<string, string>>): string {
  return Object.entries(settings)
    .map(([key, value]) => `${key}=${value}\n`)
    .join('');
}

/** SLUICE_CLUSTER_SYSTEM, or Sluice as a cluster is meant to be run. */
export function systemUnderTest(): SystemName {
  const wanted = process.env['SLUICE_CLUSTER_SYSTEM'] ?? 'sluice';
  const found = SYSTEM_NAMES.find((name) => name === wanted);
  if (found === undefined) throw new Error(`SLUICE_CLUSTER_SYSTEM=${wanted}: there are ${SYSTEM_NAMES.join(', ')}`);
  return found;
}
