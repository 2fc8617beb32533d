/** What single brokers say of themselves: their directories, the versions that they speak. */
import { SluiceError } from '../base/errors.ts';
import type { BrokerId } from '../base/units.ts';
import { Admin } from '../client/admin/admin.ts';
import type { LogDirectory } from '../client/admin/brokers.ts';
import { apiName } from './api-names.ts';
import { numberList } from './arguments.ts';
import type { ApiVersionsOptions, LogDirsOptions } from './cluster.ts';
import { openCluster } from './open-cluster.ts';
import { fail, printJson, printRows, type Row } from './output.ts';
import { formatBytes } from './progress.ts';

const CLIENT_ID = 'sluice-cluster';
const REPLICA_COLUMNS = ['broker', 'path', 'topic', 'partition', 'bytes', 'offsetLag', 'future'];

export async function showLogDirectories(options: LogDirsOptions): Promise<void> {
  const chosen = options.broker.flatMap((text) => numberList('--broker', text));
  await using cluster = await openCluster(options, CLIENT_ID);
  const admin = new Admin(cluster);
  const brokers = await upBrokers(admin, chosen);
  const topics = options.topic.length > 0 ? options.topic : undefined;
  const outcomes = await admin.describeLogDirectories({ brokers, topics });
  const directories = outcomes.flatMap((each) => (each.ok ? [each] : []));
  if (options.json) printJson(directories.map(jsonOf));
  else if (options.replicas) {
    const rows = directories.flatMap(({ broker, path, replicas }) =>
      replicas.map((each): Row => ({ broker, path, ...each, bytes: formatBytes(each.bytes) })),
    );
    printRows(rows, { json: false, columns: REPLICA_COLUMNS });
  } else {
    const columns = ['broker', 'path', 'replicas', 'bytes', 'free', 'total', 'cordoned'];
    printRows(directories.map(directoryRow), { json: false, columns });
  }
  for (const outcome of outcomes) if (!outcome.ok) fail(outcome.error);
}

function jsonOf({ broker, path, totalBytes, usableBytes, cordoned, replicas }: LogDirectory) {
  return {
    ...{ broker, path, totalBytes: known(totalBytes), usableBytes: known(usableBytes), cordoned },
    replicas: replicas.map(({ topic, partition, bytes, offsetLag, future }) => {
      return { topic, partition, bytes, offsetLag, future };
    }),
  };
}

function known(bytes: number): number | null {
  return bytes < 0 ? null : bytes;
}

function directoryRow({ broker, path, totalBytes, usableBytes, cordoned, replicas }: LogDirectory): Row {
  const sizeOf = (bytes: number): string | null => (bytes < 0 ? null : formatBytes(bytes));
  const bytes = replicas.reduce((sum, each) => sum + each.bytes, 0);
  return {
    ...{ broker, path, replicas: replicas.length, bytes: formatBytes(bytes) },
    ...{ free: sizeOf(usableBytes), total: sizeOf(totalBytes), cordoned },
  };
}

export async function showApiVersions(options: ApiVersionsOptions): Promise<void> {
  const chosen = options.broker.flatMap((text) => numberList('--broker', text));
  await using cluster = await openCluster(options, CLIENT_ID);
  const admin = new Admin(cluster);
  const brokers = new Set(await upBrokers(admin, chosen));
  const described = (await admin.describeVersions()).filter(({ broker }) => brokers.has(broker.id));
  const rows = described.flatMap(({ broker, versions }) =>
    [...versions.ranges].map(([key, { from, to }]): Row => ({ broker: broker.id, key, api: apiName(key), from, to })),
  );
  printRows(rows, { json: options.json, columns: ['broker', 'key', 'api', 'from', 'to'] });
}

/** The chosen ones, all that are up where none is chosen. Throws where one is not up. */
async function upBrokers(admin: Admin, chosen: readonly BrokerId[]): Promise<BrokerId[]> {
  const { brokers } = await admin.describeCluster();
  const up = brokers.filter(({ fenced }) => !fenced).map(({ id }) => id);
  const missing = chosen.find((id) => !up.includes(id));
  if (missing !== undefined) throw new SluiceError('BROKER_NOT_AVAILABLE', `broker ${missing} is not up`);
  return chosen.length > 0 ? [...chosen] : up;
}
