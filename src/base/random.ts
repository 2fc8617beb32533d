import { randomBytes } from 'node:crypto';

/** The only source of randomness, so that a run can be repeated from a seed. */
export interface Random {
  /** Uniform in [0, 1). */
  fraction(): number;
  /** Uniform integer in [0, bound). */
  below(bound: number): number;
  bytes(length: number): Buffer;
}

/** Unpredictable randomness for production. */
export const systemRandom: Random = {
  fraction: () => randomBytes(6).readUIntBE(0, 6) / 2 ** 48,
  below: (bound) => Math.floor((randomBytes(6).readUIntBE(0, 6) / 2 ** 48) * bound),
  bytes: (length) => randomBytes(length),
};

/** Repeatable randomness (mulberry32) for simulation and random tests; not for secrets. */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  return {
    fraction: next,
    below: (bound) => Math.floor(next() * bound),
    bytes: (length) => {
      const bytes = Buffer.allocUnsafe(length);
      for (let index = 0; index < length; index++) bytes[index] = Math.floor(next() * 256);
      return bytes;
    },
  };
}
