import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { type Random, seededRandom } from '../base/random.ts';
import { ErrorCode } from '../protocol/error-codes.ts';
import * as batch from '../records/batch.ts';
import { buildBatch } from '../records/builder.ts';
import { ControlType, controlKey, controlTypeOf, endTransactionValue } from '../records/control.ts';
import { readRecords } from '../records/reader.ts';
import { failingDisk } from './failing-file-system.test.support.ts';
import { buildRecords, FIRST_TIMESTAMP, newLog, readAll, testDependencies, withDirectory } from './log.test.support.ts';
import { type AbortedTransaction, type AppendOutcome, type Log, openLog } from './log.ts';

const SEED = Number(process.env['SEED'] ?? Math.floor(Math.random() * 2 ** 31));
const LEADER = { leaderEpoch: 0, origin: 'coordinator' } as const;

interface Data {
  readonly producerId?: number;
  readonly producerEpoch?: number;
  readonly transactional?: boolean;
}

/** As a coordinator of the broker writes: no sequence numbers, so that truncation does not get in the way. */
function write(log: Log, values: readonly string[], { producerId, producerEpoch = 0, transactional }: Data = {}): void {
  const who = producerId === undefined ? {} : { producerId, producerEpoch, transactional };
  assert.ok(log.appendAsLeader(buildRecords({ values, ...who }), LEADER).ok);
}

interface Mark {
  readonly type: ControlType;
  readonly producerId: number;
  readonly producerEpoch?: number;
  readonly coordinatorEpoch?: number;
  readonly transactionVersion?: number;
}

function mark(log: Log, { type, producerId, ...rest }: Mark): AppendOutcome {
  const { producerEpoch = 0, coordinatorEpoch = 0, transactionVersion = 0 } = rest;
  const value = endTransactionValue(coordinatorEpoch);
  const records = [{ key: controlKey(type), value, timestamp: FIRST_TIMESTAMP }];
  const bytes = buildBatch({ producerId, producerEpoch, transactional: true, control: true, records });
  return log.appendAsLeader(bytes, { ...LEADER, transactionVersion });
}

async function reopen(log: Log, cleanShutdown: boolean): Promise<Log> {
  const { directory, config, recoveryPoint, startOffset } = log;
  if (cleanShutdown) await log.close();
  else log.abandon();
  return openLog(
    { directory, topic: 't', partition: 0, config, cleanShutdown, recoveryPoint, startOffset },
    testDependencies(),
  );
}

function indexNames(log: Log): string[] {
  return readdirSync(log.directory)
    .filter((name) => name.endsWith('.txnindex'))
    .sort();
}

test('the index holds a version, the producer, both offsets and the last stable offset, and exists with aborts only', async () => {
  await withDirectory(async (directory) => {
    const log = newLog(directory);
    write(log, ['a', 'b'], { producerId: 258, transactional: true });
    write(log, ['c'], { producerId: 7, transactional: true });
    mark(log, { type: ControlType.COMMIT, producerId: 7 });
    assert.deepEqual(indexNames(log), [], 'a commit needs no entry');
    write(log, ['d'], { producerId: 7, transactional: true });
    mark(log, { type: ControlType.ABORT, producerId: 258 });
    const [name = ''] = indexNames(log);
    assert.equal(
      readFileSync(`${directory}/${name}`).toString('hex'),
      '0000' + '0000000000000102' + '0000000000000000' + '0000000000000005' + '0000000000000004',
    );
    await log.close();
  });
});

test('a transaction over many segments is found from each of them, and from none beside it', async () => {
  await withDirectory(async (directory) => {
    const log = newLog(directory);
    write(log, ['before']);
    for (const value of ['a', 'b', 'c']) {
      write(log, [value], { producerId: 1, transactional: true });
      log.roll();
    }
    mark(log, { type: ControlType.ABORT, producerId: 1 });
    log.roll();
    write(log, ['after']);
    const expected = [{ producerId: 1, firstOffset: 1, lastOffset: 4, lastStableOffset: 5 }];
    for (const from of [0, 1, 2, 3, 4]) assert.deepEqual(log.abortedTransactions(from, from + 2), expected);
    assert.deepEqual(log.abortedTransactions(0, 1), []);
    assert.deepEqual(log.abortedTransactions(5, 6), []);
    assert.equal(indexNames(log).length, 1, 'only the segment of the marker has an index');
    await log.close();
  });
});

test('a read tells the transactions of the returned bytes and not all that follow', async () => {
  await withDirectory(async (directory) => {
    const log = newLog(directory, { indexIntervalBytes: 1 });
    for (let producerId = 0; producerId < 50; producerId++) {
      write(log, ['x'.repeat(200)], { producerId, transactional: true });
      mark(log, { type: ControlType.ABORT, producerId });
    }
    const options = { maxBytes: 1500, minOneBatch: true, upTo: log.lastStableOffset };
    const outcome = log.read(20, { ...options, collectAborted: true });
    assert.ok(outcome.ok && outcome.region !== undefined && outcome.aborted !== undefined);
    const bytes = Buffer.alloc(outcome.region.length);
    outcome.region.file.readSync(bytes, outcome.region.position);
    outcome.region.release();
    const told = outcome.aborted.map(({ producerId }) => producerId);
    const returned = batchesOf(bytes).flatMap(({ id, control }) => (control ? [] : [id]));
    for (const id of returned) assert.ok(told.includes(id), `producer ${id} is told of`);
    assert.ok(told.length <= returned.length + 1, `${told.length} for ${returned.length} batches`);
    const plain = log.read(20, options);
    assert.ok(plain.ok && plain.aborted === undefined);
    plain.region?.release();
    await log.close();
  });
});

test('an index with broken bytes is built again, also where the transaction began in an earlier segment', async () => {
  const damages: readonly ((bytes: Buffer) => Buffer)[] = [
    (bytes) => bytes.subarray(0, 20),
    (bytes) => Buffer.alloc(bytes.length),
    (bytes) => Buffer.concat([bytes, bytes.subarray(0, 34)]),
    (bytes) => {
      bytes.writeInt16BE(9, 0);
      return bytes;
    },
  ];
  for (const damage of damages) {
    for (const cleanShutdown of [true, false]) {
      await withDirectory(async (directory) => {
        const log = newLog(directory);
        write(log, ['a'], { producerId: 1, transactional: true });
        log.roll();
        write(log, ['b'], { producerId: 2, transactional: true });
        mark(log, { type: ControlType.ABORT, producerId: 1 });
        mark(log, { type: ControlType.ABORT, producerId: 2 });
        log.roll();
        write(log, ['c']);
        await log.flush();
        const before = log.abortedTransactions(0, log.endOffset);
        const path = `${directory}/${indexNames(log)[0]!}`;
        const good = readFileSync(path);
        writeFileSync(path, damage(Buffer.from(good)));
        const again = await reopen(log, cleanShutdown);
        assert.deepEqual(again.abortedTransactions(0, again.endOffset), before);
        assert.deepEqual(readFileSync(path), good);
        await again.close();
      });
    }
  }
});

test('truncation, deletion and a fresh start take the entries along', async () => {
  await withDirectory(async (directory) => {
    let log = newLog(directory, { fileDeleteDelayMs: 60_000 });
    write(log, ['a'], { producerId: 1, transactional: true });
    mark(log, { type: ControlType.ABORT, producerId: 1 });
    write(log, ['b'], { producerId: 1, transactional: true });
    mark(log, { type: ControlType.ABORT, producerId: 1 });
    log.truncateTo(3);
    assert.equal(log.lastStableOffset, 2, 'the transaction is open again');
    assert.equal(log.abortedTransactions(0, 3).length, 1);
    log = await reopen(log, false);
    assert.equal(log.lastStableOffset, 2);
    mark(log, { type: ControlType.COMMIT, producerId: 1 });
    assert.equal(log.abortedTransactions(0, 4).length, 1, 'this time it was committed');
    log.roll();
    log.advanceStartOffset(4);
    log.applyRetention(FIRST_TIMESTAMP);
    assert.deepEqual(indexNames(log), []);
    assert.ok(existsSync(`${directory}/00000000000000000000.txnindex.deleted`));
    log.truncateFullyAndStartAt(100);
    assert.deepEqual(log.abortedTransactions(0, 100), []);
    await log.close();
  });
});

test('a full disk does not lose an aborted transaction whose marker was written', async () => {
  await withDirectory(async (directory) => {
    const { fileSystem, faults } = failingDisk();
    const log = newLog(directory, {}, testDependencies({ fileSystem }));
    write(log, ['a'], { producerId: 1, transactional: true });
    faults.push({ code: 'ENOSPC', suffix: '.txnindex', operation: 'write' });
    assert.ok(mark(log, { type: ControlType.ABORT, producerId: 1 }).ok);
    assert.equal(log.abortedTransactions(0, 2).length, 1);
    faults.length = 0;
    await log.flush();
    const again = await reopen(log, false);
    assert.equal(again.abortedTransactions(0, 2).length, 1);
    await again.close();
  });
});

test('a marker without a transaction ends nothing, and bumps the epoch all the same', async () => {
  await withDirectory(async (directory) => {
    const log = newLog(directory);
    write(log, ['a'], { producerId: 1 });
    assert.ok(mark(log, { type: ControlType.ABORT, producerId: 1, producerEpoch: 3, transactionVersion: 2 }).ok);
    assert.deepEqual(log.abortedTransactions(0, 2), []);
    const late = buildRecords({ values: ['late'], producerId: 1, producerEpoch: 2, transactional: true });
    const refused = log.appendAsLeader(late, LEADER);
    assert.equal(refused.ok ? ErrorCode.NONE : refused.errorCode, ErrorCode.INVALID_PRODUCER_EPOCH);
    await log.close();
  });
});

/** A client's batch, checked with the coordinator where `guard` is given. */
function sendChecked(
  log: Log,
  guard: object | undefined,
  { sequence = 0, epoch = 0, transactional = true } = {},
): ErrorCode {
  const who = { producerId: 5, producerEpoch: epoch, baseSequence: sequence, transactional };
  const options = { leaderEpoch: 0, origin: 'client', verification: { guard } } as const;
  const outcome = log.appendAsLeader(buildRecords({ values: ['x'], ...who }), options);
  return outcome.ok ? ErrorCode.NONE : outcome.errorCode;
}

function guardFor(log: Log, { sequence = 0, epoch = 0, supportsEpochBump = false } = {}): object | undefined {
  const begun = log.beginVerification({
    producerId: 5,
    producerEpoch: epoch,
    baseSequence: sequence,
    supportsEpochBump,
  });
  assert.ok('guard' in begun);
  return begun.guard;
}

test('a transaction begins with the guard of its own check only, and goes on without', async () => {
  await withDirectory(async (directory) => {
    const log = newLog(directory);
    assert.equal(sendChecked(log, undefined), ErrorCode.INVALID_TXN_STATE, 'nobody asked the coordinator');
    assert.equal(sendChecked(log, {}), ErrorCode.INVALID_TXN_STATE);
    const guard = guardFor(log);
    assert.equal(guardFor(log), guard, 'one check at a time');
    assert.equal(sendChecked(log, guard), ErrorCode.NONE);
    assert.equal(guardFor(log), undefined, 'the transaction is under way');
    assert.equal(sendChecked(log, undefined, { sequence: 1 }), ErrorCode.NONE);
    await log.close();
  });
});

test('a marker that arrives while the coordinator is asked makes its answer void', async () => {
  await withDirectory(async (directory) => {
    const log = newLog(directory);
    const guard = guardFor(log);
    assert.ok(mark(log, { type: ControlType.ABORT, producerId: 5 }).ok);
    assert.equal(sendChecked(log, guard), ErrorCode.INVALID_TXN_STATE);
    assert.notEqual(guardFor(log), guard);
    assert.ok(mark(log, { type: ControlType.ABORT, producerId: 5 }).ok);
    const next = guardFor(log, { epoch: 1, supportsEpochBump: true });
    assert.ok(mark(log, { type: ControlType.ABORT, producerId: 5, producerEpoch: 1, transactionVersion: 2 }).ok);
    assert.equal(sendChecked(log, next, { epoch: 1 }), ErrorCode.NONE, 'the marker ended the transaction before');
    const late = log.beginVerification({ producerId: 5, producerEpoch: 0, baseSequence: 0, supportsEpochBump: true });
    assert.ok('errorCode' in late && late.errorCode === ErrorCode.INVALID_PRODUCER_EPOCH);
    await log.close();
  });
});

test('while a producer is checked no batch overtakes the lowest that waits', async () => {
  await withDirectory(async (directory) => {
    const log = newLog(directory);
    guardFor(log, { sequence: 9 });
    const guard = guardFor(log, { sequence: 4 });
    assert.equal(sendChecked(log, guard, { sequence: 9 }), ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER);
    assert.equal(sendChecked(log, guard, { sequence: 4 }), ErrorCode.NONE);
    await log.close();
  });
});

interface ReadBatch {
  readonly id: number;
  readonly first: number;
  readonly last: number;
  readonly transactional: boolean;
  readonly control: boolean;
  readonly abort: boolean;
}

function batchesOf(bytes: Buffer): ReadBatch[] {
  const batches: ReadBatch[] = [];
  for (let at = 0; at + 12 <= bytes.length && at + batch.batchBytes(bytes, at) <= bytes.length; ) {
    const bits = batch.attributes(bytes, at);
    const control = batch.isControl(bits);
    const [record] = control ? [...readRecords(bytes, at)] : [];
    batches.push({
      id: batch.producerId(bytes, at),
      first: batch.baseOffset(bytes, at),
      last: batch.lastOffset(bytes, at),
      transactional: batch.isTransactional(bits),
      control,
      abort: record !== undefined && controlTypeOf(record.key) === ControlType.ABORT,
    });
    at += batch.batchBytes(bytes, at);
  }
  return batches;
}

/** What Kafka's consumers do with the list: they follow the batches, and hide a producer between its first offset and its marker. */
function committedOffsets(bytes: Buffer, aborted: readonly AbortedTransaction[]): number[] {
  const coming = [...aborted].sort((left, right) => left.firstOffset - right.firstOffset);
  const hidden = new Set<number>();
  const offsets: number[] = [];
  for (const each of batchesOf(bytes)) {
    while (coming.length > 0 && coming[0]!.firstOffset <= each.last) hidden.add(coming.shift()!.producerId);
    if (each.abort) hidden.delete(each.id);
    if (each.control || (each.transactional && hidden.has(each.id))) continue;
    for (let offset = each.first; offset <= each.last; offset++) offsets.push(offset);
  }
  return offsets;
}

/** A batch as the model knows it; `fate` is set on every data batch of a transaction by its marker. */
interface ModelBatch {
  readonly first: number;
  readonly last: number;
  readonly id: number;
  readonly epoch: number;
  readonly kind: 'plain' | 'data' | 'commit' | 'abort';
}

const PRODUCERS = 4;

/** The plainest account of a log with transactions that there is. */
class Model {
  batches: ModelBatch[] = [];
  start = 0;
  highWatermark: number | undefined;

  get end(): number {
    return (this.batches.at(-1)?.last ?? -1) + 1;
  }

  epochOf(id: number): number {
    return this.batches.findLast((each) => each.id === id)?.epoch ?? 0;
  }

  isOpen(id: number): boolean {
    return this.batches.findLast((each) => each.id === id && each.kind !== 'plain')?.kind === 'data';
  }

  #markerOf(data: ModelBatch): ModelBatch | undefined {
    return this.batches.find(
      (each) => each.id === data.id && each.first > data.last && (each.kind === 'commit' || each.kind === 'abort'),
    );
  }

  get stable(): number {
    const bound = this.highWatermark ?? this.end;
    const undecided = this.batches.find((each) => {
      if (each.kind !== 'data') return false;
      const marker = this.#markerOf(each);
      return marker === undefined || marker.first >= bound;
    });
    return Math.min(Math.max(undecided?.first ?? bound, this.start), bound);
  }

  /** Below it a transaction would be open again of which the log has forgotten the beginning. */
  get leastTruncation(): number {
    const cut = this.batches.filter((each) => each.kind === 'data' && each.first < this.start);
    return Math.max(this.start, ...cut.map((each) => (this.#markerOf(each)?.last ?? each.last) + 1));
  }

  /** Offsets that a reader of committed records sees from the batch of `from` on. */
  visible(from: number): number[] {
    return this.batches.flatMap((each) => {
      if (each.last < from || each.last >= this.stable || each.kind === 'commit' || each.kind === 'abort') return [];
      if (each.kind === 'data' && this.#markerOf(each)?.kind === 'abort') return [];
      return Array.from({ length: each.last - each.first + 1 }, (_, index) => each.first + index);
    });
  }
}

function appendRandom(random: Random, log: Log, model: Model): void {
  const first = model.end;
  const id = random.below(PRODUCERS);
  const epoch = model.epochOf(id);
  if (model.isOpen(id) && random.below(3) === 0) {
    const type = random.below(2) === 0 ? ControlType.COMMIT : ControlType.ABORT;
    const transactionVersion = 2 * random.below(2);
    const next = epoch + (transactionVersion === 2 ? 1 : 0);
    assert.ok(mark(log, { type, producerId: id, producerEpoch: next, transactionVersion }).ok);
    const kind = type === ControlType.COMMIT ? 'commit' : 'abort';
    model.batches.push({ first, last: first, id, epoch: next, kind });
    return;
  }
  const count = 1 + random.below(3);
  const values = Array.from({ length: count }, () => 'x'.repeat(random.below(60)));
  const plain = !model.isOpen(id) && random.below(3) === 0;
  const anonymous = plain && random.below(2) === 0;
  write(log, values, anonymous ? {} : { producerId: id, producerEpoch: epoch, transactional: !plain });
  const kind = plain ? 'plain' : 'data';
  model.batches.push({ first, last: first + count - 1, id: anonymous ? -1 : id, epoch, kind });
}

/** Truncation, restarts, new segments, deleted records, replication. */
async function disturb(random: Random, log: Log, model: Model): Promise<Log> {
  switch (random.below(7)) {
    case 0: {
      const least = model.leastTruncation;
      const to = least + random.below(Math.max(1, model.end - least));
      model.batches = model.batches.filter((each) => each.last < to);
      log.truncateTo(to);
      model.start = Math.min(model.start, model.end);
      if (model.highWatermark !== undefined) model.highWatermark = Math.min(model.highWatermark, model.end);
      return log;
    }
    case 1:
    case 2: {
      model.highWatermark = undefined;
      return reopen(log, random.below(2) === 0);
    }
    case 3:
      log.roll();
      return log;
    case 4:
      await log.flush();
      return log;
    case 5: {
      if (random.below(3) > 0) return log;
      const to = model.start + random.below(model.stable - model.start + 1);
      // Below the first unstable offset, so that what is left of a transaction can be told from the batches alone.
      assert.equal(log.advanceStartOffset(to), ErrorCode.NONE);
      model.start = Math.max(model.start, to);
      return log;
    }
    default: {
      // A log that was told nothing takes all of itself for replicated, so that it may not be told less.
      const least = Math.max(model.highWatermark ?? model.end, model.start);
      model.highWatermark = least + random.below(model.end - least + 1);
      log.updateHighWatermark(model.highWatermark);
      return log;
    }
  }
}

/** Reads in pieces as a consumer does, and compares. */
function checkCommitted(random: Random, log: Log, model: Model): void {
  assert.equal(log.endOffset, model.end);
  assert.equal(log.lastStableOffset, model.stable);
  const from = model.start + random.below(Math.max(1, model.end - model.start));
  const seen: number[] = [];
  for (let offset = from; offset < log.lastStableOffset; ) {
    const upTo = log.lastStableOffset;
    const maxBytes = 100 + random.below(2000);
    const outcome = log.read(offset, { maxBytes, minOneBatch: true, upTo, collectAborted: true });
    assert.ok(outcome.ok);
    if (outcome.region === undefined) break;
    const bytes = Buffer.alloc(outcome.region.length);
    outcome.region.file.readSync(bytes, outcome.region.position);
    outcome.region.release();
    seen.push(...committedOffsets(bytes, outcome.aborted!));
    offset = batchesOf(bytes).at(-1)!.last + 1;
  }
  assert.deepEqual(seen, model.visible(from), `from ${from}`);
}

test(`readers of committed records see those of committed transactions, whatever happens to the log (SEED=${SEED})`, async () => {
  const random = seededRandom(SEED);
  for (let round = 0; round < 12; round++) {
    await withDirectory(async (directory) => {
      let log = newLog(directory, { segmentBytes: 400 + random.below(3000), indexIntervalBytes: random.below(500) });
      const model = new Model();
      for (let step = 0; step < 250; step++) {
        if (random.below(8) === 0) log = await disturb(random, log, model);
        else appendRandom(random, log, model);
        if (random.below(4) === 0) checkCommitted(random, log, model);
      }
      await compareWithFollower(random, log);
      log = await reopen(log, true);
      model.highWatermark = undefined;
      checkCommitted(random, log, model);
      await log.close();
    });
  }
});

/** A follower takes the batches many at a time, and with other segments: it must come to know the same. */
async function compareWithFollower(random: Random, log: Log): Promise<void> {
  await withDirectory(async (directory) => {
    const follower = newLog(directory, { segmentBytes: 2000 });
    if (log.startOffset === 0) {
      const bytes = readAll(log, 0);
      for (let at = 0; at < bytes.length; ) {
        let end = at;
        for (let count = 1 + random.below(5); count > 0 && end < bytes.length; count--)
          end += batch.batchBytes(bytes, end);
        assert.ok(follower.appendAsFollower(Buffer.from(bytes.subarray(at, end))).ok);
        at = end;
      }
      const open = (each: Log): Map<number, number> =>
        new Map(
          each.producers().flatMap(({ producerId, transactionStartOffset: at }) => (at < 0 ? [] : [[producerId, at]])),
        );
      assert.deepEqual(follower.abortedTransactions(0, log.endOffset), log.abortedTransactions(0, log.endOffset));
      assert.deepEqual(open(follower), open(log));
    }
    await follower.close();
  });
}
