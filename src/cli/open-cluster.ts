import { SluiceError } from '../base/errors.ts';
import { Cluster } from '../client/cluster.ts';
import { type ConnectionOptions, clusterOptionsOf } from './connection-options.ts';

const REMEDY =
  'Check the address (--brokers, SLUICE_BROKERS or a profile), and that a broker runs there; sluice doctor looks closer.';

/**
 * A cluster whose first contact was made: whoever types a command wants to hear at once that nobody is there, where a
 * program would rather wait for a broker to come up. The caller closes it.
 */
export async function openCluster(options: ConnectionOptions, clientId: string): Promise<Cluster> {
  const cluster = new Cluster(clusterOptionsOf(options, clientId));
  try {
    await cluster.connection('any');
    return cluster;
  } catch (error) {
    await cluster.close();
    if (!(error instanceof SluiceError) || error.code !== 'CLUSTER_UNREACHABLE') throw error;
    const { code, message, retriable, cause } = error;
    throw new SluiceError(code, message, { retriable, cause, remedy: REMEDY });
  }
}
