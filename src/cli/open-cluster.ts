import { Cluster } from '../client/cluster.ts';

/**
 * A cluster whose first contact was made: whoever types a command wants to hear at once that nobody is there, where a
 * program would rather wait for a broker to come up. The caller closes it.
 */
export async function openCluster(brokers: string, clientId: string): Promise<Cluster> {
  const cluster = new Cluster({ bootstrapServers: brokers, clientId });
  try {
    await cluster.connection('any');
    return cluster;
  } catch (error) {
    await cluster.close();
    throw error;
  }
}
