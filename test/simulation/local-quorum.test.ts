/**
 * Whole clusters around a broker that is the controller for good, through faults from fixed seeds: nothing acknowledged is
 * lost or doubled, and everything recovers. A failure prints the command that replays it.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runSeeds } from './cluster-seeds.ts';
import { clusterHistoryOf, runClusterHistory } from './simulate-cluster.ts';

const SEEDS = 120;

test('one seed is one history, to the last byte on the network', async () => {
  const seed = 8;
  const first = await runClusterHistory(clusterHistoryOf(seed, 60));
  const other = await runClusterHistory(clusterHistoryOf(seed + 1, 60));
  const again = await runClusterHistory(clusterHistoryOf(seed, 60));
  assert.equal(again.digest, first.digest);
  assert.equal(again.events, first.events);
  assert.notEqual(other.digest, first.digest);
});

test('a cluster around one controller keeps its promises through any history of faults', async (context) => {
  context.diagnostic(await runSeeds('local', SEEDS));
});
