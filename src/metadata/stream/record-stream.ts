/**
 * The active controller's end of the metadata stream: what was committed lately, and images for those who are too far
 * behind. All in memory: whoever follows has durable metadata elsewhere, in the quorum. A stream belongs to one epoch of
 * the controller; the next one begins with a snapshot. Knows no requests and no sockets.
 */
import { assert } from '../../base/assert.ts';
import type { Clock } from '../../base/clock.ts';
import type { LeaderEpoch, Offset } from '../../base/units.ts';
import type { MetadataImage } from '../image.ts';
import { NO_FACTS } from '../quorums/quorum-facts.ts';
import { encodeSnapshot, type SnapshotId } from '../quorums/snapshot-file.ts';

/** What a follower gets for its position. */
export type StreamRead =
  /** This node is not the active controller. */
  | { readonly kind: 'closed' }
  /** The follower belongs to another epoch or is too far behind: it goes on from this snapshot. */
  | { readonly kind: 'snapshot'; readonly id: SnapshotId }
  /** Whole groups of records, empty where there are no newer ones; `end` is the offset behind the last committed one. */
  | { readonly kind: 'records'; readonly bytes: readonly Buffer[]; readonly end: Offset };

/** Records that were committed together, as batches. */
interface Group {
  readonly firstOffset: Offset;
  readonly bytes: Buffer;
}

interface Snapshot {
  readonly image: MetadataImage;
  content: Promise<Buffer> | undefined;
}

/** Bytes of recent records that are kept. A follower that stood still for longer loads a snapshot. */
const KEPT_BYTES = 32 * 2 ** 20;
/** Snapshots that followers may be in the midst of loading. */
const SNAPSHOTS_KEPT = 3;

export class RecordStream {
  readonly #clock: Clock;
  readonly #keptBytes: number;
  readonly #listeners = new Set<() => void>();
  readonly #snapshots = new Map<string, Snapshot>();
  #groups: Group[] = [];
  #bytes = 0;
  #image: MetadataImage | undefined;
  #epoch: LeaderEpoch = -1;

  constructor(options: { readonly keptBytes?: number }, dependencies: { readonly clock: Clock }) {
    this.#keptBytes = options.keptBytes ?? KEPT_BYTES;
    this.#clock = dependencies.clock;
  }

  /** Whether this node is the active controller. */
  get isOpen(): boolean {
    return this.#image !== undefined;
  }

  /** Of the active controller; that of the last stream where it is closed. */
  get epoch(): LeaderEpoch {
    return this.#epoch;
  }

  /** Begins the stream of an epoch with the state that it starts from. */
  open(image: MetadataImage, epoch: LeaderEpoch): void {
    assert(epoch > this.#epoch, 'the epoch of the stream rises');
    this.close();
    this.#epoch = epoch;
    this.#image = image;
  }

  /** Adds what was committed just now: batches from the end of the stream on, and the state with them. */
  publish(bytes: Buffer, image: MetadataImage): void {
    const before = this.#image;
    assert(before !== undefined, 'only an open stream takes records');
    this.#groups.push({ firstOffset: before.offset + 1, bytes });
    this.#bytes += bytes.length;
    this.#image = image;
    let superfluous = 0;
    while (this.#bytes > this.#keptBytes && superfluous < this.#groups.length - 1) {
      this.#bytes -= this.#groups[superfluous]!.bytes.length;
      superfluous++;
    }
    if (superfluous > 0) this.#groups = this.#groups.slice(superfluous);
    this.#announce();
  }

  /** Ends the stream: this node is no longer the active controller. Whoever waits is told. */
  close(): void {
    if (this.#image === undefined) return;
    this.#image = undefined;
    this.#groups = [];
    this.#bytes = 0;
    this.#snapshots.clear();
    this.#announce();
  }

  /**
   * What follows `offset` for somebody whose last record is of `lastEpoch`. At least one whole group where there is any,
   * and no further one that would exceed `maxBytes`.
   */
  read(offset: Offset, lastEpoch: LeaderEpoch, maxBytes: number): StreamRead {
    const image = this.#image;
    if (image === undefined) return { kind: 'closed' };
    const end = image.offset + 1;
    const start = this.#groups[0]?.firstOffset ?? end;
    if (lastEpoch !== this.#epoch || offset < start || offset > end) return this.#offerSnapshot(image);
    const bytes: Buffer[] = [];
    let size = 0;
    for (let at = this.#groupAt(offset); at < this.#groups.length; at++) {
      const group = this.#groups[at]!.bytes;
      if (size > 0 && size + group.length > maxBytes) break;
      bytes.push(group);
      size += group.length;
    }
    return { kind: 'records', bytes, end };
  }

  /** Index of the group that holds `offset`; behind the last one where it is the end. */
  #groupAt(offset: Offset): number {
    let low = 0;
    let high = this.#groups.length;
    if (this.#image !== undefined && offset > this.#image.offset) return high;
    while (high - low > 1) {
      const middle = (low + high) >>> 1;
      if (this.#groups[middle]!.firstOffset <= offset) low = middle;
      else high = middle;
    }
    return low;
  }

  #offerSnapshot(image: MetadataImage): StreamRead {
    const id = { offset: image.offset + 1, epoch: this.#epoch };
    const key = keyOf(id);
    if (!this.#snapshots.has(key)) {
      for (const oldest of this.#snapshots.keys()) {
        if (this.#snapshots.size < SNAPSHOTS_KEPT) break;
        this.#snapshots.delete(oldest);
      }
      this.#snapshots.set(key, { image, content: undefined });
    }
    return { kind: 'snapshot', id };
  }

  /** The content of a snapshot that a read offered; undefined where it is no longer kept. */
  snapshot(id: SnapshotId): Promise<Buffer> | undefined {
    const snapshot = this.#snapshots.get(keyOf(id));
    if (snapshot === undefined) return undefined;
    const nowMs = this.#clock.wallMs();
    const pause = (): Promise<void> => new Promise((resolve) => this.#clock.afterTurn(resolve));
    snapshot.content ??= encodeSnapshot(
      { image: snapshot.image, facts: NO_FACTS },
      { nowMs, lastContainedMs: nowMs },
      pause,
    );
    return snapshot.content;
  }

  /** Calls the listener when there is more to read or the stream ended. Returns a function that ends the subscription. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => {
      this.#listeners.delete(listener);
    };
  }

  #announce(): void {
    for (const listener of [...this.#listeners]) listener();
  }
}

function keyOf({ offset, epoch }: SnapshotId): string {
  return `${offset}-${epoch}`;
}
