/**
 * XXH3, the 64-bit variant without seed (xxHash specification, "XXH3 algorithm overview"). Not for hot paths: it
 * computes in bigints.
 */

const PRIME32_1 = 0x9e3779b1n;
const PRIME32_2 = 0x85ebca77n;
const PRIME32_3 = 0xc2b2ae3dn;
const PRIME64_1 = 0x9e3779b185ebca87n;
const PRIME64_2 = 0xc2b2ae3d27d4eb4fn;
const PRIME64_3 = 0x165667b19e3779f9n;
const PRIME64_4 = 0x85ebca77c2b2ae63n;
const PRIME64_5 = 0x27d4eb2f165667c5n;
const PRIME_MX1 = 0x165667919e3779f9n;
const PRIME_MX2 = 0x9fb21c651e98df25n;
const STRIPE_BYTES = 64;
const LANES = 8;
const SECRET_STEP_BYTES = 8;
const LAST_STRIPE_SECRET_AT = 7;
const MERGE_SECRET_AT = 11;
const MIDDLE_START_AT = 3;
const MIDDLE_END_AT = 17;
const SECRET_MIN_BYTES = 136;

const SECRET = Buffer.from(
  'b8fe6c3923a44bbe7c01812cf721ad1cded46de9839097db7240a4a4b7b3671fcb79e64eccc0e578825ad07dccff7221' +
    'b8084674f743248ee03590e6813a264c3c2852bb91c300cb88d0658b1b532ea371644897a20df94e3819ef46a9deacd8' +
    'a8fa763fe39c343ff9dcbbc7c70b4f1d8a51e04bcdb45931c89f7ec9d9787364eac5ac8334d3ebc3c581a0fffa1363eb' +
    '170ddd51b7f0da49d316552629d4689e2b16be587d47a1fc8ff8b8d17ad031ce45cb3a8f95160428afd7fbcabb4b407e',
  'hex',
);

const u64 = (value: bigint): bigint => BigInt.asUintN(64, value);
const rotate = (value: bigint, bits: bigint): bigint => u64(value << bits) | (value >> (64n - bits));
const swap64 = (value: bigint): bigint => {
  const bytes = Buffer.allocUnsafe(8);
  bytes.writeBigUInt64BE(value);
  return bytes.readBigUInt64LE();
};
const read64 = (bytes: Buffer, at: number): bigint => bytes.readBigUInt64LE(at);
const read32 = (bytes: Buffer, at: number): bigint => BigInt(bytes.readUInt32LE(at));
const secret64 = (at: number): bigint => read64(SECRET, at);

function foldedProduct(left: bigint, right: bigint): bigint {
  const product = left * right;
  return u64(product) ^ (product >> 64n);
}

function avalanche(hash: bigint): bigint {
  const mixed = u64((hash ^ (hash >> 37n)) * PRIME_MX1);
  return mixed ^ (mixed >> 32n);
}

function avalancheXxh64(hash: bigint): bigint {
  let mixed = u64((hash ^ (hash >> 33n)) * PRIME64_2);
  mixed = u64((mixed ^ (mixed >> 29n)) * PRIME64_3);
  return mixed ^ (mixed >> 32n);
}

/** The hash of all of `input`, in [0, 2^64). */
export function xxh3(input: Buffer): bigint {
  const { length } = input;
  if (length > 240) return hashLong(input);
  if (length > 128) return hash129To240(input);
  if (length > 16) return hash17To128(input);
  if (length > 8) return hash9To16(input);
  if (length >= 4) return hash4To8(input);
  return length > 0 ? hash1To3(input) : avalancheXxh64(secret64(56) ^ secret64(64));
}

function hash1To3(input: Buffer): bigint {
  const { length } = input;
  const combined = ((input[0]! << 16) | (input[length >> 1]! << 24) | input[length - 1]! | (length << 8)) >>> 0;
  const key = read32(SECRET, 0) ^ read32(SECRET, 4);
  return avalancheXxh64(BigInt(combined) ^ key);
}

function hash4To8(input: Buffer): bigint {
  const { length } = input;
  const first = read32(input, 0);
  const last = read32(input, length - 4);
  const mixed = secret64(8) ^ secret64(16) ^ (last + (first << 32n));
  let hash = u64((mixed ^ rotate(mixed, 49n) ^ rotate(mixed, 24n)) * PRIME_MX2);
  hash = u64((hash ^ ((hash >> 35n) + BigInt(length))) * PRIME_MX2);
  return hash ^ (hash >> 28n);
}

function hash9To16(input: Buffer): bigint {
  const { length } = input;
  const low = secret64(24) ^ secret64(32) ^ read64(input, 0);
  const high = secret64(40) ^ secret64(48) ^ read64(input, length - 8);
  return avalanche(u64(BigInt(length) + swap64(low) + high + foldedProduct(low, high)));
}

function mix16(input: Buffer, at: number, secretAt: number): bigint {
  return foldedProduct(read64(input, at) ^ secret64(secretAt), read64(input, at + 8) ^ secret64(secretAt + 8));
}

function hash17To128(input: Buffer): bigint {
  const { length } = input;
  let hash = BigInt(length) * PRIME64_1;
  for (let index = (length - 1) >> 5; index >= 0; index--) {
    hash += mix16(input, 16 * index, 32 * index) + mix16(input, length - 16 * (index + 1), 32 * index + 16);
  }
  return avalanche(u64(hash));
}

function hash129To240(input: Buffer): bigint {
  const { length } = input;
  let hash = BigInt(length) * PRIME64_1;
  for (let index = 0; index < 8; index++) hash += mix16(input, 16 * index, 16 * index);
  hash = avalanche(u64(hash));
  for (let index = 8; index < length >> 4; index++) {
    hash += mix16(input, 16 * index, 16 * (index - 8) + MIDDLE_START_AT);
  }
  return avalanche(u64(hash + mix16(input, length - 16, SECRET_MIN_BYTES - MIDDLE_END_AT)));
}

function hashLong(input: Buffer): bigint {
  const { length } = input;
  const lanes = [PRIME32_3, PRIME64_1, PRIME64_2, PRIME64_3, PRIME64_4, PRIME32_2, PRIME64_5, PRIME32_1];
  const stripesPerBlock = (SECRET.length - STRIPE_BYTES) / SECRET_STEP_BYTES;
  const stripes = Math.floor((length - 1) / STRIPE_BYTES);
  for (let stripe = 0; stripe < stripes; stripe++) {
    const place = stripe % stripesPerBlock;
    accumulate(lanes, input, stripe * STRIPE_BYTES, place * SECRET_STEP_BYTES);
    if (place === stripesPerBlock - 1) scramble(lanes);
  }
  accumulate(lanes, input, length - STRIPE_BYTES, SECRET.length - STRIPE_BYTES - LAST_STRIPE_SECRET_AT);
  let hash = BigInt(length) * PRIME64_1;
  for (let index = 0; index < LANES; index += 2) {
    const secretAt = MERGE_SECRET_AT + 8 * index;
    hash += foldedProduct(lanes[index]! ^ secret64(secretAt), lanes[index + 1]! ^ secret64(secretAt + 8));
  }
  return avalanche(u64(hash));
}

function accumulate(lanes: bigint[], input: Buffer, at: number, secretAt: number): void {
  for (let lane = 0; lane < LANES; lane++) {
    const value = read64(input, at + 8 * lane);
    const keyed = value ^ secret64(secretAt + 8 * lane);
    lanes[lane ^ 1] = u64(lanes[lane ^ 1]! + value);
    lanes[lane] = u64(lanes[lane]! + (keyed & 0xffffffffn) * (keyed >> 32n));
  }
}

function scramble(lanes: bigint[]): void {
  for (let lane = 0; lane < LANES; lane++) {
    const value = lanes[lane]!;
    const key = secret64(SECRET.length - STRIPE_BYTES + 8 * lane);
    lanes[lane] = u64((value ^ (value >> 47n) ^ key) * PRIME32_1);
  }
}
