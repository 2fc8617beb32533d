/**
 * Waiting for a signal to fire. However many wait for one signal, it has one listener: programs have one signal for all
 * they do, and Node warns of a leak where many listen to it.
 */
import { aborted } from './errors.ts';

type Stop = (signal: AbortSignal) => void;

const waiting = new WeakMap<AbortSignal, Set<Stop>>();

/** Calls `stop` once, at once where the signal has fired already. The result ends waiting. */
export function onAbort(signal: AbortSignal, stop: Stop): () => void {
  if (signal.aborted) {
    stop(signal);
    return () => undefined;
  }
  const stops = waiting.get(signal) ?? listenTo(signal);
  // A function of its own, so that whoever waits twice is called twice.
  const entry: Stop = (fired) => stop(fired);
  stops.add(entry);
  return () => void stops.delete(entry);
}

function listenTo(signal: AbortSignal): Set<Stop> {
  const stops = new Set<Stop>();
  waiting.set(signal, stops);
  const tellAll = (): void => {
    waiting.delete(signal);
    for (const stop of stops) stop(signal);
  };
  signal.addEventListener('abort', tellAll, { once: true });
  return stops;
}

/** Signals of which any stops the operation: the caller's and the client's own. */
export type StopSignals = readonly (AbortSignal | undefined)[];

/** The result of `work`, or a rejection with ABORTED as soon as a signal fires; `work` itself goes on unheard. */
export function unlessAborted<T>(work: Promise<T>, signals: StopSignals): Promise<T> {
  return new Promise((resolve, reject) => {
    const detach: (() => void)[] = [];
    const done = (): void => {
      for (const each of detach.splice(0)) each();
    };
    const stop: Stop = (signal) => {
      done();
      reject(aborted(signal));
    };
    work.then(resolve, reject).finally(done);
    for (const signal of signals) {
      if (signal === undefined) continue;
      if (signal.aborted) return stop(signal);
      detach.push(onAbort(signal, stop));
    }
  });
}
