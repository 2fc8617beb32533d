/**
 * The newest offset of each key in fixed memory, keys known by their hash: what one pass of compaction goes by. Entries
 * of 24 bytes in typed arrays, open addressing with a second hash as stride; no object a key. Never grows, never
 * removes one key.
 */
import { assert } from '../../base/assert.ts';
import type { Offset } from '../../base/units.ts';
import { HASH_WORDS, type HashSecret, hashKey } from './key-hash.ts';

/** Four words of hash and an offset, as in Kafka's map, so that its buffer sizes mean the same here. */
export const KEY_ENTRY_BYTES = 24;
export const NO_KEY: Offset = -1;

export class KeyMap {
  /** Keys that fit. */
  readonly capacity: number;
  size = 0;
  readonly #slots: number;
  readonly #hashes: Uint32Array;
  /** One more than the key's offset; 0 where the slot is free. */
  readonly #offsets: Float64Array;
  readonly #secret: HashSecret;
  readonly #hash = new Uint32Array(HASH_WORDS);

  /** Room for `slots` entries and a few, of which `loadFactor` are used. */
  constructor(options: { readonly slots: number; readonly loadFactor: number; readonly secret: HashSecret }) {
    // A prime number of slots makes every stride visit all of them.
    this.#slots = primeAtLeast(options.slots);
    this.capacity = Math.min(this.#slots - 1, Math.floor(options.slots * options.loadFactor));
    assert(this.capacity > 0, 'a key map has room for a key');
    this.#hashes = new Uint32Array(this.#slots * HASH_WORDS);
    this.#offsets = new Float64Array(this.#slots);
    this.#secret = options.secret;
  }

  get isFull(): boolean {
    return this.size >= this.capacity;
  }

  /** Offset put last for the key at `from`, or NO_KEY. */
  get(bytes: Uint8Array, from: number, length: number): Offset {
    return this.#offsets[this.#find(bytes, from, length)]! - 1;
  }

  /** The map must not be full. */
  put(bytes: Uint8Array, from: number, length: number, offset: Offset): void {
    const slot = this.#find(bytes, from, length);
    if (this.#offsets[slot] === 0) {
      assert(!this.isFull, 'a full key map takes no key');
      this.size++;
      const at = slot * HASH_WORDS;
      const hash = this.#hash;
      this.#hashes[at] = hash[0]!;
      this.#hashes[at + 1] = hash[1]!;
      this.#hashes[at + 2] = hash[2]!;
      this.#hashes[at + 3] = hash[3]!;
    }
    this.#offsets[slot] = offset + 1;
  }

  /** The slot of the key, or the free one where it belongs. Leaves its hash in `#hash`. */
  #find(bytes: Uint8Array, from: number, length: number): number {
    const hash = this.#hash;
    hashKey(this.#secret, bytes, from, length, hash);
    const slots = this.#slots;
    const hashes = this.#hashes;
    const offsets = this.#offsets;
    const h0 = hash[0]!;
    const h1 = hash[1]!;
    const h2 = hash[2]!;
    const h3 = hash[3]!;
    let slot = h0 % slots;
    const stride = 1 + (h1 % (slots - 1));
    while (offsets[slot] !== 0) {
      const at = slot * HASH_WORDS;
      if (hashes[at] === h0 && hashes[at + 1] === h1 && hashes[at + 2] === h2 && hashes[at + 3] === h3) return slot;
      slot += stride;
      if (slot >= slots) slot -= slots;
    }
    return slot;
  }
}

function primeAtLeast(limit: number): number {
  let candidate = Math.max(3, Math.ceil(limit));
  while (!isPrime(candidate)) candidate++;
  return candidate;
}

function isPrime(value: number): boolean {
  if (value % 2 === 0) return value === 2;
  for (let divisor = 3; divisor * divisor <= value; divisor += 2) if (value % divisor === 0) return false;
  return true;
}
