/**
 * One file of a simulated disk, twice: what processes see (the page cache), and what a power loss cannot take. Between
 * the two lie the changes since the last sync, in order; how much of them survives is decided when the power fails.
 * Never decides whether the file has a name: see simulated-disk.ts.
 */
import type { Random } from './random.ts';

/**
 * What a power loss may do to unsynced changes. `journal`: those of one file survive up to a moment, the last one torn at
 * any byte (ext4 with data=ordered). `any`: each survives, is lost, or is torn by itself, and where a later one made the
 * file longer zeros stand for those before it. `unordered`: as `any`, and the same goes for names, even in one directory.
 */
export type CrashMode = 'journal' | 'any' | 'unordered';

/** A write of `bytes`, or a change of the length to `at` where there are none. */
interface Change {
  readonly at: number;
  readonly bytes: Buffer | undefined;
}

const SECTOR_BYTES = 512;
const NOTHING: Buffer = Buffer.alloc(0);
/** More than this, and the oldest changes reach the disk by themselves, as the kernel's write-back has it. */
const MOST_PENDING_BYTES = 4 * 2 ** 20;
const MOST_PENDING_CHANGES = 65_536;

/** Bytes that grow at their end without being copied each time. */
class Content {
  bytes: Buffer;
  length: number;

  constructor(bytes: Buffer) {
    this.bytes = bytes;
    this.length = bytes.length;
  }

  apply({ at, bytes }: Change): void {
    if (bytes === undefined) this.resize(at);
    else this.write(bytes, at);
  }

  write(bytes: Uint8Array, at: number): void {
    if (at + bytes.length > this.length) this.resize(at + bytes.length);
    this.bytes.set(bytes, at);
  }

  resize(length: number): void {
    if (length > this.bytes.length) {
      const larger = Buffer.alloc(Math.max(length, this.bytes.length * 2, 256));
      this.bytes.copy(larger, 0, 0, this.length);
      this.bytes = larger;
    } else if (length < this.length) {
      this.bytes.fill(0, length, this.length);
    }
    this.length = length;
  }

  get whole(): Buffer {
    return this.bytes.subarray(0, this.length);
  }
}

export class SimulatedFile {
  modifiedMs: number;
  readonly #cached: Content;
  readonly #durable: Content;
  #pending: Change[] = [];
  #pendingBytes = 0;
  /** Changes that left `#pending`, so that a sync that began earlier knows what it still covers. */
  #settled = 0;

  constructor(modifiedMs: number, content: Buffer = NOTHING) {
    this.modifiedMs = modifiedMs;
    this.#cached = new Content(content);
    this.#durable = new Content(content.length === 0 ? content : Buffer.from(content));
  }

  get length(): number {
    return this.#cached.length;
  }

  get isDirty(): boolean {
    return this.#pending.length > 0;
  }

  write(bytes: Uint8Array, at: number): void {
    this.#cached.write(bytes, at);
    this.#note({ at, bytes: Buffer.from(bytes) });
  }

  truncate(length: number): void {
    if (length === this.#cached.length) return;
    this.#cached.resize(length);
    this.#note({ at: length, bytes: undefined });
  }

  #note(change: Change): void {
    this.#pending.push(change);
    this.#pendingBytes += change.bytes?.length ?? 0;
    if (this.#pendingBytes > MOST_PENDING_BYTES || this.#pending.length > MOST_PENDING_CHANGES) {
      this.settle(this.#settled + Math.ceil(this.#pending.length / 2));
    }
  }

  /** Fills `target` from `at` on; returns how many bytes there were. */
  read(target: Uint8Array, at: number): number {
    const count = Math.max(0, Math.min(target.length, this.#cached.length - at));
    if (count > 0) target.set(this.#cached.bytes.subarray(at, at + count));
    return count;
  }

  /** A copy of what processes see. */
  content(): Buffer {
    return Buffer.from(this.#cached.whole);
  }

  /** A mark for `settle`: every change up to now. */
  get changes(): number {
    return this.#settled + this.#pending.length;
  }

  /** All changes up to a mark are on the disk for certain. */
  settle(upTo: number): void {
    for (const change of this.#take(upTo)) this.#durable.apply(change);
  }

  /** A failed sync marked pages clean that never reached the disk: they stay visible until the power fails. */
  drop(upTo: number): void {
    this.#take(upTo);
  }

  #take(upTo: number): Change[] {
    const count = Math.max(0, upTo - this.#settled);
    const taken = this.#pending.splice(0, count);
    for (const { bytes } of taken) this.#pendingBytes -= bytes?.length ?? 0;
    this.#settled += taken.length;
    return taken;
  }

  /** What a power loss leaves. */
  survivor(random: Random, mode: CrashMode): Buffer {
    const survivor = new Content(Buffer.from(this.#durable.whole));
    if (mode === 'journal') keepPrefix(survivor, this.#pending, random);
    else for (const change of this.#pending) keepSome(survivor, change, random);
    return survivor.whole;
  }
}

function keepPrefix(survivor: Content, changes: readonly Change[], random: Random): void {
  // The ends are likelier than what lies between: they are what happens on real disks.
  const whole = [0, changes.length, random.below(changes.length + 1), random.below(changes.length + 1)][
    random.below(4)
  ]!;
  for (const change of changes.slice(0, whole)) survivor.apply(change);
  const torn = changes[whole];
  if (torn?.bytes === undefined) return;
  survivor.write(torn.bytes.subarray(0, random.below(torn.bytes.length + 1)), torn.at);
}

function keepSome(survivor: Content, change: Change, random: Random): void {
  const { at, bytes } = change;
  const fate = random.below(4);
  if (fate === 0) return;
  if (fate === 1 || bytes === undefined) {
    survivor.apply(change);
  } else if (fate === 2) {
    survivor.write(bytes.subarray(0, random.below(bytes.length + 1)), at);
  } else {
    // The length is on the disk, only some of the sectors are.
    if (at + bytes.length > survivor.length) survivor.resize(at + bytes.length);
    for (let from = 0; from < bytes.length; ) {
      const to = Math.min(bytes.length, from + SECTOR_BYTES - ((at + from) % SECTOR_BYTES));
      if (random.below(2) === 0) survivor.write(bytes.subarray(from, to), at + from);
      from = to;
    }
  }
}
