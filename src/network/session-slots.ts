/**
 * Typed memory for the life of a connection: whoever defines a key knows what lies under it, and this room does not.
 */

/** Made once by the module that owns the value: `const PRINCIPAL = sessionKey<Principal>('principal')`. */
export interface SessionKey<T> {
  readonly name: string;
  /** Only carries the type. */
  readonly holds?: T;
}

export function sessionKey<T>(name: string): SessionKey<T> {
  return { name };
}

export class SessionSlots {
  #values: Map<SessionKey<unknown>, unknown> | undefined;

  get<T>(key: SessionKey<T>): T | undefined {
    return this.#values?.get(key) as T | undefined;
  }

  set<T>(key: SessionKey<T>, value: T): void {
    this.#values ??= new Map();
    this.#values.set(key, value);
  }

  delete(key: SessionKey<unknown>): void {
    this.#values?.delete(key);
  }
}
