/** What must be in ZooKeeper before anything else can be: the parents of all znodes, and which cluster this is. */
import { SluiceError } from '../../../base/errors.ts';
import { failedWith } from './client/errors.ts';
import type { ZooKeeper } from './client/zookeeper.ts';
import {
  CLUSTER_ID,
  CONTROLLER_EPOCH,
  clusterIdData,
  controllerEpochData,
  FEATURES,
  featuresData,
  NO_DATA,
  PERSISTENT_PATHS,
  readClusterId,
} from './store/znodes.ts';

/** The epoch before that of the first controller. */
const EPOCH_BEFORE_ALL = 0;

/**
 * Brokers that have data found no cluster: theirs is somewhere else, or its metadata are lost, and a new one in its place
 * would have them delete all that they hold. Rejects with SluiceError ZOOKEEPER_EMPTY; writes nothing.
 */
export async function requireCluster(zooKeeper: ZooKeeper, known: string, connect: string): Promise<void> {
  if ((await zooKeeper.exists(CLUSTER_ID)) !== undefined) return;
  throw new SluiceError(
    'ZOOKEEPER_EMPTY',
    `ZooKeeper at ${connect} holds no cluster, but this broker's directories belong to cluster ${known}`,
    {
      remedy:
        'Was ZooKeeper wiped? Then bring its data back. Or is zookeeper.connect wrong, or the path behind its servers? Only brokers with empty directories found a new cluster.',
    },
  );
}

/** Creates what is missing; what is there stays as it is. */
export async function makePersistentPaths(zooKeeper: ZooKeeper): Promise<void> {
  await zooKeeper.makeRoot();
  const made = PERSISTENT_PATHS.map((path) => createUnlessThere(zooKeeper, path, NO_DATA));
  made.push(createUnlessThere(zooKeeper, CONTROLLER_EPOCH, controllerEpochData(EPOCH_BEFORE_ALL)));
  made.push(createUnlessThere(zooKeeper, FEATURES, featuresData(new Map())));
  for (const outcome of await Promise.allSettled(made)) if (outcome.status === 'rejected') throw outcome.reason;
}

async function createUnlessThere(zooKeeper: ZooKeeper, path: string, data: Buffer): Promise<void> {
  try {
    await zooKeeper.create(path, data);
  } catch (error) {
    if (!failedWith(error, 'NODE_EXISTS')) throw error;
  }
}

/**
 * The cluster's id: `proposed` for the first broker that ever asks. `known` is what the data directories say that they
 * belong to; SluiceError INCONSISTENT_CLUSTER_ID where that is another cluster.
 */
export async function agreeOnClusterId(
  zooKeeper: ZooKeeper,
  { proposed, known }: { readonly proposed: string; readonly known: string | undefined },
): Promise<string> {
  await createUnlessThere(zooKeeper, CLUSTER_ID, clusterIdData(known ?? proposed));
  const clusterId = readClusterId((await zooKeeper.getData(CLUSTER_ID)).data);
  if (known !== undefined && known !== clusterId) {
    throw new SluiceError(
      'INCONSISTENT_CLUSTER_ID',
      `the data directories belong to cluster ${known}, ZooKeeper holds cluster ${clusterId}`,
      { remedy: 'Check zookeeper.connect and log.dirs: one of them is of another cluster.' },
    );
  }
  return clusterId;
}
