/**
 * Builds what the cluster tests need from outside, before they run in a world without a network. Says what is there; with
 * CI=true an absent one is a failure. Run: node dist/test/cluster/prepare.js
 */
import { sandboxPrefix } from './harness/sandbox.ts';
import { zooKeeperInstalled } from './harness/zookeeper.ts';
import { findWorkloadClient, WORKLOAD_CLIENTS } from './workload/programs.ts';

async function main(): Promise<number> {
  let absent = 0;
  const tell = (name: string, reason: string | undefined): void => {
    if (reason !== undefined) absent++;
    console.log(`${name}: ${reason ?? 'ready'}`);
  };
  tell('ZooKeeper', zooKeeperInstalled() ? undefined : 'not installed: apt-get install zookeeper');
  for (const name of WORKLOAD_CLIENTS) tell(name, (await findWorkloadClient(name)).reason);
  const permitted = sandboxPrefix() !== undefined;
  console.log(
    `private namespaces: ${permitted ? 'permitted' : 'not permitted, so no link is cut and no disk is filled'}`,
  );
  return absent > 0 && process.env['CI'] === 'true' ? 1 : 0;
}

process.exitCode = await main();
