import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seededRandom } from '../../../src/base/random.ts';
import { type AnomalyKind, describeAnomalies } from './anomalies.ts';
import { checkHistory, HistoryChecker } from './checker.ts';
import type { HistoryLine, OperationLine, Poll, ReplicaLine } from './history.ts';
import { randomHistory } from './random-history.test-kit.ts';

const SEED = Number(process.env['SLUICE_TEST_SEED'] ?? Math.floor(Math.random() * 2 ** 31));
const HISTORIES = 300;
const STEPS = 400;

function seeds(): number[] {
  return Array.from({ length: HISTORIES }, (_, index) => (SEED + index) >>> 0);
}

test('random valid histories give no report', (context) => {
  context.diagnostic(`SLUICE_TEST_SEED=${SEED}`);
  let read = 0;
  for (const seed of seeds()) {
    const report = checkHistory(randomHistory({ seed, steps: STEPS }));
    assert.equal(describeAnomalies(report), '', `seed ${seed}`);
    read += report.read;
  }
  assert.ok(read > HISTORIES * STEPS * 0.5, `only ${read} records were read`);
});

/** Changes one thing in a valid history; undefined where it has no place for that. */
type Plant = (lines: HistoryLine[], below: (limit: number) => number) => HistoryLine[] | undefined;

function pick<T>(candidates: readonly T[], below: (limit: number) => number): T | undefined {
  return candidates[below(candidates.length)];
}

const withPolls = (line: HistoryLine): line is OperationLine & { polls: readonly Poll[] } =>
  'polls' in line && line.polls !== undefined;

/** Replaces a poll, of a value that others saw as well, by what `change` makes of it. */
function changePoll(change: (poll: Poll) => Poll[]): Plant {
  return (lines, below) => {
    const readers = new Map<number, number>();
    for (const line of lines.filter(withPolls)) {
      for (const [, , value] of line.polls) readers.set(value, (readers.get(value) ?? 0) + 1);
    }
    const places = lines
      .filter(withPolls)
      .flatMap((line) => line.polls.filter(([, , value]) => readers.get(value)! > 1).map((poll) => ({ line, poll })));
    const place = pick(places, below);
    if (place === undefined) return undefined;
    const polls = place.line.polls.flatMap((poll) => (poll === place.poll ? change(poll) : [poll]));
    return lines.map((each) => (each === place.line ? { ...place.line, polls } : each));
  };
}

/** Takes an acknowledged value out of all that readers saw. */
const loseOne: Plant = (lines, below) => {
  const read = new Set(lines.filter(withPolls).flatMap(({ polls }) => polls.map(([, , value]) => value)));
  const inTransactions = new Set(
    lines.flatMap((line) =>
      line.type === 'invoke' && line.transaction !== undefined ? (line.sends ?? []).map(([, , value]) => value) : [],
    ),
  );
  const acknowledged = lines.flatMap((line) =>
    line.type === 'ok' ? (line.sends ?? []).map(([, , value]) => value) : [],
  );
  const value = pick(
    acknowledged.filter((each) => read.has(each) && !inTransactions.has(each)),
    below,
  );
  if (value === undefined) return undefined;
  return lines.map((line) => {
    return withPolls(line) ? { ...line, polls: line.polls.filter((poll) => poll[2] !== value) } : line;
  });
};

/** A write that was read turns out to have failed. */
const failOne: Plant = (lines, below) => {
  const read = new Set(lines.filter(withPolls).flatMap(({ polls }) => polls.map(([, , value]) => value)));
  const completed = lines.filter(
    (line) => line.type === 'ok' && line.sends !== undefined && line.sends.some(([, , value]) => read.has(value)),
  ) as OperationLine[];
  const line = pick(completed, below);
  return line && lines.map((each) => (each === line ? { ...line, type: 'fail' } : each));
};

const dropBatch: Plant = (lines, below) => {
  const line = pick(
    lines.filter(
      (each): each is ReplicaLine => each.type === 'replica' && each.broker === 2 && each.batches.length > 0,
    ),
    below,
  );
  if (line === undefined) return undefined;
  const place = below(line.batches.length);
  return lines.map((each) =>
    each === line ? { ...line, batches: line.batches.filter((_, index) => index !== place) } : each,
  );
};

const PLANTS: readonly (readonly [AnomalyKind, Plant])[] = [
  ['unwritten', changePoll(([partition, offset]) => [[partition, offset, 1e9]])],
  ['two values', changePoll(([partition, offset]) => [[partition, offset, 1e9]])],
  ['two offsets', changePoll(([partition, offset, value]) => [[partition, offset + 1e6, value]])],
  ['two partitions', changePoll(([partition, offset, value]) => [[(partition as number) + 1, offset, value]])],
  ['backward poll', changePoll((poll) => [poll, poll])],
  ['unseen', loseOne],
  ['failed read', failOne],
  ['replicas differ', dropBatch],
];

for (const [kind, plant] of PLANTS) {
  test(`a planted anomaly is found in random histories: ${kind}`, (context) => {
    context.diagnostic(`SLUICE_TEST_SEED=${SEED}`);
    let planted = 0;
    for (const seed of seeds()) {
      const { below } = seededRandom(seed ^ 0x5bd1e995);
      const changed = plant(randomHistory({ seed, steps: 150 }), below);
      if (changed === undefined) continue;
      planted++;
      const report = checkHistory(changed);
      assert.ok(report.counts.has(kind), `seed ${seed}: ${describeAnomalies(report) || 'no report'}`);
    }
    assert.ok(planted > HISTORIES / 2, `planted only ${planted} times`);
  });
}

test('a million sends, read three times, are judged within seconds', (context) => {
  const partitions = 12;
  const batch = 100;
  const checker = new HistoryChecker();
  const ends = new Array<number>(partitions).fill(0);
  const startedAt = performance.now();
  for (let first = 0, at = 0; first < 1_000_000; first += batch, at += 10) {
    const partition = (first / batch) % partitions;
    const values = Array.from({ length: batch }, (_, index) => 7e9 + first + index);
    const from = ends[partition]!;
    ends[partition] = from + batch;
    const records = values.map((value, index) => [partition, from + index, value] as const);
    checker.take({ type: 'invoke', at, process: 'p', sends: values.map((value) => [partition, null, value]) });
    checker.take({ type: 'ok', at: at + 5, process: 'p', sends: records });
    for (const process of ['c', 'd', 'fresh']) checker.take({ type: 'ok', at: at + 7, process, polls: records });
  }
  checker.take({ type: 'fresh', at: 1e9, process: 'fresh', partitions: ends.map((_, partition) => partition) });
  const report = checker.report();
  const seconds = (performance.now() - startedAt) / 1000;
  context.diagnostic(`${seconds.toFixed(1)} s, ${Math.round(process.memoryUsage().rss / 2 ** 20)} MiB`);
  assert.equal(describeAnomalies(report), '');
  assert.equal(report.acknowledged, 1_000_000);
  assert.ok(seconds < 30, `${seconds} s`);
});
