/**
 * An immutable map that shares most of itself with the map it came from: a large base that many versions share and a
 * small layer of changes over it. The layer is copied for each new version and folded into a new base when it has grown
 * to about the square root of the base, so that n changes one by one cost n times that, not n times the size.
 */

/** Smallest number of changes that is folded into a new base. */
const MIN_FOLD = 64;

/** What changes a map: a value sets, undefined removes. */
export type Changes<K, V> = ReadonlyMap<K, V | undefined>;

export class LayeredMap<K, V> implements ReadonlyMap<K, V> {
  readonly size: number;
  readonly #base: ReadonlyMap<K, V>;
  readonly #layer: Changes<K, V>;

  private constructor(base: ReadonlyMap<K, V>, layer: Changes<K, V>, size: number) {
    this.#base = base;
    this.#layer = layer;
    this.size = size;
  }

  static empty<K, V>(): LayeredMap<K, V> {
    return new LayeredMap(new Map(), new Map(), 0);
  }

  /** A map with the changes applied; this one stays as it is. */
  with(changes: Changes<K, V>): LayeredMap<K, V> {
    if (changes.size === 0) return this;
    let size = this.size;
    for (const [key, value] of changes) size += Number(value !== undefined) - Number(this.has(key));
    const layer = new Map(this.#layer);
    for (const [key, value] of changes) layer.set(key, value);
    if (layer.size < Math.max(MIN_FOLD, Math.sqrt(this.#base.size))) return new LayeredMap(this.#base, layer, size);
    const base = new Map(this.#base);
    for (const [key, value] of layer) {
      if (value === undefined) base.delete(key);
      else base.set(key, value);
    }
    return new LayeredMap(base, new Map(), size);
  }

  get(key: K): V | undefined {
    const changed = this.#layer.get(key);
    return changed !== undefined || this.#layer.has(key) ? changed : this.#base.get(key);
  }

  has(key: K): boolean {
    return this.get(key) !== undefined;
  }

  *entries(): MapIterator<[K, V]> {
    for (const [key, value] of this.#base) {
      if (!this.#layer.has(key)) yield [key, value];
    }
    for (const [key, value] of this.#layer) {
      if (value !== undefined) yield [key, value];
    }
  }

  *keys(): MapIterator<K> {
    for (const [key] of this.entries()) yield key;
  }

  *values(): MapIterator<V> {
    for (const [, value] of this.entries()) yield value;
  }

  [Symbol.iterator](): MapIterator<[K, V]> {
    return this.entries();
  }

  forEach(callback: (value: V, key: K, map: ReadonlyMap<K, V>) => void): void {
    for (const [key, value] of this.entries()) callback(value, key, this);
  }
}
