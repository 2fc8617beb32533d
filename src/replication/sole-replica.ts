/** For partitions without followers: a cluster of one broker, and tests. */
import { systemClock } from '../base/clock.ts';
import { silentLogger } from '../base/logger.ts';
import type { LeaderEnvironment } from './leadership.ts';

export const SOLE_REPLICA: LeaderEnvironment = {
  clock: systemClock,
  logger: silentLogger,
  brokers: { ownEpoch: () => -1, epochOf: () => undefined, isActive: () => false },
  proposals: { submit: () => undefined },
  lagTimeMaxMs: () => 30_000,
  silenceMaxMs: () => Number.POSITIVE_INFINITY,
};
