/**
 * Every broker option, by name, and what is to be said of names that are none: options of families that are not built,
 * options that Kafka itself has dropped, and likely misspellings.
 */
import type { Option, ValueOf } from './option.ts';
import { coordinationOptions } from './options/coordination.ts';
import { logOptions } from './options/log.ts';
import { networkOptions } from './options/network.ts';
import { replicationOptions } from './options/replication.ts';
import { securityOptions } from './options/security.ts';
import { serverOptions } from './options/server.ts';
import { nearestName } from './suggest.ts';

export const brokerOptions = {
  ...serverOptions,
  ...networkOptions,
  ...logOptions,
  ...replicationOptions,
  ...coordinationOptions,
  ...securityOptions,
} as const;

export type BrokerOptionName = keyof typeof brokerOptions;
export type BrokerOptionValue<N extends BrokerOptionName> = ValueOf<(typeof brokerOptions)[N]>;

/** In declaration order: related options stand together. */
export const brokerOptionNames = Object.keys(brokerOptions) as readonly BrokerOptionName[];

export function isBrokerOption(name: string): name is BrokerOptionName {
  return Object.hasOwn(brokerOptions, name);
}

/** `listener.name.<listener>.<option>` or `listener.name.<listener>.<mechanism>.<option>`: one listener's own value. */
const LISTENER_OPTION = /^listener\.name\.[^.]+\.(.+)$/;
/** Options that a listener may have once for each SASL mechanism. */
const MECHANISM_OPTIONS = [
  'sasl.jaas.config',
  'sasl.login.callback.handler.class',
  'sasl.login.class',
  'sasl.server.callback.handler.class',
  'connections.max.reauth.ms',
] as const satisfies readonly BrokerOptionName[];

/** The option that a listener's own value is for, or undefined where the name is not of that form. */
export function listenerBaseOption(name: string): BrokerOptionName | undefined {
  const rest = LISTENER_OPTION.exec(name)?.[1];
  if (rest === undefined) return undefined;
  const mechanismOption = MECHANISM_OPTIONS.find((option) => rest.endsWith(`.${option}`));
  if (mechanismOption !== undefined) return mechanismOption;
  return isBrokerOption(rest) ? rest : undefined;
}

/** The declaration of a name, be it plain or one listener's own. */
export function findBrokerOption(name: string): Option | undefined {
  if (isBrokerOption(name)) return brokerOptions[name];
  const base = listenerBaseOption(name);
  return base === undefined ? undefined : brokerOptions[base];
}

/**
 * Names whose values stand in for one another, the strongest first, in the order that DescribeConfigs shows them
 * (Kafka's DynamicBrokerConfig.brokerConfigSynonyms).
 */
export function brokerSynonyms(name: string): readonly string[] {
  const group = SYNONYM_GROUPS.find((names) => names.includes(name));
  if (group !== undefined) return group;
  if (name === 'log.flush.interval.ms') return [name, 'log.flush.scheduler.interval.ms'];
  const base = listenerBaseOption(name);
  return base === undefined ? [name] : [name, base];
}

const SYNONYM_GROUPS: readonly (readonly string[])[] = [
  ['log.roll.ms', 'log.roll.hours'],
  ['log.roll.jitter.ms', 'log.roll.jitter.hours'],
  ['log.retention.ms', 'log.retention.minutes', 'log.retention.hours'],
];

interface OptionFamily {
  readonly prefix: string;
  readonly what: string;
}

/** They tune what is not there, as Kafka's own example file does: ignored with a word about it. */
const TUNING_FAMILIES: readonly OptionFamily[] = [
  { prefix: 'remote.', what: 'no tiered storage' },
  { prefix: 'rlmm.config.', what: 'no tiered storage' },
  { prefix: 'rsm.config.', what: 'no tiered storage' },
  { prefix: 'group.share.', what: 'no share groups' },
  { prefix: 'share.', what: 'no share groups' },
  { prefix: 'group.streams.', what: 'no streams groups' },
];

/** Asks for tiered storage itself, and for data to be where it would not be. */
const TIERING_SWITCH = 'remote.log.storage.system.enable';

/** What a given option would tune if it were there; undefined for every option that is not ignored. */
export function ignoredOptionOf(name: string, text: string): string | undefined {
  if (name === TIERING_SWITCH && text.trim().toLowerCase() === 'true') return undefined;
  return TUNING_FAMILIES.find(({ prefix }) => name.startsWith(prefix))?.what;
}

/** They decide who may do what: a broker that ignored them would be less safe than its file says. */
const UNBUILT_FAMILIES: readonly OptionFamily[] = [
  { prefix: TIERING_SWITCH, what: 'no tiered storage' },
  { prefix: 'sasl.oauthbearer.', what: 'no OAuth token endpoints' },
  { prefix: 'sasl.kerberos.', what: 'no Kerberos' },
  { prefix: 'sasl.login.', what: 'no logins that refresh' },
  { prefix: 'zookeeper.ssl.', what: 'no TLS to ZooKeeper' },
];

const DROPPED: Readonly<Record<string, string>> = {
  port: 'use listeners',
  'host.name': 'use listeners',
  'advertised.host.name': 'use advertised.listeners',
  'advertised.port': 'use advertised.listeners',
  'inter.broker.protocol.version': 'remove it: the version is part of the cluster metadata',
  'log.message.format.version': 'remove it: there is one message format',
  'log.message.downconversion.enable': 'remove it: old message formats are not served',
  'log.message.timestamp.difference.max.ms':
    'use log.message.timestamp.before.max.ms and log.message.timestamp.after.max.ms',
  'password.encoder.secret': 'remove it: nothing is encrypted with it',
};

/** Why a name is not an option, and what to do: the part of a message that follows the name. */
export function explainUnknownOption(name: string): string {
  const family = UNBUILT_FAMILIES.find(({ prefix }) => name.startsWith(prefix));
  if (family !== undefined) return `not an option here (${family.what}); remove it`;
  const dropped = DROPPED[name];
  if (dropped !== undefined) return `no longer an option; ${dropped}`;
  const nearest = nearestName(name, brokerOptionNames);
  return nearest === undefined
    ? 'unknown option; see sluice config for all'
    : `unknown option; did you mean ${nearest}?`;
}
