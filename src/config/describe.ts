/**
 * What DescribeConfigs tells of a topic, broker or group: every config with its value, where it comes from and the names that
 * may stand in for it. The shape is the reply's own; nothing here knows the wire.
 */
import type { BrokerConfig } from './broker-config.ts';
import { brokerOptionNames, brokerOptions, brokerSynonyms, findBrokerOption } from './broker-options.ts';
import {
  groupConfigValue,
  groupOptionNames,
  groupOptions,
  isGroupOption,
  unservedGroupOption,
} from './group-config.ts';
import { canonicalText, isSensitive, type Option, type OptionType } from './option.ts';
import { resolveTopicConfig } from './topic-config.ts';
import { type TopicOptionName, topicOptionNames, topicOptions, topicSynonyms } from './topic-options.ts';

/** DescribeConfigsResponse.ConfigSource. */
export const CONFIG_SOURCE = {
  TOPIC: 1,
  DYNAMIC_BROKER: 2,
  DYNAMIC_DEFAULT_BROKER: 3,
  STATIC_BROKER: 4,
  DEFAULT: 5,
  GROUP: 8,
} as const;

/** DescribeConfigsResponse.ConfigType. */
export const CONFIG_TYPE: Readonly<Record<OptionType, number>> = {
  boolean: 1,
  string: 2,
  int: 3,
  short: 4,
  long: 5,
  double: 6,
  list: 7,
  class: 8,
  password: 9,
};

export interface ConfigSynonym {
  readonly name: string;
  readonly value: string | null;
  readonly source: number;
}

export interface ConfigEntry {
  readonly name: string;
  /** Null where unset or sensitive. */
  readonly value: string | null;
  readonly readOnly: boolean;
  readonly configSource: number;
  readonly isSensitive: boolean;
  /** Strongest first; empty unless asked for. */
  readonly synonyms: readonly ConfigSynonym[];
  readonly configType: number;
  /** Null unless asked for. */
  readonly documentation: string | null;
}

export interface DescribeOptions {
  /** Only these names; null, undefined or empty for all. */
  readonly names?: readonly string[] | null;
  readonly includeSynonyms?: boolean;
  readonly includeDocumentation?: boolean;
}

/** All configs of a topic that has `overrides` of its own. */
export function describeTopicConfigs(
  broker: BrokerConfig,
  overrides: ReadonlyMap<string, string>,
  options: DescribeOptions = {},
): ConfigEntry[] {
  const config = resolveTopicConfig(broker, overrides);
  const wanted = wantedNames(options);
  const names = topicOptionNames.filter((name) => !topicOptions[name].internal && wanted(name));
  return names.map((name) => {
    const option: Option = topicOptions[name];
    const value = isSensitive(option) ? null : config.text(name);
    const synonyms = topicSynonymList(broker, overrides, name, value);
    return entry(name, option, value, synonyms, false, options);
  });
}

/** All configs of a group that has `overrides` of its own. */
export function describeGroupConfigs(
  broker: BrokerConfig,
  overrides: ReadonlyMap<string, string>,
  options: DescribeOptions = {},
): ConfigEntry[] {
  return groupOptionNames.filter(wantedNames(options)).map((name) => {
    if (!isGroupOption(name)) return unservedEntry(name, overrides.get(name), options);
    const { synonym } = groupOptions[name];
    const value = String(groupConfigValue(broker, overrides, name));
    const list = brokerSynonymList(broker, synonym, false);
    const synonyms = overrides.has(name) ? [{ name, value, source: CONFIG_SOURCE.GROUP }, ...list] : list;
    return entry(name, brokerOptions[synonym], value, synonyms, false, options);
  });
}

/** Of a kind of group that is not served: what it was given, or what Kafka would take. */
function unservedEntry(name: string, own: string | undefined, options: DescribeOptions): ConfigEntry {
  const { option, synonym } = unservedGroupOption(name)!;
  const standard = { name: synonym ?? name, value: option.default, source: CONFIG_SOURCE.DEFAULT };
  const synonyms =
    own === undefined
      ? [standard]
      : [{ name, value: canonicalText(option, own), source: CONFIG_SOURCE.GROUP }, standard];
  return entry(name, option, synonyms[0]!.value, synonyms, false, options);
}

/** All configs of this broker, those of single listeners and values for the whole cluster included. */
export function describeBrokerConfigs(broker: BrokerConfig, options: DescribeOptions = {}): ConfigEntry[] {
  const others = [...broker.given.keys(), ...broker.dynamic.perBroker.keys(), ...broker.dynamic.clusterDefault.keys()];
  const listenerNames = new Set(others.filter((name) => !Object.hasOwn(brokerOptions, name)));
  const names = [...brokerOptionNames, ...listenerNames].filter(wantedNames(options));
  return names.map((name) => {
    const option = findBrokerOption(name);
    const sensitive = option === undefined || isSensitive(option);
    const raw = broker.text(name);
    const value = sensitive || raw === null ? null : canonicalText(option, raw);
    const synonyms = brokerSynonymList(broker, name, sensitive);
    return entry(name, option, value, synonyms, option === undefined || option.mode === 'read-only', options);
  });
}

/** The dynamic values that all brokers share: what the broker resource without a name has. */
export function describeClusterDefaults(broker: BrokerConfig, options: DescribeOptions = {}): ConfigEntry[] {
  const names = [...broker.dynamic.clusterDefault.keys()].filter(wantedNames(options));
  return names.map((name) => {
    const option = findBrokerOption(name);
    const sensitive = option === undefined || isSensitive(option);
    const value = sensitive ? null : (broker.dynamic.clusterDefault.get(name) ?? null);
    const synonyms = brokerSynonymList(broker, name, sensitive).filter(
      ({ source }) => source === CONFIG_SOURCE.DYNAMIC_DEFAULT_BROKER,
    );
    return entry(name, option, value, synonyms, option === undefined || option.mode === 'read-only', options);
  });
}

function wantedNames({ names }: DescribeOptions): (name: string) => boolean {
  if (names === undefined || names === null || names.length === 0) return () => true;
  const wanted = new Set(names);
  return (name) => wanted.has(name);
}

function entry(
  name: string,
  option: Option | undefined,
  value: string | null,
  synonyms: readonly ConfigSynonym[],
  readOnly: boolean,
  options: DescribeOptions,
): ConfigEntry {
  return {
    name,
    value,
    readOnly,
    configSource: synonyms[0]?.source ?? CONFIG_SOURCE.DEFAULT,
    isSensitive: option === undefined || isSensitive(option),
    synonyms: options.includeSynonyms === true ? synonyms : [],
    configType: option === undefined ? 0 : CONFIG_TYPE[option.type],
    documentation: options.includeDocumentation === true ? (option?.doc ?? null) : null,
  };
}

function topicSynonymList(
  broker: BrokerConfig,
  overrides: ReadonlyMap<string, string>,
  name: TopicOptionName,
  value: string | null,
): ConfigSynonym[] {
  const brokerName = topicSynonyms[name];
  const list = brokerName === undefined ? [] : brokerSynonymList(broker, brokerName, isSensitive(topicOptions[name]));
  return overrides.has(name) ? [{ name, value, source: CONFIG_SOURCE.TOPIC }, ...list] : list;
}

/**
 * Values of all stand-ins, source by source: this broker's dynamic ones, the cluster's, static ones, defaults. What
 * comes before the first value of the asked name itself is left out, as Kafka does.
 */
function brokerSynonymList(broker: BrokerConfig, name: string, sensitive: boolean): ConfigSynonym[] {
  const names = brokerSynonyms(name);
  const list: ConfigSynonym[] = [];
  const add = (lookUp: (name: string) => string | null | undefined, source: number): void => {
    for (const synonym of names) {
      const value = lookUp(synonym);
      if (value !== undefined && value !== null) list.push({ name: synonym, value: sensitive ? null : value, source });
    }
  };
  add((synonym) => broker.dynamic.perBroker.get(synonym), CONFIG_SOURCE.DYNAMIC_BROKER);
  add((synonym) => broker.dynamic.clusterDefault.get(synonym), CONFIG_SOURCE.DYNAMIC_DEFAULT_BROKER);
  add((synonym) => broker.given.get(synonym)?.text, CONFIG_SOURCE.STATIC_BROKER);
  add(
    (synonym) => (Object.hasOwn(brokerOptions, synonym) ? findBrokerOption(synonym)?.default : undefined),
    CONFIG_SOURCE.DEFAULT,
  );
  const first = list.findIndex((synonym) => synonym.name === name);
  return first === -1 ? [] : list.slice(first);
}
