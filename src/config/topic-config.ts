/** The configuration of one topic: its own values over the broker's. */
import { SluiceError } from '../base/errors.ts';
import type { BrokerConfig } from './broker-config.ts';
import type { BrokerOptionName } from './broker-options.ts';
import { canonicalText, numberText, type Option, type OptionValue, parseValue } from './option.ts';
import {
  explainUnknownTopicOption,
  findTopicOption,
  type TopicOptionName,
  type TopicOptionValue,
  topicOptions,
  topicSynonyms,
} from './topic-options.ts';

export interface TopicConfig {
  /** The effective value: the topic's own, else the broker's, else the default. */
  get<N extends TopicOptionName>(name: N): TopicOptionValue<N>;
  /** The effective value as Kafka shows it; null where unset. */
  text(name: TopicOptionName): string | null;
  /** The topic's own values. */
  readonly overrides: ReadonlyMap<string, string>;
}

/**
 * Lays a topic's own values over the broker's. The values were checked when they were set, so one that is not valid
 * means damaged metadata: SluiceError INVALID_TOPIC_CONFIG. Names that this version does not know are left alone.
 */
export function resolveTopicConfig(broker: BrokerConfig, overrides: ReadonlyMap<string, string>): TopicConfig {
  const cache = new Map<TopicOptionName, OptionValue>();
  const get = (name: TopicOptionName): OptionValue => {
    let value = cache.get(name);
    if (value === undefined) {
      value = effectiveValue(broker, overrides, name);
      cache.set(name, value);
    }
    return value;
  };
  const text = (name: TopicOptionName): string | null => {
    const own = overrides.get(name);
    if (own !== undefined) return canonicalText(topicOptions[name], own);
    const synonym = topicSynonyms[name];
    return synonym === undefined ? topicOptions[name].default : brokerText(broker, synonym, topicOptions[name]);
  };
  return { get: get as TopicConfig['get'], text, overrides };
}

function effectiveValue(
  broker: BrokerConfig,
  overrides: ReadonlyMap<string, string>,
  name: TopicOptionName,
): OptionValue {
  const option: Option = topicOptions[name];
  const own = overrides.get(name);
  const synonym = topicSynonyms[name];
  if (own === undefined && synonym !== undefined) return broker.get(synonym);
  const raw = own ?? option.default;
  if (raw === null) return null;
  const parsed = parseValue(option, raw);
  if (parsed.ok) return parsed.value;
  throw new SluiceError('INVALID_TOPIC_CONFIG', `${name}=${raw}: not allowed; allowed: ${parsed.allowed}`);
}

/** The broker's effective value in the topic's unit (hours have become milliseconds). */
function brokerText(broker: BrokerConfig, synonym: BrokerOptionName, option: Option): string | null {
  const value = broker.get(synonym);
  if (value === null) return null;
  if (typeof value === 'object') return value.join(',');
  const raw = broker.text(synonym);
  if (raw === null) return typeof value === 'number' ? numberText(option.type, value) : String(value);
  return canonicalText(option, raw);
}

/** What is wrong with one value: a sentence with option, value and what is allowed; undefined where it is valid. */
export function validateTopicConfig(name: string, value: string): string | undefined {
  const option = findTopicOption(name);
  if (option === undefined) return `${name}: ${explainUnknownTopicOption(name)}`;
  const parsed = parseValue(option, value);
  return parsed.ok ? undefined : `${name}=${value}: not allowed; allowed: ${parsed.allowed}`;
}

/**
 * Checks all values of a topic: each alone, then together with what the broker gives for the rest (LogConfig.validate).
 * The first thing that is wrong, as a sentence.
 */
export function validateTopicConfigs(broker: BrokerConfig, values: ReadonlyMap<string, string>): string | undefined {
  for (const [name, value] of values) {
    const problem = validateTopicConfig(name, value);
    if (problem !== undefined) return problem;
  }
  const config = resolveTopicConfig(broker, values);
  const minLagMs = config.get('min.compaction.lag.ms');
  const maxLagMs = config.get('max.compaction.lag.ms');
  if (minLagMs > maxLagMs) {
    return `min.compaction.lag.ms=${minLagMs}: allowed: at most max.compaction.lag.ms, which is ${maxLagMs}`;
  }
  if (config.get('remote.storage.enable')) {
    return 'remote.storage.enable=true: not allowed; allowed: false, as there is no tiered storage';
  }
  return undefined;
}
