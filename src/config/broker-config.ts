/**
 * The configuration of one broker: what file, environment and flags give, checked, with dynamic values laid over it.
 * A `BrokerConfig` never changes; dynamic changes make a new one. Knows no topic and reads no file.
 */
import { SluiceError } from '../base/errors.ts';
import {
  type BrokerOptionName,
  type BrokerOptionValue,
  brokerOptionNames,
  brokerOptions,
  explainUnknownOption,
  findBrokerOption,
  ignoredOptionOf,
} from './broker-options.ts';
import { brokerRuleViolations } from './broker-rules.ts';
import { optionForVariable } from './environment.ts';
import { canonicalText, type Inert, isSensitive, type Option, type OptionValue, parseValue } from './option.ts';
import { parseProperties } from './properties-file.ts';

/** Where a value comes from, the weakest first. */
export type ConfigSource = 'default' | 'file' | 'environment' | 'flag' | 'dynamic-default' | 'dynamic-broker';

/** A value as it was given, and where: `server.properties:12`, `KAFKA_LOG_DIRS`, `--set`. */
export interface GivenValue {
  readonly text: string;
  readonly source: ConfigSource;
  readonly origin: string;
}

export interface BrokerConfigSources {
  /** The text of a .properties file; `path` is only for messages. */
  readonly file?: { readonly path: string; readonly text: string };
  readonly environment?: Readonly<Record<string, string | undefined>>;
  /** Flags of the command line or options of an embedded broker; the strongest static source. */
  readonly overrides?: Readonly<Record<string, string>>;
}

/** One line of `sluice config`. */
export interface ConfigRow {
  readonly name: string;
  /** The effective text; null where unset, `[hidden]` where sensitive. */
  readonly value: string | null;
  readonly source: ConfigSource;
  /** File and line, variable or flag; empty for defaults. */
  readonly origin: string;
  readonly inert: Inert | undefined;
}

/** Dynamic values as the metadata holds them. */
export interface DynamicValues {
  readonly perBroker: ReadonlyMap<string, string>;
  readonly clusterDefault: ReadonlyMap<string, string>;
}

export interface BrokerConfig {
  /** The effective value: dynamic over static over fallback options (log.retention.hours) over the default. */
  get<N extends BrokerOptionName>(name: N): BrokerOptionValue<N>;
  /** A listener's own value (`listener.name.<listener>.[<mechanism>.]<option>`), else the general one. */
  getForListener<N extends BrokerOptionName>(listener: string, name: N, mechanism?: string): BrokerOptionValue<N>;
  /** The text of exactly this name by source, without fallbacks; null where unset. */
  text(name: string): string | null;
  sourceOf(name: BrokerOptionName): ConfigSource;
  /** All options in declaration order, then listeners' own values that were given. */
  explain(): ConfigRow[];
  /** Options that were given and change nothing, with the reason. */
  inertGiven(): { readonly name: string; readonly inert: Inert }[];
  /** Static values by name, as given. */
  readonly given: ReadonlyMap<string, GivenValue>;
  readonly dynamic: DynamicValues;
  /** Names of KAFKA_ variables that are no option. */
  readonly ignoredVariables: readonly string[];
  /** Options that were given for something that is not there, and why they are ignored. */
  readonly ignoredOptions: ReadonlyMap<string, string>;
  /** The same static values under other dynamic ones. Dynamic values that are no longer valid count as absent. */
  withDynamic(dynamic: DynamicValues): BrokerConfig;
}

/**
 * Reads and checks all sources. Throws a SluiceError INVALID_CONFIG whose message has one line for each problem: the
 * option, the value, what is allowed and where it was given.
 */
export function loadBrokerConfig(sources: BrokerConfigSources = {}): BrokerConfig {
  const problems: string[] = [];
  const ignoredVariables: string[] = [];
  const given = new Map<string, GivenValue>();
  const ignoredOptions = new Map<string, string>();
  const take = (name: string, value: GivenValue): void => {
    const ignored = ignoredOptionOf(name, value.text);
    if (ignored !== undefined) {
      ignoredOptions.set(name, ignored);
      return;
    }
    const problem = problemOf(name, value);
    if (problem === undefined) given.set(name, value);
    else problems.push(problem);
  };
  for (const { name, value, line } of parseProperties(sources.file?.text ?? '')) {
    take(name, { text: value, source: 'file', origin: `${sources.file!.path}:${line}` });
  }
  for (const [variable, value] of Object.entries(sources.environment ?? {})) {
    if (value === undefined || !variable.startsWith('KAFKA_')) continue;
    const name = optionForVariable(variable);
    if (name === undefined) ignoredVariables.push(variable);
    else take(name, { text: value, source: 'environment', origin: variable });
  }
  for (const [name, value] of Object.entries(sources.overrides ?? {})) {
    take(name, { text: value, source: 'flag', origin: 'command line' });
  }
  linkNodeIds(given, problems);
  const config = makeConfig(given, NOTHING_DYNAMIC, { variables: ignoredVariables.sort(), options: ignoredOptions });
  if (problems.length === 0) problems.push(...brokerRuleViolations(config));
  if (problems.length > 0) {
    throw new SluiceError('INVALID_CONFIG', problems.join('\n'), { remedy: 'Correct the options named above.' });
  }
  return config;
}

const NOTHING_DYNAMIC: DynamicValues = { perBroker: new Map(), clusterDefault: new Map() };

function problemOf(name: string, value: GivenValue): string | undefined {
  const option = findBrokerOption(name);
  if (option === undefined) return `${name}=${value.text}: ${explainUnknownOption(name)} (${value.origin})`;
  const parsed = parseValue(option, value.text);
  if (parsed.ok) return undefined;
  const shown = isSensitive(option) ? '[hidden]' : value.text;
  return `${name}=${shown}: not allowed; allowed: ${parsed.allowed} (${value.origin})`;
}

/** node.id and broker.id are one thing; either gives the other. */
function linkNodeIds(given: Map<string, GivenValue>, problems: string[]): void {
  const nodeId = given.get('node.id');
  const brokerId = given.get('broker.id');
  if (nodeId !== undefined && brokerId === undefined) given.set('broker.id', nodeId);
  if (nodeId === undefined && brokerId !== undefined) given.set('node.id', brokerId);
  if (nodeId !== undefined && brokerId !== undefined && Number(nodeId.text) !== Number(brokerId.text)) {
    problems.push(
      `broker.id=${brokerId.text}: differs from node.id=${nodeId.text}; give one of them (${brokerId.origin})`,
    );
  }
}

/** The value that counts for a name, or undefined where only a default could. */
function strongest(
  name: string,
  given: ReadonlyMap<string, GivenValue>,
  dynamic: DynamicValues,
): GivenValue | undefined {
  const option = findBrokerOption(name);
  if (option !== undefined) {
    for (const [values, source] of [
      [dynamic.perBroker, 'dynamic-broker'],
      [dynamic.clusterDefault, 'dynamic-default'],
    ] as const) {
      const text = values.get(name);
      if (text !== undefined && parseValue(option, text).ok) return { text, source, origin: 'cluster metadata' };
    }
  }
  return given.get(name);
}

/** The option whose text decides the value of `name`: itself, or the first fallback that has any. */
function decidingOption(name: BrokerOptionName, textOf: (name: string) => string | null): BrokerOptionName {
  const option: Option = brokerOptions[name];
  if (option.fallbacks.length === 0 || textOf(name) !== null) return name;
  for (const fallback of option.fallbacks) {
    const next = decidingOption(fallback.option as BrokerOptionName, textOf);
    if (textOf(next) !== null) return next;
  }
  return name;
}

function makeConfig(
  given: ReadonlyMap<string, GivenValue>,
  dynamic: DynamicValues,
  ignored: { readonly variables: readonly string[]; readonly options: ReadonlyMap<string, string> },
): BrokerConfig {
  const cache = new Map<string, OptionValue>();
  const find = (name: string): GivenValue | undefined => strongest(name, given, dynamic);
  const text = (name: string): string | null => find(name)?.text ?? findBrokerOption(name)?.default ?? null;
  const value = (name: BrokerOptionName): OptionValue => {
    const deciding = decidingOption(name, text);
    const raw = text(deciding);
    if (raw === null) return null;
    const parsed = parseValue(brokerOptions[deciding], raw);
    const times = timesBetween(name, deciding);
    return parsed.ok ? (typeof parsed.value === 'number' ? scaled(parsed.value, times) : parsed.value) : null;
  };
  const get = (name: BrokerOptionName): OptionValue => {
    let cached = cache.get(name);
    if (cached === undefined) {
      cached = value(name);
      cache.set(name, cached);
    }
    return cached;
  };
  const getForListener = (listener: string, name: BrokerOptionName, mechanism?: string): OptionValue => {
    const prefix = `listener.name.${listener.toLowerCase()}.`;
    const own = [
      ...(mechanism === undefined ? [] : [`${prefix}${mechanism.toLowerCase()}.${name}`]),
      `${prefix}${name}`,
    ];
    for (const ownName of own) {
      const found = find(ownName);
      const parsed = found === undefined ? undefined : parseValue(brokerOptions[name], found.text);
      if (parsed?.ok) return parsed.value;
    }
    return get(name);
  };
  return {
    get: get as BrokerConfig['get'],
    getForListener: getForListener as BrokerConfig['getForListener'],
    text,
    sourceOf: (name) => find(decidingOption(name, text))?.source ?? 'default',
    explain: () => explainRows(given, dynamic, find, (name) => decidingOption(name, text)),
    inertGiven: () => inertOf(given),
    given,
    dynamic,
    ignoredVariables: ignored.variables,
    ignoredOptions: ignored.options,
    withDynamic: (next) => makeConfig(given, next, ignored),
  };
}

function timesBetween(name: BrokerOptionName, deciding: BrokerOptionName): number {
  if (name === deciding) return 1;
  const fallbacks: Option['fallbacks'] = brokerOptions[name].fallbacks;
  return fallbacks.find(({ option }) => option === deciding)?.times ?? 1;
}

/** Negative numbers mean "no limit" in any unit. */
function scaled(value: number, times: number): number {
  return value < 0 ? -1 : value * times;
}

function explainRows(
  given: ReadonlyMap<string, GivenValue>,
  dynamic: DynamicValues,
  find: (name: string) => GivenValue | undefined,
  deciding: (name: BrokerOptionName) => BrokerOptionName,
): ConfigRow[] {
  const listenerNames = [...given.keys(), ...dynamic.perBroker.keys()].filter(
    (name) => !Object.hasOwn(brokerOptions, name),
  );
  const names = [...brokerOptionNames, ...new Set(listenerNames)];
  return names.map((name) => {
    const option = findBrokerOption(name)!;
    const decider = Object.hasOwn(brokerOptions, name) ? deciding(name as BrokerOptionName) : name;
    const found = find(name);
    const effective = found ?? find(decider);
    const text = found?.text ?? option.default;
    const shown = text === null ? null : isSensitive(option) ? '[hidden]' : canonicalText(option, text);
    return {
      name,
      value: shown,
      source: effective?.source ?? 'default',
      origin: found !== undefined ? found.origin : decider === name ? '' : `from ${decider}`,
      inert: option.inert,
    };
  });
}

function inertOf(given: ReadonlyMap<string, GivenValue>): { name: string; inert: Inert }[] {
  const rows: { name: string; inert: Inert }[] = [];
  for (const name of given.keys()) {
    const inert = findBrokerOption(name)?.inert;
    if (inert !== undefined) rows.push({ name, inert });
  }
  return rows;
}
