/**
 * SipHash-1-3 with 128 bits of result, over 32-bit halves: what the key map knows a key by. The hash is keyed with a
 * secret that lives for one pass, so nobody who chooses record keys can make two of them meet; by chance two of a
 * billion keys meet in fewer than one of 10^20 passes. Several times faster than one MD5 call of node:crypto.
 */

/** Four words, the first and third being the low halves of SipHash's two key words. */
export type HashSecret = Uint32Array;

export const SECRET_WORDS = 4;
export const HASH_WORDS = 4;
/** Rounds after the last block, for each half of the result. */
const FINAL_ROUNDS = 3;

/** The block that `loadBlock` read last: eight bytes, little endian. */
let low = 0;
let high = 0;

/** Reads the block at `at`; the last one holds what is left of the key, and its length in the highest byte. */
function loadBlock(bytes: Uint8Array, at: number, left: number, keyLength: number): void {
  if (left >= 8) {
    low = bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
    high = bytes[at + 4]! | (bytes[at + 5]! << 8) | (bytes[at + 6]! << 16) | (bytes[at + 7]! << 24);
    return;
  }
  low = 0;
  high = keyLength << 24;
  for (let index = 0; index < left; index++) {
    if (index < 4) low |= bytes[at + index]! << (8 * index);
    else high |= bytes[at + index]! << (8 * (index - 4));
  }
}

/** Leaves the hash of the `length` bytes at `from` in `out`: low and high half of the first 64 bits, then the second. */
export function hashKey(secret: HashSecret, bytes: Uint8Array, from: number, length: number, out: Uint32Array): void {
  let v0l = secret[0]! ^ 0x70736575;
  let v0h = secret[1]! ^ 0x736f6d65;
  // The second half's 0xee tells the variant with 128 bits of result.
  let v1l = secret[2]! ^ 0x6e646f6d ^ 0xee;
  let v1h = secret[3]! ^ 0x646f7261;
  let v2l = secret[0]! ^ 0x6e657261;
  let v2h = secret[1]! ^ 0x6c796765;
  let v3l = secret[2]! ^ 0x79746573;
  let v3h = secret[3]! ^ 0x74656462;
  const blocks = length >>> 3;
  for (let step = 0; step <= blocks + 2 * FINAL_ROUNDS; step++) {
    if (step <= blocks) {
      loadBlock(bytes, from + 8 * step, length - 8 * step, length);
      v3l ^= low;
      v3h ^= high;
    } else if (step === blocks + 1) {
      v2l ^= 0xee;
    } else if (step === blocks + 1 + FINAL_ROUNDS) {
      out[0] = v0l ^ v1l ^ v2l ^ v3l;
      out[1] = v0h ^ v1h ^ v2h ^ v3h;
      v1l ^= 0xdd;
    }
    // One SipRound. An addition carries where the low half wraps.
    let sum = (v0l + v1l) | 0;
    v0h = (v0h + v1h + (sum >>> 0 < v1l >>> 0 ? 1 : 0)) | 0;
    v0l = sum;
    sum = (v2l + v3l) | 0;
    v2h = (v2h + v3h + (sum >>> 0 < v3l >>> 0 ? 1 : 0)) | 0;
    v2l = sum;
    let swap = (v1l << 13) | (v1h >>> 19);
    v1h = ((v1h << 13) | (v1l >>> 19)) ^ v0h;
    v1l = swap ^ v0l;
    swap = (v3l << 16) | (v3h >>> 16);
    v3h = ((v3h << 16) | (v3l >>> 16)) ^ v2h;
    v3l = swap ^ v2l;
    sum = (v2l + v1l) | 0;
    v2h = (v2h + v1h + (sum >>> 0 < v1l >>> 0 ? 1 : 0)) | 0;
    v2l = sum;
    // The halves of v0 change places first.
    sum = (v0h + v3l) | 0;
    v0h = (v0l + v3h + (sum >>> 0 < v3l >>> 0 ? 1 : 0)) | 0;
    v0l = sum;
    swap = (v1l << 17) | (v1h >>> 15);
    v1h = ((v1h << 17) | (v1l >>> 15)) ^ v2h;
    v1l = swap ^ v2l;
    swap = (v3l << 21) | (v3h >>> 11);
    v3h = ((v3h << 21) | (v3l >>> 11)) ^ v0h;
    v3l = swap ^ v0l;
    swap = v2l;
    v2l = v2h;
    v2h = swap;
    if (step <= blocks) {
      v0l ^= low;
      v0h ^= high;
    }
  }
  out[2] = v0l ^ v1l ^ v2l ^ v3l;
  out[3] = v0h ^ v1h ^ v2h ^ v3h;
}
