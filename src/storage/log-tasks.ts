/** What a broker does to its logs from time to time: retention, flushing, checkpoints, forgetting idle producers. */
import type { Clock } from '../base/clock.ts';
import { messageOf } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import type { Offset } from '../base/units.ts';
import type { Log } from './log.ts';
import type { LogDirectory } from './log-directory.ts';
import { RetentionClock } from './retention-clock.ts';

/** Kafka's options and defaults; see the broker options of the same names. */
export interface TaskPeriods {
  /** log.retention.check.interval.ms */
  readonly retentionCheckMs: number;
  /** How often logs are looked at for flush.ms. Kafka's own default never looks, whatever a topic asks for. */
  readonly flushCheckMs: number;
  /** log.flush.offset.checkpoint.interval.ms */
  readonly recoveryPointCheckpointMs: number;
  /** log.flush.start.offset.checkpoint.interval.ms */
  readonly startOffsetCheckpointMs: number;
  /** replica.high.watermark.checkpoint.interval.ms */
  readonly highWatermarkCheckpointMs: number;
  /** producer.id.expiration.check.interval.ms */
  readonly producerExpirationCheckMs: number;
}

const DEFAULTS: TaskPeriods = {
  retentionCheckMs: 300_000,
  flushCheckMs: 1000,
  recoveryPointCheckpointMs: 60_000,
  startOffsetCheckpointMs: 60_000,
  highWatermarkCheckpointMs: 5000,
  producerExpirationCheckMs: 600_000,
};

/** Logs that are looked at before others get the event loop. */
const LOGS_A_TURN = 256;

export interface TaskTargets {
  readonly logs: () => Iterable<Log>;
  readonly directories: readonly LogDirectory[];
  readonly highWatermarkOf: ((log: Log) => Offset | undefined) | undefined;
}

/** Starts the tasks; the returned function stops them. */
export function startLogTasks(
  { logs, directories, highWatermarkOf = (log) => log.highWatermark }: TaskTargets,
  periods: Partial<TaskPeriods>,
  { clock, logger }: { readonly clock: Clock; readonly logger: Logger },
): () => void {
  const retentionClock = new RetentionClock(clock);
  let stopped = false;
  const eachLog = async (visit: (log: Log) => void): Promise<void> => {
    let visited = 0;
    for (const log of [...logs()]) {
      if (stopped) return;
      if (log.failure === undefined) visit(log);
      if (++visited % LOGS_A_TURN === 0) await new Promise<void>((resolve) => clock.afterTurn(resolve));
    }
  };
  const checkpoint = (write: (directory: LogDirectory) => Promise<boolean>) => async (): Promise<void> => {
    await Promise.all(directories.map(write));
  };
  const tasks: Readonly<Record<keyof TaskPeriods, () => Promise<void>>> = {
    retentionCheckMs: () => eachLog((log) => void log.applyRetention(retentionClock.now())),
    flushCheckMs: () => eachLog((log) => flushIfDue(log, clock.monotonicMs())),
    recoveryPointCheckpointMs: checkpoint((directory) => directory.checkpointRecoveryPoints()),
    startOffsetCheckpointMs: checkpoint((directory) => directory.checkpointStartOffsets()),
    highWatermarkCheckpointMs: checkpoint((directory) => directory.checkpointHighWatermarks(highWatermarkOf)),
    producerExpirationCheckMs: () => eachLog((log) => log.expireProducers(retentionClock.now())),
  };
  const timers = Object.entries(tasks).map(([name, run]) => {
    let running = false;
    return clock.every(periods[name as keyof TaskPeriods] ?? DEFAULTS[name as keyof TaskPeriods], () => {
      // A slow disk must not pile runs of the same task up.
      if (running) return;
      running = true;
      run()
        .catch((error: unknown) => logger.error('A log task failed', { task: name, error: messageOf(error) }))
        .finally(() => {
          running = false;
        });
    });
  });
  return () => {
    stopped = true;
    for (const timer of timers) timer.cancel();
  };
}

function flushIfDue(log: Log, nowMs: number): void {
  if (log.recoveryPoint >= log.endOffset || nowMs - log.lastFlushMs < log.config.flushMs) return;
  // A failed flush takes the log offline, which is all that can be done about it.
  log.flush().catch(() => undefined);
}
