/** JSON of a znode, which anybody may have written: fields are taken by type, and what is wrong names the znode. */
import { SluiceError } from '../../../../base/errors.ts';

export class JsonFields {
  readonly #path: string;
  readonly #fields: Readonly<Record<string, unknown>>;

  private constructor(path: string, fields: Readonly<Record<string, unknown>>) {
    this.#path = path;
    this.#fields = fields;
  }

  /** Throws SluiceError CORRUPT_METADATA where the data are no JSON object. */
  static parse(path: string, data: Buffer): JsonFields {
    let value: unknown;
    try {
      value = JSON.parse(data.toString());
    } catch (cause) {
      throw damaged(path, 'it is no JSON', cause);
    }
    if (!isObject(value)) throw damaged(path, 'it is no JSON object');
    return new JsonFields(path, value);
  }

  has(name: string): boolean {
    return this.#fields[name] !== undefined && this.#fields[name] !== null;
  }

  /** Throws where a field is missing. */
  needed(name: string): this {
    if (!this.has(name)) throw damaged(this.#path, `its field ${name} is missing`);
    return this;
  }

  names(): string[] {
    return Object.keys(this.#fields);
  }

  /** A whole number; Kafka writes some as texts. */
  number(name: string): number {
    const value = this.#fields[name];
    const number = typeof value === 'string' && value !== '' ? Number(value) : value;
    if (typeof number !== 'number' || !Number.isSafeInteger(number)) throw this.#wrong(name, 'whole number');
    return number;
  }

  numberOr(name: string, fallback: number): number {
    return this.has(name) ? this.number(name) : fallback;
  }

  bool(name: string): boolean {
    const value = this.#fields[name];
    if (typeof value !== 'boolean') throw this.#wrong(name, 'true or false');
    return value;
  }

  text(name: string): string {
    const value = this.#fields[name];
    if (typeof value !== 'string') throw this.#wrong(name, 'text');
    return value;
  }

  textOr<T>(name: string, fallback: T): string | T {
    return this.has(name) ? this.text(name) : fallback;
  }

  /** Empty where it is left out. */
  numbers(name: string): number[] {
    return this.#list(name).map((value) => {
      if (typeof value !== 'number' || !Number.isSafeInteger(value)) throw this.#wrong(name, 'list of numbers');
      return value;
    });
  }

  /** Empty where it is left out. */
  texts(name: string): string[] {
    return this.#list(name).map((value) => {
      if (typeof value !== 'string') throw this.#wrong(name, 'list of texts');
      return value;
    });
  }

  /** Empty where it is left out. */
  objects(name: string): JsonFields[] {
    return this.#list(name).map((value) => {
      if (!isObject(value)) throw this.#wrong(name, 'list of objects');
      return new JsonFields(this.#path, value);
    });
  }

  /** Without fields where it is left out. */
  object(name: string): JsonFields {
    if (!this.has(name)) return new JsonFields(this.#path, {});
    const value = this.#fields[name];
    if (!isObject(value)) throw this.#wrong(name, 'object');
    return new JsonFields(this.#path, value);
  }

  #list(name: string): readonly unknown[] {
    if (!this.has(name)) return [];
    const value = this.#fields[name];
    if (!Array.isArray(value)) throw this.#wrong(name, 'list');
    return value;
  }

  #wrong(name: string, wanted: string): SluiceError {
    return damaged(this.#path, `its field ${name} is no ${wanted}`);
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function damaged(path: string, why: string, cause?: unknown): SluiceError {
  return new SluiceError('CORRUPT_METADATA', `the znode ${path} cannot be understood: ${why}`, {
    remedy: 'Look at it with zkCli and set it right.',
    cause,
  });
}
