/**
 * The names on a simulated disk, and the journal of changes to them that no sync has made durable. A change is atomic
 * (a rename gives one name and takes another at once); which changes survive a power loss depends on the mode: a
 * beginning of the journal, or any set in which each change has the earlier ones in the same directory before it. No
 * file system in use reorders changes within one directory.
 */
import type { Random } from './random.ts';
import type { CrashMode, SimulatedFile } from './simulated-file.ts';

export type SimulatedNode = SimulatedFile | SimulatedDirectory;

export class SimulatedDirectory {
  /** What processes see. */
  readonly entries = new Map<string, SimulatedNode>();
  /** What a power loss cannot take. */
  readonly durable = new Map<string, SimulatedNode>();
}

interface Name {
  readonly directory: SimulatedDirectory;
  readonly name: string;
}

/** Takes the name `from` away and gives `to` to `node`. Either may be absent. */
export interface NameChange {
  readonly from?: Name;
  readonly to?: Name & { readonly node: SimulatedNode };
}

/** More than this, and the oldest half is committed, as journals do every few seconds. */
const MOST_CHANGES = 16_384;

export class NameJournal {
  readonly #mode: CrashMode;
  #changes: NameChange[] = [];

  constructor(mode: CrashMode) {
    this.#mode = mode;
  }

  /** Applies a change for processes, and remembers it. */
  change(change: NameChange): void {
    apply(change, 'entries');
    this.#changes.push(change);
    if (this.#changes.length <= MOST_CHANGES) return;
    for (const old of this.#changes.splice(0, MOST_CHANGES / 2)) apply(old, 'durable');
  }

  /** What `commit` of a sync that begins now may take. */
  get begun(): ReadonlySet<NameChange> {
    return new Set(this.#changes);
  }

  /** Makes the changes in one directory durable, with all that they depend on; those of `among` where given. */
  commit(directory: SimulatedDirectory, among?: ReadonlySet<NameChange>): void {
    const needed = new Set([directory]);
    const committed = new Set<NameChange>();
    for (const change of this.#changes.toReversed()) {
      if (among?.has(change) === false) continue;
      const places = placesOf(change);
      if (this.#mode !== 'journal' && !places.some((place) => needed.has(place))) continue;
      committed.add(change);
      for (const place of places) needed.add(place);
    }
    if (committed.size === 0) return;
    for (const change of this.#changes) if (committed.has(change)) apply(change, 'durable');
    this.#changes = this.#changes.filter((change) => !committed.has(change));
  }

  commitAll(): void {
    for (const change of this.#changes) apply(change, 'durable');
    this.#changes = [];
  }

  /** The power fails: some changes become durable, the others are forgotten. */
  settle(random: Random): void {
    const changes = this.#changes;
    this.#changes = [];
    if (this.#mode === 'journal') {
      const whole = [0, changes.length, random.below(changes.length + 1)][random.below(3)]!;
      for (const change of changes.slice(0, whole)) apply(change, 'durable');
      return;
    }
    if (this.#mode === 'unordered') {
      settleEach(changes, random);
      return;
    }
    // Per directory: everything, nothing, or up to some change.
    const cut = new Map<SimulatedDirectory, number>();
    const lost = new Set<SimulatedDirectory>();
    for (const change of changes) {
      const places = placesOf(change);
      for (const place of places) if (!cut.has(place)) cut.set(place, random.below(3));
      const stops = places.some(
        (place) => lost.has(place) || cut.get(place) === 0 || (cut.get(place) === 1 && random.below(4) === 0),
      );
      if (stops) for (const place of places) lost.add(place);
      else apply(change, 'durable');
    }
  }
}

function apply({ from, to }: NameChange, which: 'entries' | 'durable'): void {
  if (from !== undefined) from.directory[which].delete(from.name);
  if (to !== undefined) to.directory[which].set(to.name, to.node);
}

/** Each change survives or not; one of a name that an earlier lost change made or took does not. */
function settleEach(changes: readonly NameChange[], random: Random): void {
  const lost = new Map<SimulatedDirectory, Set<string>>();
  const lostIn = (directory: SimulatedDirectory): Set<string> => {
    const known = lost.get(directory) ?? new Set();
    lost.set(directory, known);
    return known;
  };
  // Mostly everything, or mostly nothing: what is in between comes up less often on real disks.
  const oneIn = [2, 8, 2][random.below(3)]!;
  for (const change of changes) {
    const names = [change.from, change.to].flatMap((name) => (name === undefined ? [] : [name]));
    const survives = random.below(oneIn) > 0 && !names.some(({ directory, name }) => lostIn(directory).has(name));
    if (survives) apply(change, 'durable');
    else for (const { directory, name } of names) lostIn(directory).add(name);
  }
}

function placesOf({ from, to }: NameChange): SimulatedDirectory[] {
  return [from, to].flatMap((name) => (name === undefined ? [] : [name.directory]));
}
