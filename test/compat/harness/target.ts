/**
 * The broker under test: Sluice, or with `SLUICE_COMPAT_TARGET=kafka` Apache Kafka itself, against which every
 * expectation of the suites must hold too.
 */
import { startApacheKafka } from './apache-kafka.ts';
import type { RunningBroker } from './broker-process.ts';
import { kafkaClassPath } from './kafka-jars.ts';
import { startSluice } from './sluice.ts';

export interface TargetOptions {
  readonly port?: number;
  readonly dataDirectory?: string;
  readonly settings?: Readonly<Record<string, string>>;
  /** Of Apache Kafka alone: stays the same over restarts on one data directory. */
  readonly controllerPort?: number;
  /** false returns as soon as the process exists. */
  readonly waitUntilReady?: boolean;
}

export const targetName: 'sluice' | 'kafka' = process.env['SLUICE_COMPAT_TARGET'] === 'kafka' ? 'kafka' : 'sluice';

export async function startTarget(options: TargetOptions = {}): Promise<RunningBroker> {
  if (targetName === 'sluice') return startSluice(options);
  const classPath = await kafkaClassPath();
  if (classPath.value === undefined) throw new Error(`no Apache Kafka to test against: ${classPath.reason}`);
  return startApacheKafka({ ...options, classPath: classPath.value });
}
