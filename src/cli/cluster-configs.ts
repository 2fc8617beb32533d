/** Configs of a cluster's topics, brokers, groups: looking, changing, finding. */
import { SluiceError } from '../base/errors.ts';
import { Admin } from '../client/admin/admin.ts';
import type { ConfigDescription, ConfigEntry, ResourceType } from '../client/admin/configs.ts';
import type { Outcome } from '../client/admin/outcome.ts';
import { keyAndValue } from './arguments.ts';
import type { AlterConfigOptions, DescribeConfigOptions } from './config.ts';
import type { ClientOptions } from './connection-options.ts';
import { openCluster } from './open-cluster.ts';
import { fail, formatTable, printJson, printLine, printRows, type Row, remark } from './output.ts';

const CLIENT_ID = 'sluice-config';
/** What was set for the thing itself, by type; defaults and what a file said is not shown unless asked for. */
const OWN: Readonly<Record<ResourceType, readonly string[]>> = {
  topic: ['topic'],
  broker: ['broker', 'all brokers'],
  'broker-logger': ['broker logger'],
  'client-metrics': ['client metrics'],
  group: ['group'],
};

export async function describeConfig(
  type: ResourceType,
  name: string | undefined,
  options: DescribeConfigOptions,
): Promise<void> {
  await using cluster = await openCluster(options, CLIENT_ID);
  const admin = new Admin(cluster);
  const names = await namesOf(admin, type, name);
  const wanted = options.option.length > 0 ? options.option : undefined;
  const described = await admin.describeConfigs(
    names.map((each) => ({ type, name: each, options: wanted })),
    { synonyms: options.synonyms },
  );
  const isShown = ({ source }: ConfigEntry): boolean =>
    options.all || wanted !== undefined || OWN[type].includes(source);
  const found = described.flatMap((each) => (each.ok ? [{ ...each, entries: each.entries.filter(isShown) }] : []));
  if (options.json) printJson(found.map((each) => jsonOf(each, options)));
  else for (const each of found) show(each, options);
  for (const each of described) if (!each.ok) fail(each.error);
}

/** A name that was left out means all there are; of brokers, what holds for all of them. */
async function namesOf(admin: Admin, type: ResourceType, name: string | undefined): Promise<string[]> {
  if (name !== undefined) return [name];
  if (type === 'broker') return [''];
  if (type === 'topic') {
    return (await admin.listTopics()).filter(({ internal }) => !internal).map((topic) => topic.name);
  }
  if (type === 'broker-logger') return (await admin.describeCluster()).brokers.map(({ id }) => String(id));
  if (type === 'group') return (await admin.listGroups()).map(({ id }) => id);
  return (await admin.listConfigResources([type])).map((resource) => resource.name);
}

function jsonOf({ type, name, entries }: ConfigDescription, { synonyms }: DescribeConfigOptions) {
  return {
    type,
    name,
    configs: entries.map((entry) => ({
      ...{ name: entry.name, value: entry.value, source: entry.source },
      ...{ readOnly: entry.readOnly, sensitive: entry.sensitive, type: entry.type },
      ...(synonyms && { synonyms: entry.synonyms }),
    })),
  };
}

function show({ type, name, entries }: ConfigDescription, { synonyms, all }: DescribeConfigOptions): void {
  printLine(name === '' ? 'all brokers' : `${type} ${name}`);
  if (entries.length === 0) {
    remark(all ? 'there are no configs' : 'nothing is set; --all shows defaults');
    return;
  }
  const rows = entries.map(
    (entry): Row => ({
      ...{ name: entry.name, value: entry.sensitive ? '(hidden)' : entry.value, source: entry.source },
      synonyms: entry.synonyms.map((each) => `${each.source}: ${each.name}=${each.value ?? ''}`).join(', '),
    }),
  );
  printLine(formatTable(rows, synonyms ? ['name', 'value', 'source', 'synonyms'] : ['name', 'value', 'source']));
}

export async function alterConfig(
  type: ResourceType,
  name: string | undefined,
  options: AlterConfigOptions,
): Promise<void> {
  const pairs = (option: '--set' | '--append' | '--subtract', texts: readonly string[]) =>
    Object.fromEntries(texts.map((text) => keyAndValue(option, text)));
  const set = pairs('--set', options.set);
  const append = pairs('--append', options.append);
  const subtract = pairs('--subtract', options.subtract);
  const keys = [...Object.keys(set), ...Object.keys(append), ...Object.keys(subtract), ...options.reset];
  if (keys.length === 0) {
    throw new SluiceError('INVALID_ARGUMENT', 'nothing to change: give --set, --reset, --append or --subtract');
  }
  if (name === undefined && type !== 'broker') {
    throw new SluiceError('INVALID_ARGUMENT', `give the name of the ${type}`);
  }
  await using cluster = await openCluster(options, CLIENT_ID);
  const resource = { type, name: name ?? '' };
  const admin = new Admin(cluster);
  await refuseUnknown(admin, resource, options.reset);
  const [outcome] = await admin.alterConfigs([{ ...resource, set, append, subtract, remove: options.reset }], {
    validateOnly: options.dryRun,
  });
  report(outcome!, { ...resource, set, append, subtract, reset: options.reset }, options);
}

/** A broker takes the reset of a config that it does not know for done: a typing error would look like a success. */
export async function refuseUnknown(
  admin: Admin,
  resource: { readonly type: ResourceType; readonly name: string },
  keys: readonly string[],
): Promise<void> {
  if (keys.length === 0) return;
  // What holds for all brokers is described without defaults: any one of them knows all there are.
  const asked =
    resource.type === 'broker' && resource.name === ''
      ? { ...resource, name: String((await admin.describeCluster()).brokers.find(({ fenced }) => !fenced)?.id ?? '') }
      : resource;
  const [described] = await admin.describeConfigs([asked]);
  if (described?.ok !== true) return;
  const known = new Set(described.entries.map(({ name }) => name));
  const unknown = keys.filter((key) => !known.has(key));
  if (unknown.length === 0) return;
  throw new SluiceError('UNKNOWN_CONFIG', `${resource.type}s have no config ${unknown.join(', ')}`, {
    remedy: `sluice config describe ${resource.type} ${asked.name} --all lists all of them.`,
  });
}

interface Changes {
  readonly type: ResourceType;
  readonly name: string;
  readonly set: Readonly<Record<string, string>>;
  readonly append: Readonly<Record<string, string>>;
  readonly subtract: Readonly<Record<string, string>>;
  readonly reset: readonly string[];
}

function report(outcome: Outcome<object>, { type, name, ...changes }: Changes, options: AlterConfigOptions): void {
  if (!outcome.ok) {
    fail(outcome.error);
    return;
  }
  const of = (change: string, entries: Readonly<Record<string, string>>) =>
    Object.entries(entries).map(([config, value]): Row => ({ type, name, config, change, value }));
  const rows = [
    ...of('set', changes.set),
    ...of('append', changes.append),
    ...of('subtract', changes.subtract),
    ...changes.reset.map((config): Row => ({ type, name, config, change: 'reset', value: null })),
  ];
  printRows(rows, { json: options.json, columns: ['type', 'name', 'config', 'change', 'value'] });
  if (options.dryRun) remark('Nothing was changed. Leave --dry-run out to do it.');
}

export async function listConfigs(options: ClientOptions & { readonly type: readonly ResourceType[] }): Promise<void> {
  await using cluster = await openCluster(options, CLIENT_ID);
  const resources = await new Admin(cluster).listConfigResources(options.type);
  const rows = resources.map(({ type, name }): Row => ({ type, name }));
  printRows(rows, { json: options.json, columns: ['type', 'name'] });
}
