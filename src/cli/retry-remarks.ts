/** Says on standard error what a producer tries again, once that lasts: minutes of silence look like a command that hangs. */
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { Clock } from '../base/clock.ts';
import type { ProducerEvents } from '../client/producer/producer-events.ts';
import { remark } from './output.ts';

const PATIENCE_MS = 3000;
/** Between two remarks about one partition. */
const REPEAT_MS = 10_000;

interface Trouble {
  readonly sinceMs: number;
  toldMs: number | undefined;
}

/** For the producers of this process, until the returned function is called. */
export function remarkRetries(clock: Clock, say: (line: string) => void = remark): () => void {
  const troubles = new Map<string, Trouble>();
  const onRetried = (message: unknown): void => {
    const { topic, partition, error } = message as ProducerEvents['retried'];
    const place = `${topic}-${partition}`;
    const nowMs = clock.monotonicMs();
    const trouble = troubles.get(place) ?? { sinceMs: nowMs, toldMs: undefined };
    troubles.set(place, trouble);
    if (nowMs - trouble.sinceMs < PATIENCE_MS) return;
    if (trouble.toldMs !== undefined && nowMs - trouble.toldMs < REPEAT_MS) return;
    trouble.toldMs = nowMs;
    const what = error.message.startsWith(place) ? error.message : `${place}: ${error.message}`;
    say(`${what} (${error.code}); trying again`);
  };
  const onAcknowledged = (message: unknown): void => {
    const { topic, partition } = message as ProducerEvents['acknowledged'];
    const place = `${topic}-${partition}`;
    if (troubles.get(place)?.toldMs !== undefined) say(`${place}: records are taken again`);
    troubles.delete(place);
  };
  subscribe('sluice:producer:retried', onRetried);
  subscribe('sluice:producer:acknowledged', onAcknowledged);
  return () => {
    unsubscribe('sluice:producer:retried', onRetried);
    unsubscribe('sluice:producer:acknowledged', onAcknowledged);
  };
}
