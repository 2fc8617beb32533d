import { destination, pino, stdTimeFunctions } from 'pino';

/** Values that a log line carries besides its sentence. */
export type LogFields = Readonly<Record<string, unknown>>;

/** One line a call. Never called on the hot path except for a failure. */
export interface Logger {
  debug(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  error(message: string, fields?: LogFields): void;
  /** A logger whose lines carry `fields` as well. */
  with(fields: LogFields): Logger;
}

export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'silent';

/**
 * Lines on standard error, since standard output belongs to data: JSON with the level's name and the time in ISO 8601
 * for machines, plain text where a person looks at a terminal.
 */
export function createLogger(level: LogLevel): Logger {
  const options = {
    level,
    base: undefined,
    formatters: { level: (label: string) => ({ level: label }) },
    timestamp: stdTimeFunctions.isoTime,
  };
  const standardError = destination({ fd: 2, sync: true });
  if (process.stderr.isTTY !== true) return wrap(pino(options, standardError));
  return wrap(pino(options, { write: (line) => standardError.write(plainLine(line)) }));
}

/** `08:41:03.120 WARN  closed a connection  peer=127.0.0.1:1234` */
function plainLine(json: string): string {
  const { level, time, msg, ...fields } = JSON.parse(json) as Record<string, unknown>;
  const details = Object.entries(fields).map(([name, value]) => {
    return `${name}=${typeof value === 'string' ? value : JSON.stringify(value)}`;
  });
  const clock = String(time).slice(11, 23);
  return `${[clock, String(level).toUpperCase().padEnd(5), msg, ' ', ...details].join(' ').trimEnd()}\n`;
}

function wrap(target: import('pino').Logger): Logger {
  return {
    debug: (message, fields) => target.debug(fields ?? {}, message),
    info: (message, fields) => target.info(fields ?? {}, message),
    warn: (message, fields) => target.warn(fields ?? {}, message),
    error: (message, fields) => target.error(fields ?? {}, message),
    with: (fields) => wrap(target.child({ ...fields })),
  };
}

const ignore = (): void => undefined;

/** Drops everything: for embedded brokers and tests that do not look at the log. */
export const silentLogger: Logger = {
  debug: ignore,
  info: ignore,
  warn: ignore,
  error: ignore,
  with: () => silentLogger,
};
