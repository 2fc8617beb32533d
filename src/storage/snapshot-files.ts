/**
 * The producer snapshots of one partition as files. Keeps one for each segment, and the newest. A snapshot that cannot
 * be read is removed: an older one and the batches after it tell the same.
 */
import type { FileSystem } from '../base/file-system.ts';
import type { Offset } from '../base/units.ts';
import { offsetFileName, offsetOfFileName, SNAPSHOT_SUFFIX } from './log-files.ts';
import type { Place } from './open-files.ts';
import type { ProducerEntry } from './producer-entry.ts';
import { decodeSnapshot, encodeSnapshot } from './producer-snapshot.ts';

export class SnapshotFiles {
  readonly #place: Place;
  readonly #fileSystem: FileSystem;
  /** Rising. */
  #offsets: Offset[] = [];
  readonly #unsynced = new Set<Offset>();

  constructor(options: { readonly place: Place; readonly names: readonly string[] }, fileSystem: FileSystem) {
    this.#place = options.place;
    this.#fileSystem = fileSystem;
    for (const name of options.names) {
      const offset = offsetOfFileName(name, SNAPSHOT_SUFFIX);
      if (offset !== undefined) this.#offsets.push(offset);
    }
    this.#offsets.sort((left, right) => left - right);
  }

  get offsets(): readonly Offset[] {
    return this.#offsets;
  }

  get latest(): Offset | undefined {
    return this.#offsets.at(-1);
  }

  /** Writes a snapshot into the page cache; `sync` makes it durable. */
  write(offset: Offset, entries: ReadonlyMap<number, ProducerEntry>): void {
    const path = this.#path(offset);
    this.#fileSystem.remove(path);
    const file = this.#fileSystem.open(path);
    try {
      file.writeSync([encodeSnapshot(entries)], 0);
    } finally {
      file.close();
    }
    if (!this.#offsets.includes(offset)) {
      this.#offsets.push(offset);
      this.#offsets.sort((left, right) => left - right);
    }
    this.#unsynced.add(offset);
  }

  /** The newest whole snapshot, after removing broken ones above it. */
  readLatest(): { offset: Offset; entries: ProducerEntry[] } | undefined {
    for (let offset = this.latest; offset !== undefined; offset = this.latest) {
      const entries = decodeSnapshot(this.#fileSystem.readFile(this.#path(offset)));
      if (entries !== undefined) return { offset, entries };
      this.remove(offset);
    }
    return undefined;
  }

  /** The newest whole snapshot that is not above `offset`. */
  readAtMost(offset: Offset): { offset: Offset; entries: ProducerEntry[] } | undefined {
    for (const candidate of this.#offsets.toReversed()) {
      if (candidate > offset) continue;
      const entries = decodeSnapshot(this.#fileSystem.readFile(this.#path(candidate)));
      if (entries !== undefined) return { offset: candidate, entries };
    }
    return undefined;
  }

  remove(offset: Offset): void {
    this.#fileSystem.remove(this.#path(offset));
    this.#offsets = this.#offsets.filter((other) => other !== offset);
    this.#unsynced.delete(offset);
  }

  removeWhere(unwanted: (offset: Offset) => boolean): void {
    for (const offset of this.#offsets.filter(unwanted)) this.remove(offset);
  }

  /** Removes what belongs to no segment, but for the newest where it lies above all of them: a stop wrote it. */
  removeStrays(segmentBases: ReadonlySet<Offset>, newestBase: Offset): void {
    const newest = this.latest;
    this.removeWhere((offset) => !segmentBases.has(offset) && (offset !== newest || offset < newestBase));
  }

  /** The newest one may have been written by a process that did not live to sync it. */
  distrustLatest(): void {
    if (this.latest !== undefined) this.#unsynced.add(this.latest);
  }

  get hasUnsynced(): boolean {
    return this.#unsynced.size > 0;
  }

  /** Somebody else made what was written durable. */
  noteSynced(): void {
    this.#unsynced.clear();
  }

  /** Makes what was written durable, but for the directory's entries; false where nothing was to do. */
  async sync(): Promise<boolean> {
    if (this.#unsynced.size === 0) return false;
    for (const offset of [...this.#unsynced]) {
      if (!this.#unsynced.delete(offset)) continue;
      const file = this.#fileSystem.open(this.#path(offset));
      try {
        await file.sync();
      } finally {
        file.close();
      }
    }
    return true;
  }

  #path(offset: Offset): string {
    return `${this.#place.path}/${offsetFileName(offset, SNAPSHOT_SUFFIX)}`;
  }
}
