import { destination, pino } from 'pino';

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

/** JSON lines on standard error: standard output belongs to data. */
export function createLogger(level: LogLevel): Logger {
  return wrap(pino({ level, base: undefined }, destination({ fd: 2, sync: true })));
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
