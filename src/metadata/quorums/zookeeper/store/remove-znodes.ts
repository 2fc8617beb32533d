/** Takes znodes away with all that is below them, whoever made it. */

import { RESOURCE_TYPE } from '../../../resources.ts';
import { failedWith } from '../client/errors.ts';
import type { Operation, ZooKeeper } from '../client/zookeeper.ts';
import { configPath, topicPath } from './znodes.ts';

/** Znodes that are looked at side by side. */
const SIDE_BY_SIDE = 200;

/** Deletions from the leaves to the root, each of which may be made alone; none where there is no such znode. */
export async function removalOf(zooKeeper: ZooKeeper, path: string): Promise<Operation[]> {
  const names = await childrenOf(zooKeeper, path);
  if (names === undefined) return [];
  const operations: Operation[] = [];
  for (let from = 0; from < names.length; from += SIDE_BY_SIDE) {
    const some = names.slice(from, from + SIDE_BY_SIDE).map((name) => removalOf(zooKeeper, `${path}/${name}`));
    operations.push(...(await Promise.all(some)).flat());
  }
  return [...operations, { kind: 'delete', path }];
}

/** All that is stored of a topic, however it came about. */
export async function topicRemoval(zooKeeper: ZooKeeper, topic: string): Promise<Operation[]> {
  const paths = [topicPath(topic), configPath(RESOURCE_TYPE.TOPIC, topic)!];
  return (await Promise.all(paths.map((path) => removalOf(zooKeeper, path)))).flat();
}

async function childrenOf(zooKeeper: ZooKeeper, path: string): Promise<readonly string[] | undefined> {
  try {
    return (await zooKeeper.getChildren(path)).children;
  } catch (error) {
    if (failedWith(error, 'NO_NODE')) return undefined;
    throw error;
  }
}
