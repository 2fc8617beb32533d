/**
 * Takes out of an answer what differs between any two brokers: ports, generated ids, the clock's values, directories,
 * the wording of messages. Everything else stays and is compared.
 */
import { ZERO_UUID } from '../../../../src/base/uuid.ts';
import { type BatchView, describeBatches } from './batches.ts';
import type { Comparable } from './compare.ts';

/** Fields whose values are text for people: that there is one is compared, not its words. */
const WORDS = new Set(['errorMessage', 'batchIndexErrorMessage', 'documentation']);
/** Fields whose values a broker makes up; `except` are values that mean something. */
const OWN: ReadonlyMap<string, readonly unknown[]> = new Map([
  ['clusterId', [null]],
  ['finalizedFeaturesEpoch', [-1]],
  ['logAppendTimeMs', [-1]],
  ['logDir', []],
  ['sessionId', [0]],
  ['totalBytes', [-1]],
  ['usableBytes', [-1]],
  ['port', []],
]);
/** What names an element of an array; clients look elements up by these, so their order means nothing. */
const NAMES = [
  'apiKey',
  'groupId',
  'key',
  'name',
  'topic',
  'topicId',
  'resourceName',
  'resourceType',
  'partitionIndex',
  'partition',
  'index',
];

/** The part of a member id that the coordinator makes up. */
const RANDOM_UUID = /[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g;

export class Normaliser {
  readonly #port: number;
  readonly #topicIds: ReadonlyMap<string, string>;
  /** How record batches are compared, until told otherwise. */
  batches: BatchView = 'bytes';

  constructor(port: number, topicIds: ReadonlyMap<string, string>) {
    this.#port = port;
    this.#topicIds = topicIds;
  }

  normalise(value: unknown, field = ''): Comparable {
    if (value === null || value === undefined) return null;
    if (Buffer.isBuffer(value)) {
      return field === 'records' ? describeBatches(value, this.batches) : value.toString('hex');
    }
    if (field === 'topicId' || field === 'topicIds') return this.#topicOf(String(value));
    if (WORDS.has(field)) return value === '' ? '' : '<words>';
    const exceptions = OWN.get(field);
    if (exceptions !== undefined && !exceptions.includes(value)) return `<${field}>`;
    if (Array.isArray(value)) return this.#array(value, field);
    if (typeof value === 'object') return this.#struct(value);
    if (value === String(this.#port)) return '<port>';
    if (typeof value === 'string') return value.replace(RANDOM_UUID, '<uuid>');
    return value as string | number | boolean;
  }

  #struct(value: object): Comparable {
    return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, this.normalise(inner, name)]));
  }

  #array(value: readonly unknown[], field: string): Comparable {
    const elements = value.map((element) => this.normalise(element, field));
    if (typeof value[0] !== 'object') return elements;
    return elements
      .map((element) => [nameOf(element), element] as const)
      .sort(([left], [right]) => (left < right ? -1 : Number(left > right)))
      .map(([, element]) => element);
  }

  #topicOf(id: string): string {
    if (id === ZERO_UUID) return '<no id>';
    for (const [name, known] of this.#topicIds) if (known === id) return `<id of ${name}>`;
    return '<unknown id>';
  }
}

function nameOf(element: Comparable): string {
  if (element === null || typeof element !== 'object' || Array.isArray(element)) return '';
  const struct = element as Record<string, Comparable>;
  return NAMES.map((name) => (name in struct ? padded(struct[name]!) : '')).join('/');
}

function padded(value: Comparable): string {
  return typeof value === 'number' ? String(value).padStart(12) : String(value);
}
