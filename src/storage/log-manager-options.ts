/** What a LogManager is told and given, and what it tells of its directories. */
import type { Clock } from '../base/clock.ts';
import type { FileSystem } from '../base/file-system.ts';
import type { Logger } from '../base/logger.ts';
import type { Random } from '../base/random.ts';
import type { BrokerId, Offset } from '../base/units.ts';
import type { Uuid } from '../base/uuid.ts';
import type { CleaningEngine } from './cleaner/cleaning-engine.ts';
import type { CleanerSettings } from './cleaner/log-cleaner.ts';
import type { Log } from './log.ts';
import type { LogConfig } from './log-config.ts';
import type { MovingLog } from './log-moves.ts';
import type { TaskPeriods } from './log-tasks.ts';

export interface LogManagerOptions extends Partial<TaskPeriods> {
  /** Paths of the log directories (`log.dirs`). */
  readonly directories: readonly string[];
  readonly nodeId: BrokerId;
  /** Where left out: the one that the directories name, or a new one. */
  readonly clusterId?: string;
  /** Configuration of the logs that are found at start. */
  readonly configOf: (topic: string) => LogConfig;
  /** Whether a log that is found at start belongs to no partition of this broker any more: it is set aside. */
  readonly isStray?: (log: Log) => boolean;
  /** What replication-offset-checkpoint says of a log; its `highWatermark` where left out. */
  readonly highWatermarkOf?: (log: Log) => Offset | undefined;
  /** Told when a directory failed; its logs answer KAFKA_STORAGE_ERROR then. */
  readonly onDirectoryFailure?: (path: string, error: Error) => void;
  readonly onProgress?: (progress: OpenProgress) => void;
  readonly producerIdExpirationMs?: number;
  /** Logs of one directory that are loaded at the same time (num.recovery.threads.per.data.dir). */
  readonly loadsPerDirectory?: number;
  /** How logs are compacted, asked before each pass. */
  readonly cleaner?: () => CleanerSettings;
  /** Where the work of compaction is done; in this thread where left out. */
  readonly cleaningEngine?: () => CleaningEngine;
  /** Which share of its time this process is busy, 0 to 1: compaction gives way. */
  readonly busyShare?: () => number;
  /** A partition's log was moved to another directory: `log` stands for it from this turn on. */
  readonly onMoved?: (log: Log) => void;
  /** Most bytes a second that moves between directories copy; asked again and again. */
  readonly moveBytesPerSecond?: () => number | undefined;
  /** Logs of a directory from which on they are made durable together, at start and at stop. */
  readonly fewestInBulk?: number;
  /** Bytes that a log's recovery had to check, from which on the next one begins behind them; 64 KiB where left out. */
  readonly fewestBytesToRemember?: number;
  readonly maxOpenFiles?: number;
  readonly maxIndexBytes?: number;
}

export interface OpenProgress {
  readonly directory: string;
  readonly loaded: number;
  readonly total: number;
}

export interface LogManagerDependencies {
  readonly fileSystem: FileSystem;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly random: Random;
}

/** One log directory, for DescribeLogDirs and metrics. */
export interface LogDirectoryState {
  readonly path: string;
  /** Undefined where the directory failed before it told. */
  readonly id: Uuid | undefined;
  readonly online: boolean;
  readonly failure: Error | undefined;
  readonly logs: readonly Log[];
  /** Copies of logs that are on their way here. */
  readonly futures: readonly MovingLog[];
}
