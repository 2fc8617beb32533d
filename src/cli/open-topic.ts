import { systemClock } from '../base/clock.ts';
import { SluiceError } from '../base/errors.ts';
import type { Cluster } from '../client/cluster.ts';
import { ErrorCode } from '../protocol/error-codes.ts';
import { duration } from './times.ts';

/** A broker that makes topics by itself has one in a fraction of this, also where it is busy. */
const PATIENCE_MS = 8000;
const LOOK_MS = 200;

/**
 * Resolves once there is the topic that is about to be written to; brokers make it where they are set to. A program waits a
 * minute for somebody to create it: whoever misspelt a name on a command line wants to hear of it before. Throws
 * UNKNOWN_TOPIC_OR_PARTITION; everything else that may be wrong is left to whoever writes.
 */
export async function waitForTopic(
  cluster: Cluster,
  topic: string,
  { timeout }: { readonly timeout?: string },
): Promise<void> {
  const patienceMs = timeout === undefined ? PATIENCE_MS : Math.min(PATIENCE_MS, duration('--timeout', timeout));
  const startedMs = systemClock.monotonicMs();
  for (;;) {
    const answer = await cluster.askMetadata([topic], true);
    const code = answer.topics.find(({ name }) => name === topic)?.errorCode;
    if (code !== ErrorCode.UNKNOWN_TOPIC_OR_PARTITION) return;
    if (systemClock.monotonicMs() - startedMs >= patienceMs) break;
    await new Promise<void>((resolve) => systemClock.after(LOOK_MS, resolve, { holdsProcess: true }));
  }
  throw new SluiceError('UNKNOWN_TOPIC_OR_PARTITION', `there is no topic ${topic}, and the brokers make none`, {
    remedy: `Check the name, or create it: sluice topics create ${topic}`,
  });
}
