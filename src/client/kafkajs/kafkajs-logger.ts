/** kafkajs's logger: levels, namespaces, and a creator of the user's own. Writes JSON lines where there is none. */
import type { Clock } from '../../base/clock.ts';

export const logLevel = { NOTHING: 0, ERROR: 1, WARN: 2, INFO: 4, DEBUG: 5 } as const;
export type logLevel = (typeof logLevel)[keyof typeof logLevel];

export interface LoggerEntryContent {
  readonly timestamp: string;
  readonly message: string;
  readonly [key: string]: unknown;
}

export interface LogEntry {
  readonly namespace: string;
  readonly level: logLevel;
  readonly label: string;
  readonly log: LoggerEntryContent;
}

export type logCreator = (level: logLevel) => (entry: LogEntry) => void;

type Write = (message: string, extra?: object) => void;

export interface Logger {
  readonly info: Write;
  readonly error: Write;
  readonly warn: Write;
  readonly debug: Write;
  readonly namespace: (namespace: string, level?: logLevel) => Logger;
  readonly setLogLevel: (level: logLevel) => void;
}

export interface LoggerOptions {
  readonly level: logLevel;
  readonly create?: logCreator;
  readonly clock: Clock;
}

const consoleCreator: logCreator = () => (entry) => {
  const { namespace, label, log } = entry;
  const text = JSON.stringify({ level: label, ...log, logger: 'kafkajs', namespace });
  if (entry.level === logLevel.ERROR) console.error(text);
  else if (entry.level === logLevel.WARN) console.warn(text);
  else console.log(text);
};

export function createLogger({ level, create = consoleCreator, clock }: LoggerOptions): Logger {
  const write = create(level);
  const named = (namespace: string, initial: { current: logLevel }): Logger => {
    const own = initial;
    const at =
      (entryLevel: logLevel, label: string): Write =>
      (message, extra = {}) => {
        if (entryLevel > own.current) return;
        const timestamp = new Date(clock.wallMs()).toISOString();
        write({ namespace, level: entryLevel, label, log: { timestamp, message, ...extra } });
      };
    return {
      info: at(logLevel.INFO, 'INFO'),
      error: at(logLevel.ERROR, 'ERROR'),
      warn: at(logLevel.WARN, 'WARN'),
      debug: at(logLevel.DEBUG, 'DEBUG'),
      namespace: (name, other) => named(name, other === undefined ? own : { current: other }),
      setLogLevel: (next) => {
        own.current = next;
      },
    };
  };
  return named('', { current: level });
}
