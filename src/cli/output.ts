/**
 * What commands print. Data goes to standard output, as a table or as JSON; everything else (progress, remarks,
 * errors) goes to standard error, so that a pipe carries data alone.
 */
import { messageOf, SluiceError } from '../base/errors.ts';
import { colours } from './colours.ts';
import { ExitCode, exitCodeOf } from './exit-codes.ts';

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

/** One object of a stream: a line of its own. */
export function printJsonLine(value: unknown): void {
  write(process.stdout, `${JSON.stringify(value)}\n`);
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

let whenClosed: (() => void) | undefined;

/** What to do when the reader of standard output has seen enough (`| head`); undefined ends the process at once. */
export function onOutputClosed(end: (() => void) | undefined): void {
  whenClosed = end;
}

/** Takes care of failures of standard output; called once. */
export function watchOutput(): void {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    // A reader that has seen enough is no failure; a full disk behind a redirection is.
    if (error.code === 'EPIPE' && whenClosed !== undefined) {
      const end = whenClosed;
      whenClosed = undefined;
      // Nothing can be written any more, also not what this still brings.
      process.stdout.write = () => true;
      end();
      return;
    }
    if (error.code !== 'EPIPE') fail(new SluiceError('OUTPUT_FAILED', `cannot write the output: ${error.message}`));
    process.exit();
  });
}

let errorsAsJson = false;

/** From now on: for whoever asked for JSON. */
export function tellErrorsAsJson(): void {
  errorsAsJson = true;
}

/** Prints what went wrong and what to do about it, and makes the process end with a failure. */
export function fail(thrown: unknown): void {
  // What was thrown first says more than what closing then met with.
  const error = thrown instanceof Error && 'suppressed' in thrown ? thrown.suppressed : thrown;
  const remedy = error instanceof SluiceError ? error.remedy : undefined;
  if (errorsAsJson) {
    const [code, retriable] = error instanceof SluiceError ? [error.code, error.retriable] : ['UNEXPECTED', false];
    remark(JSON.stringify({ error: { code, message: messageOf(error), retriable, remedy: remedy ?? null } }));
  } else {
    remark(`${colours.red('error:')} ${messageOf(error)}`);
    if (remedy !== undefined) remark(`${colours.dim('try:')} ${remedy}`);
  }
  // The first failure decides, unless several say different things.
  const code = exitCodeOf(error);
  process.exitCode = process.exitCode === undefined || process.exitCode === code ? code : ExitCode.FAILED;
}

function write(stream: NodeJS.WriteStream, text: string): void {
  stream.write(text);
}
