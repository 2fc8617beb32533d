import assert from 'node:assert/strict';
import { test } from 'node:test';
import { systemClock } from './clock.ts';
import { limitLines } from './limited-logger.ts';
import { type LogFields, type Logger, silentLogger } from './logger.ts';

function recording(): { logger: Logger; lines: string[] } {
  const lines: string[] = [];
  const note = (message: string, fields?: LogFields): void => {
    lines.push(`${message} ${JSON.stringify(fields ?? {})}`);
  };
  const logger: Logger = { ...silentLogger, warn: note, error: note, with: () => logger };
  return { logger, lines };
}

test('a text passes up to its burst, and the next period tells how many lines were left out', () => {
  const { logger, lines } = recording();
  let nowMs = 0;
  const limited = limitLines(logger, { ...systemClock, monotonicMs: () => nowMs }, { burst: 2, periodMs: 100 });
  for (let index = 0; index < 5; index++) limited.warn('same', { index });
  limited.warn('other');
  nowMs = 100;
  limited.with({ topic: 't' }).warn('same', { index: 5 });
  limited.warn('same', { index: 6 });
  assert.deepEqual(lines, [
    'same {"index":0}',
    'same {"index":1}',
    'other {}',
    'same {"index":5,"linesLeftOut":3}',
    'same {"index":6}',
  ]);
});
