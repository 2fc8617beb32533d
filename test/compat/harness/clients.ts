/**
 * All foreign clients by name, each with what it can do; finding one may fetch or build it.
 */
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import zlib from 'node:zlib';
import type { Acks, Client, CodecName, OperationName, ProgramClientOptions } from './client.ts';
import { programClient } from './client.ts';
import { kafkaClassPath } from './kafka-jars.ts';
import { KCAT_OPERATIONS, kcatClient } from './kcat.ts';
import { projectRoot } from './paths.ts';
import {
  type Available,
  findFranzGo,
  findJavaClient,
  findKcat,
  findNodeClient,
  findPythonClient,
  type Invocation,
} from './toolchain.ts';

export type ClientName =
  | 'sluice'
  | 'sluice-kafkajs'
  | 'kcat'
  | 'confluent-kafka'
  | 'franz-go'
  | 'java'
  | 'kafkajs'
  | 'platformatic';
export type MakeClient = (bootstrap: string, settings?: Readonly<Record<string, string>>) => Client;

const ALL_CODECS: readonly CodecName[] = ['none', 'gzip', 'snappy', 'lz4', 'zstd'];
const ALL_ACKS: readonly Acks[] = [0, 1, -1];
const ADMINISTRATION: readonly OperationName[] = [
  'createTopics',
  'deleteTopics',
  'describeTopics',
  'listTopics',
  'describeCluster',
  'describeConfigs',
  'alterConfigs',
  'createPartitions',
  'deleteRecords',
  'listOffsets',
];
const NATIVE: readonly OperationName[] = ['describeProducers', 'describeLogDirs', 'listConfigResources'];

const TRANSACTIONS: readonly OperationName[] = ['openProducer', 'send', 'endTransaction', 'handOver'];

type Traits = Omit<ProgramClientOptions, 'invocation' | 'bootstrap' | 'settings' | 'name'>;

const traits: Record<Exclude<ClientName, 'kcat'>, Traits> = {
  'confluent-kafka': {
    can: new Set([...ADMINISTRATION, 'produce', 'consume']),
    codecs: ALL_CODECS,
    acks: ALL_ACKS,
    idempotence: true,
    headers: 'any',
  },
  'franz-go': {
    can: new Set([...ADMINISTRATION, ...NATIVE, 'produce', 'consume']),
    codecs: ALL_CODECS,
    acks: ALL_ACKS,
    idempotence: true,
    headers: 'any',
  },
  java: {
    can: new Set([...ADMINISTRATION, ...NATIVE, ...TRANSACTIONS, 'produce', 'consume', 'tool']),
    codecs: ALL_CODECS,
    acks: ALL_ACKS,
    idempotence: true,
    headers: 'any',
  },
  sluice: {
    can: new Set([...ADMINISTRATION, ...NATIVE, 'produce', 'consume']),
    codecs: ALL_CODECS,
    acks: ALL_ACKS,
    idempotence: true,
    headers: 'any',
  },
  // Both read through groups only.
  kafkajs: {
    can: new Set([...ADMINISTRATION, 'produce']),
    codecs: ALL_CODECS,
    acks: ALL_ACKS,
    idempotence: true,
    headers: 'any',
  },
  'sluice-kafkajs': {
    can: new Set([...ADMINISTRATION, 'produce']),
    codecs: ALL_CODECS,
    acks: ALL_ACKS,
    idempotence: true,
    headers: 'any',
  },
  platformatic: {
    can: new Set([...ADMINISTRATION, 'produce']),
    // zstd comes with the runtime, from Node 22.15 on.
    codecs: 'zstdCompressSync' in zlib ? ALL_CODECS : ['none', 'gzip', 'snappy', 'lz4'],
    acks: ALL_ACKS,
    idempotence: true,
    headers: 'unique',
  },
};

/** What the client can do, known without finding it. */
export function operationsOf(name: ClientName): ReadonlySet<OperationName> {
  return name === 'kcat' ? KCAT_OPERATIONS : traits[name].can;
}

const found = new Map<ClientName, Promise<Available<MakeClient>>>();

export function findClient(name: ClientName): Promise<Available<MakeClient>> {
  let search = found.get(name);
  if (search === undefined) {
    search = name === 'kcat' ? makeKcat() : makeProgram(name);
    found.set(name, search);
  }
  return search;
}

/** The first of them that is there. */
export async function findFirst(names: readonly ClientName[]): Promise<Available<MakeClient>> {
  const reasons: string[] = [];
  for (const name of names) {
    const candidate = await findClient(name);
    if (candidate.value !== undefined) return candidate;
    reasons.push(candidate.reason);
  }
  return { reason: reasons.join('; ') };
}

async function makeKcat(): Promise<Available<MakeClient>> {
  const { value: command, reason } = await findKcat();
  if (command === undefined) return { reason: reason ?? '' };
  return { value: (bootstrap, settings = {}) => kcatClient({ command, bootstrap, settings }) };
}

async function makeProgram(name: Exclude<ClientName, 'kcat'>): Promise<Available<MakeClient>> {
  const { value: invocation, reason } = await findInvocation(name);
  if (invocation === undefined) return { reason: reason ?? '' };
  return {
    value: (bootstrap, settings = {}) => programClient({ ...traits[name], name, invocation, bootstrap, settings }),
  };
}

/** This package's own client, as it is built. */
function ownProgram(): Invocation {
  const isSource = import.meta.filename.endsWith('.ts');
  return {
    command: process.execPath,
    parameters: [join(import.meta.dirname, `sluice-client.${isSource ? 'ts' : 'js'}`)],
  };
}

/** The program for kafkajs, with the entry of this package in its place: a hook changes the one import. */
async function kafkajsProgramOnOurs(): Promise<Available<Invocation>> {
  const { value, reason } = await findNodeClient('kafkajs');
  if (value === undefined) return { reason };
  const url = pathToFileURL(join(projectRoot, 'dist', 'src', 'client', 'kafkajs', 'index.js')).href;
  const hook = `export const resolve = (specifier, context, next) =>
    specifier === 'kafkajs' ? { url: '${url}', shortCircuit: true } : next(specifier, context);`;
  const register = `import { register } from 'node:module'; register(${JSON.stringify(dataUrl(hook))});`;
  return { value: { ...value, parameters: ['--import', dataUrl(register), ...value.parameters] } };
}

function dataUrl(program: string): string {
  return `data:text/javascript,${encodeURIComponent(program)}`;
}

async function findInvocation(name: Exclude<ClientName, 'kcat'>): Promise<Available<Invocation>> {
  switch (name) {
    case 'sluice':
      return { value: ownProgram() };
    case 'confluent-kafka':
      return findPythonClient();
    case 'franz-go':
      return findFranzGo();
    case 'java':
      return findJavaClient(await kafkaClassPath());
    case 'sluice-kafkajs':
      return kafkajsProgramOnOurs();
    case 'kafkajs':
    case 'platformatic':
      return findNodeClient(name);
  }
}
