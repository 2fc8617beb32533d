/**
 * Whole clusters on a ZooKeeper ensemble, all in memory, through faults from fixed seeds: controllers that die, hang and
 * come back as zombies, sessions that expire, an ensemble without its quorum, and all that happens to brokers besides.
 */
import { test } from 'node:test';
import { runSeeds } from './cluster-seeds.ts';

const SEEDS = 160;

test('a cluster on ZooKeeper keeps its promises through any history of faults', async (context) => {
  context.diagnostic(await runSeeds('zookeeper', SEEDS));
});
