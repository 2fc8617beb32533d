/**
 * Where results go: standard output, and with `--out DIRECTORY` files NAME.md, NAME.json and plots there. All programs
 * of the suite take `--smoke` (tiny sizes, no figure means anything) and `--out`.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { cpus, loadavg, release, totalmem } from 'node:os';
import { join } from 'node:path';

export interface Results {
  readonly name: string;
  readonly title: string;
  /** Tables and what to know about them. */
  readonly markdown: string;
  readonly json: unknown;
  /** SVG by file name. */
  readonly plots?: Readonly<Record<string, string>>;
}

/** What the figures belong to. */
export function machine(): string {
  const memory = Math.round(totalmem() / 2 ** 30);
  return `${cpus().length} cores (${cpus()[0]?.model ?? 'unknown'}), ${memory} GiB, Linux ${release()}, Node ${process.version}`;
}

/** Prints, and saves where a directory is named. */
export function deliver(results: Results, directory: string | undefined): void {
  const { name, title, markdown, json, plots = {} } = results;
  const about = `${machine()}; load ${loadavg()[0]!.toFixed(1)} at the end`;
  const text = `## ${title}\n\n${about}\n\n${markdown}\n`;
  console.log(text);
  if (directory === undefined) return;
  mkdirSync(directory, { recursive: true });
  const images = Object.keys(plots).map((file) => `![${file.replace(/\.svg$/, '')}](${file})\n`);
  writeFileSync(join(directory, `${name}.md`), [text, ...images].join('\n'));
  writeFileSync(
    join(directory, `${name}.json`),
    `${JSON.stringify({ title, machine: about, results: json }, null, 1)}\n`,
  );
  for (const [file, svg] of Object.entries(plots)) writeFileSync(join(directory, file), svg);
}

/** The middle one, or the mean of the two in the middle; NaN of none. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((one, other) => one - other);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** A Markdown table: the first column to the left, all others to the right. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  const rule = `|---|${'---:|'.repeat(head.length - 1)}`;
  return [line(head), rule, ...rows.map(line)].join('\n');
}

/** Three digits that count. */
export function shown(value: number): string {
  if (!Number.isFinite(value)) return '';
  if (Math.abs(value) >= 1000) return Math.round(value).toLocaleString('en');
  return Math.abs(value) >= 100 ? value.toFixed(0) : value.toPrecision(3);
}
