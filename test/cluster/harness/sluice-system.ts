/** Sluice brokers as users run them: `sluice start --config FILE`, held together by ZooKeeper or by the first broker. */
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { sluiceMain } from '../../compat/harness/sluice.ts';
import type { BrokerPlace } from './broker.ts';
import { type ClusterPlan, COMMON_SETTINGS, propertiesFile, type RunningSystem } from './system.ts';
import { startEnsemble } from './zookeeper.ts';

const ENSEMBLE_SIZE = 3;

export async function startSluiceSystem(plan: ClusterPlan): Promise<RunningSystem> {
  const hosts = await Promise.all(
    Array.from({ length: ENSEMBLE_SIZE }, (_, index) => plan.network.addHost(`zk${index + 1}`)),
  );
  const ensemble = await startEnsemble(ENSEMBLE_SIZE, {
    hosts: hosts.map(({ address }) => address),
    prefixes: hosts.map(({ prefix }) => prefix),
  });
  const settings = { 'zookeeper.connect': ensemble.connect, ...plan.settings };
  return {
    ...sluiceProcesses({ ...plan, settings }),
    name: 'sluice',
    ensemble,
    ensembleHosts: hosts,
    close: () => ensemble.close(),
  };
}

/** The metadata live in the first broker, and are lost with it. */
export async function startLocalSluiceSystem(plan: ClusterPlan): Promise<RunningSystem> {
  const first = plan.places[0]!;
  const followers = {
    'process.roles': 'broker',
    'controller.quorum.voters': `${first.id}@${first.host.address}:${first.port}`,
  };
  return { ...sluiceProcesses(plan, (place) => (place === first ? {} : followers)), name: 'sluice-local' };
}

function sluiceProcesses(
  { settings }: ClusterPlan,
  own: (place: BrokerPlace) => Readonly<Record<string, string>> = () => ({}),
): RunningSystem {
  const main = sluiceMain();
  if (!existsSync(main)) throw new Error(`no ${main}: npm run build`);
  const fileOf = ({ home }: BrokerPlace): string => join(home, 'server.properties');
  return {
    name: 'sluice',
    ensemble: undefined,
    ensembleHosts: [],
    commandOf: (place) => ({
      command: process.execPath,
      parameters: [main, 'start', '--config', fileOf(place)],
    }),
    prepare: async (place) => {
      const properties = {
        ...COMMON_SETTINGS,
        'node.id': String(place.id),
        listeners: `PLAINTEXT://${place.host.address}:${place.port}`,
        'advertised.listeners': `PLAINTEXT://${place.host.address}:${place.port}`,
        'log.dirs': place.dataDirectory,
        ...own(place),
        ...settings,
      };
      writeFileSync(fileOf(place), propertiesFile(properties));
    },
    close: async () => undefined,
  };
}
