/**
 * What a client is told when a handler fails: a response of the shape that its request asked for, with an error where that
 * API has a place for one, as a whole or for each thing that was asked for (Kafka's `getErrorResponse`). Derived from the
 * declarations of both messages, so that no API can be forgotten.
 */
import { defaultOf } from '../protocol/codec/interpret.ts';
import { type ErrorCode, errorMessage } from '../protocol/error-codes.ts';
import type { Api, Field, Fields } from '../protocol/schema.ts';
import { includesVersion } from '../protocol/versions.ts';

type Values = Readonly<Record<string, unknown>>;

const ERROR_CODE = 'errorCode';
const ERROR_MESSAGE = 'errorMessage';
/** The request asks by directory, the response tells by topic. */
const ALTER_REPLICA_LOG_DIRS = 34;

/** In the version of the request; things that were not named are not told of. `said` takes the place of the code's own words. */
export function errorResponse(
  api: Api,
  version: number,
  request: unknown,
  code: ErrorCode,
  said = errorMessage(code),
): Values {
  const asked = api.key === ALTER_REPLICA_LOG_DIRS ? byTopic(request as Values) : (request as Values);
  const requestFields = api.key === ALTER_REPLICA_LOG_DIRS ? topicsOfDirs(api.request.fields) : api.request.fields;
  return new Refusing(version, code, said).struct(api.response.fields, requestFields, asked);
}

class Refusing {
  readonly #version: number;
  readonly #code: ErrorCode;
  readonly #message: string;

  constructor(version: number, code: ErrorCode, message: string) {
    this.#version = version;
    this.#code = code;
    this.#message = message;
  }

  /** `source` is what the request says at the same place. */
  struct(fields: Fields, sourceFields: Fields, source: Values): Values {
    const tellsItself = this.#has(fields[ERROR_CODE]);
    const entries = Object.entries(fields).map(([name, field]): [string, unknown] => {
      if (name === ERROR_CODE) return [name, this.#has(field) ? this.#code : 0];
      if (name === ERROR_MESSAGE && tellsItself && this.#has(field)) return [name, this.#message];
      if (!tellsItself && this.#has(field) && this.#tellsError(field)) {
        return [name, this.#items(name, field, sourceFields, source)];
      }
      return [name, this.#copied(name, field, sourceFields, source)];
    });
    return Object.fromEntries(entries);
  }

  /** One for each thing that the request names: in the array of the same name, or in the only one it has. */
  #items(name: string, field: Field, sourceFields: Fields, source: Values): Values[] {
    const arrays = Object.entries(sourceFields).filter(([, each]) => each.kind === 'array' && this.#has(each));
    const [from, sourceField] = arrays.find(([each]) => each === name) ?? arrays[0] ?? [];
    const asked = from === undefined ? [] : ((source[from] ?? []) as readonly unknown[]);
    const { fields = {} } = field.element ?? {};
    const element = sourceField?.element;
    if (element?.fields !== undefined) {
      return asked.map((item) => this.struct(fields, element.fields!, item as Values));
    }
    const key = Object.keys(fields).find((each) => each !== ERROR_CODE && each !== ERROR_MESSAGE)!;
    return asked.map((item) => this.struct(fields, { [key]: element! }, { [key]: item }));
  }

  #copied(name: string, field: Field, sourceFields: Fields, source: Values): unknown {
    const isSame = sourceFields[name]?.kind === field.kind && field.kind !== 'array' && field.kind !== 'struct';
    const value = isSame ? source[name] : undefined;
    if (value === undefined || (value === null && !includesVersion(field.nullable, this.#version)))
      return defaultOf(field);
    return value;
  }

  #has(field: Field | undefined): boolean {
    return field !== undefined && includesVersion(field.versions, this.#version);
  }

  #tellsError(field: Field): boolean {
    const fields = field.element?.fields;
    if (field.kind !== 'array' || fields === undefined) return false;
    return Object.entries(fields).some(
      ([name, each]) => this.#has(each) && (name === ERROR_CODE || this.#tellsError(each)),
    );
  }
}

function byTopic(request: Values): Values {
  const dirs = (request['dirs'] ?? []) as readonly { readonly topics: readonly { readonly name: string }[] }[];
  return { results: dirs.flatMap(({ topics }) => topics.map((topic) => ({ ...topic, topicName: topic.name }))) };
}

function topicsOfDirs(fields: Fields): Fields {
  const topics = fields['dirs']!.element!.fields!['topics']!;
  const { name, ...rest } = topics.element!.fields!;
  return { results: { ...topics, element: { ...topics.element!, fields: { ...rest, topicName: name! } } } };
}
