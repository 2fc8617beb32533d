/**
 * What commands print. Data goes to standard output, as a table or as JSON; everything else (progress, remarks,
 * errors) goes to standard error, so that a pipe carries data alone.
 */
import { messageOf, SluiceError } from '../base/errors.ts';
import { colours } from './colours.ts';

/** One row of a table by column name. */
export type Row = Readonly<Record<string, string | number | boolean | null>>;

export interface TableOptions {
  readonly json: boolean;
  /** Column names in order; the keys of the rows. */
  readonly columns: readonly string[];
}

/** Prints rows as an aligned table, or as a JSON array of objects with the columns as keys. */
export function printRows(rows: readonly Row[], options: TableOptions): void {
  if (options.json) printJson(rows);
  else write(process.stdout, formatTable(rows, options.columns));
}

export function printJson(value: unknown): void {
  write(process.stdout, `${JSON.stringify(value, undefined, 2)}\n`);
}

/** A line of data. */
export function printLine(text: string): void {
  write(process.stdout, `${text}\n`);
}

/** Data as bytes; resolves when there is room for more. */
export function printBytes(bytes: Uint8Array): Promise<void> {
  return new Promise((resolve) => {
    if (process.stdout.write(bytes)) resolve();
    else process.stdout.once('drain', resolve);
  });
}

/** A line for the person at the terminal. */
export function remark(text: string): void {
  write(process.stderr, `${text}\n`);
}

/** Columns padded to their widest cell, numbers to the right, headings in capitals. */
export function formatTable(rows: readonly Row[], columns: readonly string[]): string {
  const cells = rows.map((row) => columns.map((column) => String(row[column] ?? '-')));
  const headings = columns.map(headingOf);
  const widths = headings.map((heading, at) => Math.max(heading.length, ...cells.map((line) => line[at]!.length)));
  const numeric = columns.map((column) => rows.length > 0 && rows.every((row) => typeof row[column] === 'number'));
  const line = (texts: readonly string[]): string =>
    texts
      .map((text, at) => (numeric[at] ? text.padStart(widths[at]!) : text.padEnd(widths[at]!)))
      .join('  ')
      .trimEnd();
  return `${[line(headings), ...cells.map(line)].join('\n')}\n`;
}

/** partitionCount → PARTITION-COUNT */
function headingOf(column: string): string {
  return column.replace(/([a-z0-9])([A-Z])/g, '$1-$2').toUpperCase();
}

/** Prints what went wrong and what to do about it, and makes the process end with a failure. */
export function fail(error: unknown): void {
  remark(`${colours.red('error:')} ${messageOf(error)}`);
  if (error instanceof SluiceError && error.remedy !== undefined) remark(`${colours.dim('try:')} ${error.remedy}`);
  process.exitCode = 1;
}

function write(stream: NodeJS.WriteStream, text: string): void {
  stream.write(text);
}
