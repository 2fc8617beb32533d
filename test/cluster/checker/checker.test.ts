import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ANOMALIES, type AnomalyKind, describeAnomalies } from './anomalies.ts';
import { checkHistory } from './checker.ts';
import { type HistoryLine, type Poll, parseHistoryLine, type Send, type StoredBatch } from './history.ts';

/** Each line is one microsecond after the one before. */
class Story {
  readonly lines: HistoryLine[] = [];

  invoke(process: string, values: readonly number[], options: { partition?: number; transaction?: string } = {}): this {
    const { partition = 0, ...rest } = options;
    const sends = values.map((value): Send => [partition, null, value]);
    return this.#add({ type: 'invoke', at: this.#now(), process, sends, ...rest });
  }

  ok(process: string, sends: readonly Send[]): this {
    return this.#add({ type: 'ok', at: this.#now(), process, sends });
  }

  end(type: 'invoke' | 'ok' | 'fail', transaction: string, end: 'commit' | 'abort'): this {
    return this.#add({ type, at: this.#now(), process: 'p', transaction, end });
  }

  fail(process: string, value: number): this {
    return this.#add({ type: 'fail', at: this.#now(), process, sends: [[0, null, value]] });
  }

  poll(process: string, polls: readonly Poll[]): this {
    return this.#add({ type: 'ok', at: this.#now(), process, polls });
  }

  assign(process: string, generation?: number): this {
    const group = generation === undefined ? {} : { group: 'g', generation };
    return this.#add({ type: 'assign', at: this.#now(), process, partitions: [0], ...group });
  }

  fresh(process: string, processes?: readonly string[]): this {
    const together = processes === undefined ? {} : { processes };
    return this.#add({ type: 'fresh', at: this.#now(), process, partitions: [0], ...together });
  }

  leader(epoch: number, leader: number): this {
    return this.#add({ type: 'leader', at: this.#now(), partition: 0, epoch, leader });
  }

  replica(broker: number, batches: readonly StoredBatch[], highWatermark = 10): this {
    const line = {
      type: 'replica',
      at: this.#now(),
      partition: 0,
      broker,
      startOffset: 0,
      highWatermark,
      batches,
    } as const;
    return this.#add(line);
  }

  #now(): number {
    return this.lines.length;
  }

  #add(line: HistoryLine): this {
    this.lines.push(line);
    return this;
  }
}

/** Three acknowledged values at offsets 0 to 2 of partition 0. */
const written = (): Story =>
  new Story().invoke('p', [10, 11, 12]).ok('p', [
    [0, 0, 10],
    [0, 1, 11],
    [0, 2, 12],
  ]);
const all: readonly Poll[] = [
  [0, 0, 10],
  [0, 1, 11],
  [0, 2, 12],
];

interface Case {
  readonly title: string;
  readonly story: Story;
  readonly expected: readonly AnomalyKind[];
}

const CASES: readonly Case[] = [
  { title: 'all read in order', story: written().assign('c').poll('c', all).fresh('c'), expected: [] },
  {
    title: 'two reads of one offset differ',
    story: written()
      .invoke('p', [13])
      .poll('c', all)
      .assign('d')
      .poll('d', [[0, 2, 13]]),
    expected: ['two values'],
  },
  {
    title: 'an acknowledgement and a read of one offset differ',
    story: written()
      .invoke('p', [13])
      .poll('c', [all[0]!, all[1]!, [0, 2, 13]]),
    expected: ['two values', 'lost'],
  },
  { title: 'a value is read twice', story: written().poll('c', [...all, [0, 3, 11]]), expected: ['two offsets'] },
  {
    title: 'an acknowledged value moves',
    story: written()
      .poll('c', [all[0]!, all[2]!])
      .assign('d')
      .poll('d', [[0, 3, 11]]),
    expected: ['two offsets', 'skipped poll'],
  },
  {
    title: 'a value is read from another partition',
    story: written().poll('c', [...all, [1, 0, 11]]),
    expected: ['two partitions'],
  },
  {
    title: 'an acknowledgement names another partition',
    story: new Story().invoke('p', [10]).ok('p', [[1, 0, 10]]),
    expected: ['two partitions'],
  },
  {
    title: 'an acknowledged value below the highest read offset is never read',
    story: written().poll('c', [all[0]!]).assign('d').poll('d', [all[2]!]),
    expected: ['lost'],
  },
  {
    title: 'an acknowledged value above what was read may still come',
    story: written().poll('c', [all[0]!]),
    expected: [],
  },
  {
    title: 'a fresh reader does not find the end',
    story: written().poll('c', all).poll('f', all.slice(0, 2)).fresh('f'),
    expected: ['unseen'],
  },
  {
    title: 'what one member of a group does not read, another does',
    story: written().poll('c', [all[0]!]).poll('d', all.slice(1)).fresh('g', ['c', 'd']),
    expected: [],
  },
  {
    title: 'no member of a group reads a value that a fresh reader finds',
    story: written()
      .poll('f', all)
      .fresh('f')
      .poll('c', [all[0]!])
      .assign('d')
      .poll('d', [all[2]!])
      .fresh('g', ['c', 'd']),
    expected: ['unseen'],
  },
  {
    title: 'a fresh reader finds nothing',
    story: new Story()
      .invoke('p', [10])
      .ok('p', [[0, null, 10]])
      .fresh('f'),
    expected: ['unseen'],
  },
  {
    title: 'a failed write is read',
    story: written()
      .invoke('p', [13])
      .fail('p', 13)
      .poll('c', [...all, [0, 3, 13]]),
    expected: ['failed read'],
  },
  {
    title: 'an aborted write is read',
    story: new Story()
      .invoke('p', [10], { transaction: 't' })
      .end('invoke', 't', 'abort')
      .poll('c', [[0, 0, 10]]),
    expected: ['failed read'],
  },
  {
    title: 'a refused commit is read',
    story: new Story()
      .invoke('p', [10], { transaction: 't' })
      .end('invoke', 't', 'commit')
      .end('fail', 't', 'commit')
      .poll('c', [[0, 0, 10]]),
    expected: ['failed read'],
  },
  {
    title: 'a process reads its own transaction before it commits',
    story: new Story()
      .invoke('p', [10], { transaction: 't' })
      .poll('p', [[0, 0, 10]])
      .end('invoke', 't', 'commit')
      .end('ok', 't', 'commit'),
    expected: ['uncommitted read'],
  },
  {
    title: 'a transaction is read while its commit is under way',
    story: new Story()
      .invoke('p', [10], { transaction: 't' })
      .end('invoke', 't', 'commit')
      .poll('p', [[0, 0, 10]])
      .end('ok', 't', 'commit'),
    expected: [],
  },
  {
    title: 'a committed value is lost',
    story: written()
      .invoke('p', [13], { transaction: 't' })
      .ok('p', [[0, 3, 13]])
      .end('invoke', 't', 'commit')
      .end('ok', 't', 'commit')
      .poll('f', all)
      .fresh('f'),
    expected: ['unseen'],
  },
  {
    title: 'a value of an aborted transaction is absent',
    story: written()
      .invoke('p', [13], { transaction: 't' })
      .ok('p', [[0, 3, 13]])
      .end('invoke', 't', 'abort')
      .end('ok', 't', 'abort')
      .poll('f', all)
      .fresh('f'),
    expected: [],
  },
  {
    title: 'a reader passes a value over',
    story: written().poll('d', all).poll('c', [all[0]!, all[2]!]),
    expected: ['skipped poll'],
  },
  { title: 'a reader goes back', story: written().poll('c', all).poll('c', [all[1]!]), expected: ['backward poll'] },
  { title: 'a reader stands still', story: written().poll('c', all).poll('c', [all[2]!]), expected: ['backward poll'] },
  {
    title: 'a reader goes back in a new assignment',
    story: written().poll('c', all).assign('c').poll('c', [all[1]!]),
    expected: [],
  },
  {
    title: 'a reader passes over offsets where nobody ever found anything',
    story: new Story().invoke('p', [10, 11]).poll('c', [
      [0, 0, 10],
      [0, 5, 11],
    ]),
    expected: [],
  },
  {
    title: 'a send gets an offset below one that was acknowledged before',
    story: written()
      .invoke('q', [20])
      .ok('q', [[0, 1, 20]]),
    expected: ['stale offset', 'two values'],
  },
  {
    title: 'a send that was under way may get a lower offset',
    story: new Story()
      .invoke('p', [10])
      .invoke('q', [20])
      .ok('p', [[0, 1, 10]])
      .ok('q', [[0, 0, 20]]),
    expected: [],
  },
  {
    title: 'one producer’s sends change places',
    story: new Story().invoke('p', [10, 11]).ok('p', [
      [0, 1, 10],
      [0, 0, 11],
    ]),
    expected: ['reordered'],
  },
  { title: 'a value comes from nowhere', story: written().poll('c', [...all, [0, 3, 99]]), expected: ['unwritten'] },
  {
    title: 'an acknowledgement comes from nowhere',
    story: written().ok('p', [[0, 3, 99]]),
    expected: ['unwritten acknowledged'],
  },
  {
    title: 'two lead in one epoch',
    story: new Story().leader(1, 1).leader(2, 2).leader(1, 3),
    expected: ['two leaders'],
  },
  { title: 'leaders follow each other', story: new Story().leader(1, 1).leader(2, 2).leader(2, 2), expected: [] },
  {
    title: 'two own a partition in one generation',
    story: new Story().assign('c', 1).assign('d', 1),
    expected: ['two owners'],
  },
  { title: 'owners follow each other', story: new Story().assign('c', 1).assign('d', 2), expected: [] },
  { title: 'one owner is told twice', story: new Story().assign('c', 1).assign('c', 1), expected: [] },
  {
    title: 'a replica has other bytes',
    story: new Story().replica(1, [[0, 9, 'a']]).replica(2, [[0, 9, 'b']]),
    expected: ['replicas differ'],
  },
  {
    title: 'a replica lacks a committed batch',
    story: new Story()
      .replica(1, [
        [0, 4, 'a'],
        [5, 9, 'b'],
      ])
      .replica(2, [[0, 4, 'a']]),
    expected: ['replicas differ'],
  },
  {
    title: 'replicas differ above the high watermark',
    story: new Story()
      .replica(1, [
        [0, 9, 'a'],
        [10, 11, 'b'],
      ])
      .replica(2, [[0, 9, 'a']]),
    expected: [],
  },
];

for (const { title, story, expected } of CASES) {
  test(`${title}: ${expected.length === 0 ? 'nothing is reported' : expected.join(', ')}`, () => {
    const report = checkHistory(story.lines);
    assert.deepEqual([...report.counts.keys()].sort(), [...expected].sort(), describeAnomalies(report));
  });
}

test('every kind of anomaly is planted above', () => {
  const planted = new Set(CASES.flatMap(({ expected }) => expected));
  assert.deepEqual([...planted].sort(), Object.keys(ANOMALIES).sort());
});

test('a report says what became of the sends', () => {
  const story = written()
    .invoke('p', [13, 14, 15, 16])
    .fail('p', 13)
    .poll('c', [...all, [0, 3, 14]]);
  const { sent, acknowledged, failed, unknown, read, recovered } = checkHistory(story.lines);
  assert.deepEqual(
    { sent, acknowledged, failed, unknown, read, recovered },
    { sent: 7, acknowledged: 3, failed: 1, unknown: 3, read: 4, recovered: 1 },
  );
});

test('a line that is none of a history is refused', () => {
  assert.throws(() => parseHistoryLine('{"type":"other","at":1}'), /no line of a history/);
  assert.throws(() => parseHistoryLine('{"type":"ok"}'), /no line of a history/);
  assert.throws(() => parseHistoryLine('7'), /no line of a history/);
});

test('a value that is sent twice ends the check: nothing could be told from it', () => {
  assert.throws(() => checkHistory(new Story().invoke('p', [1]).invoke('q', [1]).lines), /sent twice/);
});
