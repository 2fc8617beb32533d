import type { Connection } from '../network/connection.ts';
import { sessionKey } from '../network/session-slots.ts';
import type { Cancellation } from '../replication/fetching.ts';

const CANCELLATION = sessionKey<Cancellation>('cancellation');

/** Tells the waiting requests of a connection that it is gone; the same object for the connection's whole life. */
export function cancellationOf(connection: Connection): Cancellation {
  const known = connection.state.get(CANCELLATION);
  if (known !== undefined) return known;
  const callbacks = new Set<() => void>();
  let cancelled = false;
  const made: Cancellation = {
    get cancelled() {
      return cancelled;
    },
    onCancel: (callback) => {
      callbacks.add(callback);
      return () => callbacks.delete(callback);
    },
  };
  connection.state.set(CANCELLATION, made);
  connection.onClose(() => {
    cancelled = true;
    for (const callback of [...callbacks]) callback();
  });
  return made;
}
