/** A line on the terminal that is written over while something lasts. Silent where standard error is no terminal. */
import type { Clock } from '../base/clock.ts';
import { colours } from './colours.ts';

export interface Progress {
  /** Shows how far it is; `text` comes behind the bar. Cheap enough to be called for every chunk of work. */
  update(done: number, text: string): void;
  /** Removes the line. */
  end(): void;
}

const BAR_WIDTH = 24;
const DEFAULT_COLUMNS = 80;
const REDRAW_MS = 100;
const CLEAR_LINE = '\r\u001b[2K';

/** `total` in the unit of `update`'s `done`; undefined where nobody knows it. */
export function startProgress(total: number | undefined, clock: Clock): Progress {
  const { stderr } = process;
  if (!stderr.isTTY) return { update: () => undefined, end: () => undefined };
  let drawnMs = Number.NEGATIVE_INFINITY;
  return {
    update: (done, text) => {
      const nowMs = clock.monotonicMs();
      if (nowMs - drawnMs < REDRAW_MS) return;
      drawnMs = nowMs;
      stderr.write(CLEAR_LINE + progressLine(done, total, { text, columns: stderr.columns || DEFAULT_COLUMNS }));
    },
    end: () => {
      stderr.write(CLEAR_LINE);
    },
  };
}

/** Fits into one line: one that the terminal breaks could not be written over. The bar gives way first. */
export function progressLine(
  done: number,
  total: number | undefined,
  { text, columns }: { readonly text: string; readonly columns: number },
): string {
  // A character in the last column would move on some terminals.
  const room = columns - 1;
  if (total === undefined || total === 0) return text.slice(0, room);
  const share = Math.min(1, done / total);
  const percent = `${String(Math.floor(share * 100)).padStart(3)} %  `;
  const width = Math.max(0, Math.min(BAR_WIDTH, room - percent.length - text.length - 1));
  const filled = Math.round(share * width);
  const bar = colours.green('━'.repeat(filled)) + colours.dim('━'.repeat(width - filled));
  return `${width === 0 ? '' : `${bar} `}${(percent + text).slice(0, room)}`;
}

/** 1234567 → "1,234,567" */
export function formatCount(count: number): string {
  return Math.round(count).toLocaleString('en-US');
}

/** "1 record", "1,234 records" */
export function formatCounted(count: number, what: string): string {
  return `${formatCount(count)} ${what}${count === 1 ? '' : 's'}`;
}

/** 1536 → "1.5 KiB" */
export function formatBytes(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit++;
  }
  return unit === 0 ? `${value} B` : `${value.toFixed(1)} ${units[unit]}`;
}
