/**
 * Every message in every version, with random values and with damaged bytes: the generated functions and the
 * interpreter must agree, and no bytes may do worse than MalformedMessage. SEED=n repeats a run; FUZZ_SECONDS sets its
 * length.
 */
import assert from 'node:assert/strict';
import { randomInt } from 'node:crypto';
import { test } from 'node:test';
import { declaredSchemas } from '../../test/support/declared-schemas.ts';
import { randomValue } from '../../test/support/schema-values.ts';
import { type Random, seededRandom } from '../base/random.ts';
import { interpretDecode, interpretEncode } from './codec/interpret.ts';
import { decodeMessage, encodeToBuffer, encodeWith, joinParts, MalformedMessage } from './codec.ts';
import { Reader } from './reader.ts';
import type { MessageSchema } from './schema.ts';

const seed = Number(process.env['SEED'] ?? randomInt(2 ** 31));
const totalMs = Number(process.env['FUZZ_SECONDS'] ?? 8) * 1000;
/** One small damaged frame; far above what decoding takes, far below a loop that counts to a hostile number. */
const MAX_DECODE_MS = 250;

const { messages } = await declaredSchemas();
const cases = messages.flatMap((schema) => {
  const count = schema.versions.to - schema.versions.from + 1;
  return Array.from({ length: count }, (_, index) => ({ schema, version: schema.versions.from + index }));
});

test('the fuzzer found the declared messages', () => {
  assert.ok(messages.length >= 40, `only ${messages.length} messages`);
  assert.ok(cases.length >= 150, `only ${cases.length} versions`);
});

test('generated functions and interpreter write the same bytes and read the same values', (t) => {
  t.diagnostic(`SEED=${seed}`);
  eachCase(1, (schema, version, random) => {
    const value = randomValue(schema, version, random);
    const bytes = encodeToBuffer(schema, version, value as never);
    assert.deepEqual(interpretedBytes(schema, version, value), bytes);
    const decoded = decodeMessage(schema, version, bytes);
    assert.deepEqual(interpretDecode(schema, version, new Reader(bytes)), decoded);
    assert.deepEqual(decoded, value);
    assert.deepEqual(encodeToBuffer(schema, version, decoded as never), bytes);
  });
});

test('damaged bytes give a value or MalformedMessage, the same from both, and soon', (t) => {
  t.diagnostic(`SEED=${seed}`);
  let refused = 0;
  let accepted = 0;
  eachCase(2, (schema, version, random) => {
    const whole = encodeToBuffer(schema, version, randomValue(schema, version, random) as never);
    for (let round = 0; round < 4; round++) {
      const bytes = damage(whole, random);
      // Of this process alone: on a busy machine others take their turns.
      const before = process.cpuUsage();
      const compiled = outcomeOf(() => decodeMessage(schema, version, bytes));
      const { user, system } = process.cpuUsage(before);
      const took = (user + system) / 1000;
      assert.ok(took < MAX_DECODE_MS, `${took} ms for ${bytes.length} bytes`);
      const interpreted = outcomeOf(() => interpretDecode(schema, version, new Reader(bytes)));
      assert.deepEqual(compiled, interpreted);
      if (compiled instanceof MalformedMessage) refused++;
      else accepted++;
    }
  });
  assert.ok(refused > 100 && accepted > 100, `${refused} refused, ${accepted} accepted`);
  t.diagnostic(`${refused} refused, ${accepted} accepted`);
});

/** Visits all cases at least once, and again until half of the time is over. A failure names what repeats it. */
function eachCase(salt: number, visit: (schema: MessageSchema, version: number, random: Random) => void): void {
  const until = performance.now() + totalMs / 2;
  for (let round = 0; round === 0 || performance.now() < until; round++) {
    for (const [index, { schema, version }] of cases.entries()) {
      const random = seededRandom(seed + salt * 7919 + index * 104_729 + round * 15_485_863);
      try {
        visit(schema, version, random);
      } catch (error) {
        throw new Error(`${schema.name} version ${version}, SEED=${seed}`, { cause: error });
      }
      if (round > 0 && performance.now() > until) return;
    }
  }
}

function interpretedBytes(schema: MessageSchema, version: number, value: unknown): Buffer {
  return joinParts(encodeWith(false, (writer) => interpretEncode(schema, version, writer, value)));
}

/** The value, or the MalformedMessage; every other error passes through and fails the test. */
function outcomeOf(decode: () => unknown): unknown {
  try {
    return decode();
  } catch (error) {
    if (error instanceof MalformedMessage) return error;
    throw error;
  }
}

const HOSTILE = [0, 1, 0x7f, 0x80, 0xff];

function damage(whole: Buffer, random: Random): Buffer {
  const bytes = Buffer.from(whole);
  switch (random.below(5)) {
    case 0:
      return bytes.subarray(0, random.below(bytes.length + 1));
    case 1: {
      const at = random.below(bytes.length + 1);
      return Buffer.concat([bytes.subarray(0, at), random.bytes(1 + random.below(8)), bytes.subarray(at)]);
    }
    case 2: {
      // A run of one byte makes counts, lengths and varints huge or negative.
      const at = random.below(bytes.length + 1);
      return bytes.fill(HOSTILE[random.below(HOSTILE.length)]!, at, Math.min(bytes.length, at + 1 + random.below(5)));
    }
    case 3:
      return random.bytes(random.below(64));
    default: {
      for (let flips = 1 + random.below(3); flips > 0 && bytes.length > 0; flips--) {
        const at = random.below(bytes.length);
        bytes[at] = bytes[at]! ^ (1 << random.below(8));
      }
      return bytes;
    }
  }
}
