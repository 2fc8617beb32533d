import { systemClock } from '../base/clock.ts';
import { SluiceError } from '../base/errors.ts';
import { Cluster } from '../client/cluster.ts';
import { type ConnectionOptions, clusterOptionsOf } from './connection-options.ts';
import { remark } from './output.ts';
import { troubleRemarks } from './trouble-remarks.ts';

const REMEDY =
  'Check the address (--brokers, SLUICE_BROKERS or a profile), and that a broker runs there; sluice doctor looks closer.';
/** A refusal comes at once. Who took longer than this to fail is there, and slow, and is asked again for so long. */
const SLOW_MS = 1000;
const PATIENCE_MS = 15_000;

/**
 * A cluster whose first contact was made: whoever types a command wants to hear at once that nobody is there, where a
 * program would rather wait for a broker to come up. The caller closes it.
 */
export async function openCluster(options: ConnectionOptions, clientId: string): Promise<Cluster> {
  const clusterOptions = clusterOptionsOf(options, clientId);
  const cluster = new Cluster(clusterOptions);
  const patienceMs = Math.min(PATIENCE_MS, clusterOptions.operationTimeoutMs ?? PATIENCE_MS);
  const startedMs = systemClock.monotonicMs();
  for (;;) {
    const attemptedMs = systemClock.monotonicMs();
    try {
      await cluster.connection('any');
      cluster.onTrouble = troubleRemarks(systemClock);
      return cluster;
    } catch (error) {
      const nowMs = systemClock.monotonicMs();
      const isUnreachable = error instanceof SluiceError && error.code === 'CLUSTER_UNREACHABLE';
      if (isUnreachable && nowMs - attemptedMs > SLOW_MS && nowMs - startedMs < patienceMs) {
        remark(`${error.message}; asking again`);
        continue;
      }
      await cluster.close();
      if (!isUnreachable) throw error;
      const { code, message, retriable, cause } = error;
      throw new SluiceError(code, message, { retriable, cause, remedy: REMEDY });
    }
  }
}
