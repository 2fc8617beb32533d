import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Admin } from '../client/admin/admin.ts';
import type { OffsetQuestion } from '../client/list-offsets.ts';
import { type OffsetRange, offsetRange, resolveRange } from './offset-range.ts';

const NOW_MS = Date.UTC(2026, 4, 1, 12);
const HOUR_MS = 3_600_000;

describe('an offset expression', () => {
  it('names a place', () => {
    for (const [text, from] of [
      ['start', { at: 'start' }],
      ['earliest', { at: 'start' }],
      ['end', { at: 'end' }],
      ['42', { at: 'offset', offset: 42 }],
      ['+10', { at: 'after-start', count: 10 }],
      ['-10', { at: 'before-end', count: 10 }],
      ['@-1h', { at: 'time', time: NOW_MS - HOUR_MS }],
      ['@2026-05-01T10:30:00', { at: 'time', time: Date.UTC(2026, 4, 1, 10, 30) }],
      ['@1777636800000', { at: 'time', time: NOW_MS }],
    ] as const) {
      assert.deepEqual(offsetRange(text, NOW_MS), { from, until: undefined }, text);
    }
  });

  it('names a range, whose ends may be left out and may be times with colons', () => {
    const ten = Date.UTC(2026, 4, 1, 10);
    for (const [text, range] of [
      ['5:10', { from: { at: 'offset', offset: 5 }, until: { at: 'offset', offset: 10 } }],
      [':10', { from: { at: 'start' }, until: { at: 'offset', offset: 10 } }],
      ['5:', { from: { at: 'offset', offset: 5 }, until: { at: 'end' } }],
      [':', { from: { at: 'start' }, until: { at: 'end' } }],
      ['-10:-5', { from: { at: 'before-end', count: 10 }, until: { at: 'before-end', count: 5 } }],
      ['@-2h:-1h', { from: { at: 'time', time: NOW_MS - 2 * HOUR_MS }, until: { at: 'time', time: NOW_MS - HOUR_MS } }],
      [
        '@2026-05-01T10:00:00Z:@2026-05-01T11:00:00Z',
        { from: { at: 'time', time: ten }, until: { at: 'time', time: ten + HOUR_MS } },
      ],
      ['start:@2026-05-01T10:00', { from: { at: 'start' }, until: { at: 'time', time: ten } }],
    ] as const satisfies readonly (readonly [string, OffsetRange])[]) {
      assert.deepEqual(offsetRange(text, NOW_MS), range, text);
    }
  });

  it('that makes no sense is refused', () => {
    for (const text of ['', 'begin', '1.5', '--1', '@', '@soon', '1:2:3', 'a:b', '@-1h:+1h', '9'.repeat(17)]) {
      assert.throws(() => offsetRange(text, NOW_MS), /--offset/, text);
    }
  });
});

/** Two partitions: offsets 0 to 100, and 50 to 60; a record a minute, the last one now. */
const LOGS = [
  { start: 0, end: 100 },
  { start: 50, end: 60 },
];
const admin = {
  listOffsets: async (questions: readonly OffsetQuestion[]) =>
    questions.map(({ topic, partition, at }) => {
      const { start, end } = LOGS[partition]!;
      const found = typeof at === 'number' ? Math.max(start, end - 1 - Math.floor((NOW_MS - at) / 60_000)) : -1;
      const offset = at === 'earliest' ? start : at === 'latest' ? end : found >= end ? -1 : found;
      return { topic, partition, offset, timestamp: -1, leaderEpoch: 0 };
    }),
} as Pick<Admin, 'listOffsets'> as Admin;

async function resolved(text: string, stopAtEnd = false): Promise<(readonly [number, number])[]> {
  const places = LOGS.map((_, partition) => ({ topic: 't', partition }));
  const options = { isolation: 'read_uncommitted', stopAtEnd } as const;
  const ranges = await resolveRange(admin, places, offsetRange(text, NOW_MS), options);
  return ranges.map(({ from, until }) => [from, until] as const);
}

describe('a range of offsets', () => {
  it('is found in each partition by itself', async () => {
    for (const [text, ranges] of [
      [
        'start',
        [
          [0, Infinity],
          [50, Infinity],
        ],
      ],
      [
        'end',
        [
          [100, Infinity],
          [60, Infinity],
        ],
      ],
      [
        '-20',
        [
          [80, Infinity],
          [50, Infinity],
        ],
      ],
      [
        '+5:',
        [
          [5, 100],
          [55, 60],
        ],
      ],
      [
        '@-5m',
        [
          [94, Infinity],
          [54, Infinity],
        ],
      ],
      [
        '@-30m:-5m',
        [
          [69, 94],
          [50, 54],
        ],
      ],
      [
        '@+1h',
        [
          [100, Infinity],
          [60, Infinity],
        ],
      ],
    ] as const) {
      assert.deepEqual(await resolved(text), ranges, text);
    }
  });

  it('ends at the present end where that is wished for', async () => {
    assert.deepEqual(await resolved('start', true), [
      [0, 100],
      [50, 60],
    ]);
    assert.deepEqual(await resolved('10:20', true), [
      [10, 20],
      [10, 20],
    ]);
    assert.deepEqual(await resolved('10:1000', true), [
      [10, 100],
      [10, 60],
    ]);
  });
});
