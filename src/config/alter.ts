/**
 * Changes to the dynamic configs of a topic, broker or group as pure functions: what is there and what is asked gives what
 * changes, or why not. A resource changes as a whole or not at all. Writes nothing.
 */
import type { BrokerConfig } from './broker-config.ts';
import { explainUnknownOption, findBrokerOption, isBrokerOption } from './broker-options.ts';
import { brokerRuleViolations } from './broker-rules.ts';
import { validateGroupConfigs } from './group-config.ts';
import { isSensitive, type Option, parseValue } from './option.ts';
import { validateTopicConfigs } from './topic-config.ts';
import { findTopicOption } from './topic-options.ts';

/** IncrementalAlterConfigs' configOperation. */
export const ALTER_OPERATION = { SET: 0, DELETE: 1, APPEND: 2, SUBTRACT: 3 } as const;

/** Longest value that a metadata record can hold (a Java short). */
const MAX_VALUE_LENGTH = 32767;

/**
 * Whose configs change. `broker` supplies the values that stay; for a broker resource `id` is undefined where the
 * values are for the whole cluster.
 */
export type AlterTarget =
  | { readonly kind: 'topic' | 'group'; readonly broker: BrokerConfig }
  | { readonly kind: 'broker'; readonly id: number | undefined; readonly broker: BrokerConfig };

export interface ConfigChange {
  readonly name: string;
  /** Null removes the value. */
  readonly value: string | null;
}

export interface IncrementalChange extends ConfigChange {
  readonly operation: number;
}

/** The names of Kafka's error codes that an alteration may end in. */
export type AlterError = 'INVALID_CONFIG' | 'INVALID_REQUEST';

export type AlterResult =
  | { readonly ok: true; readonly changes: readonly ConfigChange[] }
  | { readonly ok: false; readonly error: AlterError; readonly message: string };

/** IncrementalAlterConfigs: single values are set, removed, or have list elements added or taken away. */
export function alterIncrementally(
  target: AlterTarget,
  current: ReadonlyMap<string, string>,
  operations: readonly IncrementalChange[],
): AlterResult {
  const malformed = malformedNames(
    operations.filter(({ operation }) => operation !== ALTER_OPERATION.DELETE),
    operations,
  );
  if (malformed !== undefined) return malformed;
  const changes: ConfigChange[] = [];
  for (const operation of operations) {
    const outcome = applyOperation(target, current.get(operation.name) ?? null, operation);
    if (typeof outcome === 'object' && outcome !== null) return outcome;
    changes.push({ name: operation.name, value: outcome });
  }
  return conclude(target, current, changes);
}

/** AlterConfigs of old: the given values are all there are afterwards; what is not named is removed. */
export function alterWholly(
  target: AlterTarget,
  current: ReadonlyMap<string, string>,
  values: readonly ConfigChange[],
): AlterResult {
  const malformed = malformedNames(values, values);
  if (malformed !== undefined) return malformed;
  const kept = new Set(values.map(({ name }) => name));
  const removed = [...current.keys()].filter((name) => !kept.has(name)).map((name) => ({ name, value: null }));
  return conclude(target, current, [...values, ...removed]);
}

/** Checks the values of a topic that is being created; nothing is there yet. Of a name that stands twice the last counts. */
export function checkNewTopicConfigs(broker: BrokerConfig, given: readonly ConfigChange[]): AlterResult {
  const values = [...new Map(given.map((change) => [change.name, change])).values()];
  const absent = values.filter(({ value }) => value === null).map(({ name }) => name);
  if (absent.length > 0) return refused('INVALID_CONFIG', `no value for: ${absent.join(', ')}`);
  return conclude({ kind: 'topic', broker }, new Map(), values);
}

function refused(error: AlterError, message: string): AlterResult & { ok: false } {
  return { ok: false, error, message };
}

function malformedNames(
  needValue: readonly ConfigChange[],
  all: readonly ConfigChange[],
): (AlterResult & { ok: false }) | undefined {
  const seen = new Set<string>();
  for (const { name } of all) {
    if (seen.has(name)) return refused('INVALID_REQUEST', `${name} stands twice`);
    seen.add(name);
  }
  const absent = needValue.filter(({ value }) => value === null).map(({ name }) => name);
  return absent.length === 0 ? undefined : refused('INVALID_REQUEST', `no value for: ${absent.join(', ')}`);
}

/** The new value, null for none, or why there is none. */
function applyOperation(
  target: AlterTarget,
  current: string | null,
  { name, operation, value }: IncrementalChange,
): string | null | (AlterResult & { ok: false }) {
  switch (operation) {
    case ALTER_OPERATION.SET:
      return value;
    case ALTER_OPERATION.DELETE:
      return null;
    case ALTER_OPERATION.APPEND:
    case ALTER_OPERATION.SUBTRACT: {
      const option = listOption(target, name);
      if (option?.type !== 'list') {
        return refused('INVALID_CONFIG', `${name}: is no list, so nothing can be added to it or taken away`);
      }
      const items = elements(current ?? option.default ?? '');
      const asked = new Set(elements(value ?? ''));
      if (operation === ALTER_OPERATION.APPEND) return [...new Set([...items, ...asked])].join(',');
      return items.filter((item) => !asked.has(item)).join(',');
    }
    default:
      return refused('INVALID_REQUEST', `${name}: no such operation: ${operation}`);
  }
}

function listOption({ kind }: AlterTarget, name: string): Option | undefined {
  if (kind === 'topic') return findTopicOption(name);
  return kind === 'broker' ? findBrokerOption(name) : undefined;
}

function elements(text: string): string[] {
  return text.split(',').filter((item) => item !== '');
}

/** Checks the state that the changes lead to and leaves out those that change nothing. */
function conclude(
  target: AlterTarget,
  current: ReadonlyMap<string, string>,
  changes: readonly ConfigChange[],
): AlterResult {
  const next = new Map(current);
  for (const { name, value } of changes) {
    if (value === null) next.delete(name);
    else if (value.length > MAX_VALUE_LENGTH) {
      return refused('INVALID_CONFIG', `${name}: the value is longer than ${MAX_VALUE_LENGTH} characters`);
    } else next.set(name, value);
  }
  if (target.kind !== 'broker') {
    const validate = target.kind === 'topic' ? validateTopicConfigs : validateGroupConfigs;
    const problem = validate(target.broker, next);
    if (problem !== undefined) return refused('INVALID_CONFIG', problem);
    return { ok: true, changes: changes.filter(({ name, value }) => (current.get(name) ?? null) !== value) };
  }
  const problem = brokerProblem(target, next, changes);
  // An unchanged broker value is written all the same: it tells the broker to read files again that it names.
  return problem ?? { ok: true, changes };
}

function brokerProblem(
  target: AlterTarget & { kind: 'broker' },
  next: ReadonlyMap<string, string>,
  changes: readonly ConfigChange[],
): (AlterResult & { ok: false }) | undefined {
  for (const { name, value } of changes) {
    if (value === null) continue;
    const option = findBrokerOption(name);
    if (option === undefined) return refused('INVALID_CONFIG', `${name}: ${explainUnknownOption(name)}`);
    if (option.mode === 'read-only') {
      return refused('INVALID_REQUEST', `${name}: can only be changed by a restart of the broker`);
    }
    if (target.id === undefined && option.mode === 'per-broker') {
      return refused('INVALID_REQUEST', `${name}: can only be set for one broker, not for all`);
    }
    if (isBrokerOption(name) && name.startsWith('ssl.')) {
      return refused(
        'INVALID_REQUEST',
        `${name}: can only be changed for one listener, as listener.name.LISTENER.${name}`,
      );
    }
    const parsed = parseValue(option, value);
    if (!parsed.ok) {
      const shown = isSensitive(option) ? '[hidden]' : value;
      return refused('INVALID_REQUEST', `${name}=${shown}: not allowed; allowed: ${parsed.allowed}`);
    }
  }
  return ruleProblem(target, next);
}

/** Rules between options can be checked for this broker only: others' static values are not known here. */
function ruleProblem(
  { id, broker }: AlterTarget & { kind: 'broker' },
  next: ReadonlyMap<string, string>,
): (AlterResult & { ok: false }) | undefined {
  if (id !== undefined && id !== broker.get('node.id')) return undefined;
  const { perBroker, clusterDefault } = broker.dynamic;
  const overlay = id === undefined ? { perBroker, clusterDefault: next } : { perBroker: next, clusterDefault };
  const violation = brokerRuleViolations(broker.withDynamic(overlay))[0];
  return violation === undefined ? undefined : refused('INVALID_REQUEST', violation);
}
