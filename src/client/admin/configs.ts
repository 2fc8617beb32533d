/** Configuration of topics, brokers and whatever else has one: looking and changing. */
import { describeConfigs as describeApi } from '../../protocol/apis/describe-configs.ts';
import { incrementalAlterConfigs } from '../../protocol/apis/incremental-alter-configs.ts';
import { listConfigResources as listApi } from '../../protocol/apis/list-config-resources.ts';
import { ErrorCode } from '../../protocol/error-codes.ts';
import type { Cluster, Destination } from '../cluster.ts';
import { refusedBy } from '../errors.ts';
import { type Outcome, outcomeOf, throwIfMisdirected } from './outcome.ts';
import type { CallSettings } from './topics.ts';

/** Kinds of things that have a configuration, with the protocol's numbers. */
export const RESOURCE_TYPES = { topic: 2, broker: 4, 'broker-logger': 8, 'client-metrics': 16, group: 32 } as const;
export type ResourceType = keyof typeof RESOURCE_TYPES;

export interface ConfigResource {
  readonly type: ResourceType;
  /** Topic, broker id, or group; for brokers the empty name is the default of all. */
  readonly name: string;
}

const SOURCES = [
  'unknown',
  'topic',
  'broker',
  'all brokers',
  'file',
  'default',
  'broker logger',
  'client metrics',
  'group',
] as const;
/** Where a value comes from. */
export type ConfigSource = (typeof SOURCES)[number];

const VALUE_TYPES = [
  'unknown',
  'boolean',
  'string',
  'int',
  'short',
  'long',
  'double',
  'list',
  'class',
  'password',
] as const;

export interface ConfigEntry {
  readonly name: string;
  /** Null where the value is secret or not set. */
  readonly value: string | null;
  readonly source: ConfigSource;
  readonly readOnly: boolean;
  readonly sensitive: boolean;
  readonly type: (typeof VALUE_TYPES)[number];
  readonly documentation: string | null;
  /** What the value was chosen from, the strongest first. */
  readonly synonyms: readonly { readonly name: string; readonly value: string | null; readonly source: ConfigSource }[];
}

export interface DescribeConfigsSettings extends CallSettings {
  readonly synonyms?: boolean;
  readonly documentation?: boolean;
}

export type ConfigDescription = ConfigResource & { readonly entries: readonly ConfigEntry[] };

/** The configurations of the resources in their order; of each all options, or those that are named. */
export async function describeConfigs(
  cluster: Cluster,
  resources: readonly (ConfigResource & { readonly options?: readonly string[] })[],
  settings: DescribeConfigsSettings = {},
): Promise<Outcome<ConfigDescription>[]> {
  const groups = byDestination(resources);
  const described = await Promise.all(
    [...groups].map(async ([destination, group]) => {
      const body = {
        resources: group.map(({ type, name, options }) => ({
          resourceType: RESOURCE_TYPES[type],
          resourceName: name,
          configurationKeys: options ?? null,
        })),
        includeSynonyms: settings.synonyms ?? false,
        includeDocumentation: settings.documentation ?? false,
      };
      return (await cluster.call(destination, describeApi, body, settings)).results;
    }),
  );
  const results = described.flat();
  return resources.map(({ type, name }) => {
    const result = results.find((each) => each.resourceType === RESOURCE_TYPES[type] && each.resourceName === name);
    const entries = result?.configs.map((each) => ({
      name: each.name,
      value: each.value,
      source: sourceOf(each.configSource),
      readOnly: each.readOnly,
      sensitive: each.isSensitive,
      type: VALUE_TYPES[each.configType] ?? 'unknown',
      documentation: each.documentation,
      synonyms: each.synonyms.map((synonym) => ({ ...synonym, source: sourceOf(synonym.source) })),
    }));
    const code = result?.errorCode ?? ErrorCode.UNKNOWN_SERVER_ERROR;
    return outcomeOf({ type, name, entries: entries ?? [] }, `${type} ${name}`, code, result?.errorMessage);
  });
}

export interface ConfigChange extends ConfigResource {
  readonly set?: Readonly<Record<string, string>>;
  /** Options to go back to their default. */
  readonly remove?: readonly string[];
  /** Values to add to options that are lists. */
  readonly append?: Readonly<Record<string, string>>;
  /** Values to take from options that are lists. */
  readonly subtract?: Readonly<Record<string, string>>;
}

const OPERATIONS = { set: 0, remove: 1, append: 2, subtract: 3 } as const;

/** Changes single options; the others stay. The outcomes are in the order of the changes. */
export async function alterConfigs(
  cluster: Cluster,
  changes: readonly ConfigChange[],
  settings: CallSettings & { readonly validateOnly?: boolean } = {},
): Promise<Outcome<ConfigResource>[]> {
  const altered = await Promise.all(
    [...byDestination(changes)].map(([destination, group]) =>
      cluster.retrying(settings.signal, async () => {
        const connection = await cluster.connection(destination === 'any' ? 'controller' : destination);
        const answer = await connection.request(incrementalAlterConfigs, {
          resources: group.map((change) => ({
            resourceType: RESOURCE_TYPES[change.type],
            resourceName: change.name,
            configs: operations(change),
          })),
          validateOnly: settings.validateOnly ?? false,
        });
        throwIfMisdirected(answer.responses.map(({ errorCode }) => errorCode));
        return answer.responses;
      }),
    ),
  );
  const responses = altered.flat();
  return changes.map(({ type, name }) => {
    const response = responses.find((each) => each.resourceType === RESOURCE_TYPES[type] && each.resourceName === name);
    const code = response?.errorCode ?? ErrorCode.UNKNOWN_SERVER_ERROR;
    return outcomeOf({ type, name }, `${type} ${name}`, code, response?.errorMessage);
  });
}

function operations({ set, remove, append, subtract }: ConfigChange) {
  const entry =
    (configOperation: number) =>
    ([name, value]: [string, string]) => ({ name, configOperation, value });
  return [
    ...Object.entries(set ?? {}).map(entry(OPERATIONS.set)),
    ...(remove ?? []).map((name) => ({ name, configOperation: OPERATIONS.remove, value: null })),
    ...Object.entries(append ?? {}).map(entry(OPERATIONS.append)),
    ...Object.entries(subtract ?? {}).map(entry(OPERATIONS.subtract)),
  ];
}

/** Everything of the given kinds that has a configuration of its own. All kinds need a broker of 4.1 or later. */
export async function listConfigResources(
  cluster: Cluster,
  types: readonly ResourceType[] = [],
  settings: CallSettings = {},
): Promise<ConfigResource[]> {
  const resourceTypes = types.map((type) => RESOURCE_TYPES[type]);
  const answer = await cluster.call('any', listApi, { resourceTypes }, settings);
  if (answer.errorCode !== ErrorCode.NONE) throw refusedBy(answer.errorCode, 'listing configurations');
  const names = new Map<number, ResourceType>();
  for (const [name, number] of Object.entries(RESOURCE_TYPES)) names.set(number, name as ResourceType);
  return answer.configResources.flatMap(({ resourceType, resourceName }) => {
    const type = names.get(resourceType);
    return type === undefined ? [] : [{ type, name: resourceName }];
  });
}

function sourceOf(number: number): ConfigSource {
  return SOURCES[number] ?? 'unknown';
}

/** Only a broker itself knows its configuration and its loggers; the rest every broker knows. */
function byDestination<R extends ConfigResource>(resources: readonly R[]): Map<Destination, R[]> {
  const groups = new Map<Destination, R[]>();
  for (const resource of resources) {
    const own = (resource.type === 'broker' || resource.type === 'broker-logger') && resource.name !== '';
    const destination = own ? Number(resource.name) : 'any';
    groups.set(destination, [...(groups.get(destination) ?? []), resource]);
  }
  return groups;
}
