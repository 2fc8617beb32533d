/**
 * Limits of replication traffic, so that moving replicas leaves room for clients: which replicas are meant is a matter of
 * the topic, how many bytes a second of the broker. Measures; who is over the limit is held back by others.
 */
import type { Clock } from '../base/clock.ts';
import type { BrokerId } from '../base/units.ts';

/** The limits that one partition counts against: undefined where its replica here is not throttled. */
export interface PartitionThrottle {
  /** What this broker sends to followers. */
  readonly leader: ReplicationThrottle | undefined;
  /** What it fetches from leaders. */
  readonly follower: ReplicationThrottle | undefined;
}

export const NO_THROTTLE: PartitionThrottle = { leader: undefined, follower: undefined };

export interface ThrottleWindow {
  /** replication.quota.window.num: the newest is the one that is being filled. */
  readonly count: number;
  /** replication.quota.window.size.seconds */
  readonly sizeMs: number;
}

export class ReplicationThrottle {
  readonly #limit: () => number | undefined;
  readonly #window: () => ThrottleWindow;
  readonly #clock: Clock;
  /** Windows with traffic, oldest first. */
  #samples: { readonly startMs: number; bytes: number }[] = [];

  /** `limit` is in bytes a second, undefined for none; both are asked anew each time. */
  constructor(
    options: { readonly limit: () => number | undefined; readonly window: () => ThrottleWindow },
    dependencies: { readonly clock: Clock },
  ) {
    this.#limit = options.limit;
    this.#window = options.window;
    this.#clock = dependencies.clock;
  }

  record(bytes: number): void {
    if (bytes <= 0) return;
    const nowMs = this.#clock.monotonicMs();
    const newest = this.#samples.at(-1);
    if (newest !== undefined && nowMs - newest.startMs < this.#window().sizeMs) newest.bytes += bytes;
    else this.#samples.push({ startMs: nowMs, bytes });
    this.#forget(nowMs);
  }

  /** Whether more went through than the limit allows, over the remembered windows. */
  isExceeded(): boolean {
    const limit = this.#limit();
    if (limit === undefined) return false;
    const nowMs = this.#clock.monotonicMs();
    this.#forget(nowMs);
    const oldest = this.#samples[0];
    if (oldest === undefined) return false;
    const { sizeMs } = this.#window();
    let bytes = 0;
    for (const sample of this.#samples) bytes += sample.bytes;
    return (bytes * 1000) / Math.max(nowMs - oldest.startMs, sizeMs) > limit;
  }

  #forget(nowMs: number): void {
    const { count, sizeMs } = this.#window();
    while (this.#samples.length > 0 && nowMs - this.#samples[0]!.startMs >= count * sizeMs) this.#samples.shift();
  }
}

/** Replicas that a topic config names: `*`, or a list of `partition:broker`. */
export type ThrottledReplicas = 'all' | ReadonlySet<number>;

/** The partitions whose replica on `brokerId` the config means. */
export function throttledReplicas(entries: readonly string[], brokerId: BrokerId): ThrottledReplicas {
  const partitions = new Set<number>();
  for (const entry of entries) {
    if (entry.trim() === '*') return 'all';
    const [partition, broker] = entry.split(':');
    if (Number(broker) === brokerId) partitions.add(Number(partition));
  }
  return partitions;
}

export function isThrottled(replicas: ThrottledReplicas, partition: number): boolean {
  return replicas === 'all' || replicas.has(partition);
}
