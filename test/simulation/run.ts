/**
 * Replays simulated histories: of the storage engine, or of a whole cluster.
 *
 * usage: run [log | cluster] [--seed N] [--seeds COUNT] [--steps M]     COUNT seeds from N on, M steps each
 *            cluster also: --quorum local | zookeeper, --trace prints what happens, --shorten looks for fewer steps that fail in the same way
 */
import { parseArgs } from 'node:util';
import { simulate } from './simulate.ts';
import { clusterHistoryOf, minimiseCluster, runClusterHistory } from './simulate-cluster.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    seed: { type: 'string', default: '1' },
    seeds: { type: 'string', default: '1' },
    steps: { type: 'string' },
    quorum: { type: 'string', default: 'local' },
    trace: { type: 'boolean', default: false },
    shorten: { type: 'boolean', default: false },
  },
});

const first = Number(values.seed);
const last = first + Number(values.seeds) - 1;

async function runLogs(steps: number): Promise<string> {
  let taken = 0;
  let crashes = 0;
  for (let seed = first; seed <= last; seed++) {
    const outcome = await simulate(seed, steps);
    taken += outcome.stepsTaken;
    crashes += outcome.crashes;
  }
  return `${taken} steps, ${crashes} crashes`;
}

async function runClusters(steps: number): Promise<string> {
  const sum = { faults: 0, events: 0, elections: 0, acknowledged: 0, simulatedMs: 0 };
  let digest = '';
  for (let seed = first; seed <= last; seed++) {
    const history = clusterHistoryOf(seed, steps, values.quorum === 'zookeeper' ? 'zookeeper' : 'local');
    const outcome = await runClusterHistory(history, values.trace ? (line) => console.log(line) : undefined);
    for (const name of Object.keys(sum) as (keyof typeof sum)[]) sum[name] += outcome[name];
    digest = outcome.digest;
    if (outcome.failure === undefined) continue;
    console.error(`seed ${seed} fails at step ${outcome.step}: ${outcome.failure.stack}`);
    if (values.shorten) {
      const shortest = await minimiseCluster(
        { ...history, steps: history.steps.slice(0, outcome.step + 1) },
        outcome.failure,
      );
      console.error(`${shortest.steps.length} steps are enough; this is what happens:`);
      await runClusterHistory(shortest, (line) => console.log(line));
    }
    process.exit(1);
  }
  const { faults, events, elections, acknowledged, simulatedMs } = sum;
  return (
    `${faults} faults and requests of operators, ${events} events, ${elections} elections, ${acknowledged} records ` +
    `acknowledged, ${(simulatedMs / 1000).toFixed(0)} s of the cluster, digest of the last ${digest}`
  );
}

const startedMs = performance.now();
const outcome =
  positionals[0] === 'cluster'
    ? await runClusters(Number(values.steps ?? 150))
    : await runLogs(Number(values.steps ?? 1000)).catch((error: unknown) => {
        console.error(error instanceof Error ? error.message : error);
        process.exit(1);
      });
console.log(`${outcome}, ${((performance.now() - startedMs) / 1000).toFixed(1)} s`);
