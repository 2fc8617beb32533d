/**
 * The names on a simulated disk, and the journal of changes to them that no sync has made durable. A change is atomic
 * (a rename gives one name and takes another at once); which changes survive a power loss depends on the mode: a
 * beginning of the journal, or any set in which each change has the earlier ones to the same names before it.
 */
import type { Random } from './random.ts';
import type { CrashMode, SimulatedFile } from './simulated-file.ts';

export type SimulatedNode = SimulatedFile | SimulatedDirectory;

export class SimulatedDirectory {
  readonly id: number;
  /** What processes see. */
  readonly entries = new Map<string, SimulatedNode>();
  /** What a power loss cannot take. */
  readonly durable = new Map<string, SimulatedNode>();

  constructor(id: number) {
    this.id = id;
  }
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

  /** Makes the changes in one directory durable, with all that they depend on. */
  commit(directory: SimulatedDirectory): void {
    const needed = new Set<string>();
    const committed = new Set<NameChange>();
    for (const change of this.#changes.toReversed()) {
      const names = namesOf(change);
      const here = this.#mode === 'journal' || names.some((name) => name.directory === directory);
      if (!here && !names.some((name) => needed.has(keyOf(name)))) continue;
      committed.add(change);
      for (const name of names) needed.add(keyOf(name));
    }
    if (committed.size === 0) return;
    for (const change of this.#changes) if (committed.has(change)) apply(change, 'durable');
    this.#changes = this.#changes.filter((change) => !committed.has(change));
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
    const lost = new Set<string>();
    for (const change of changes) {
      const keys = namesOf(change).map(keyOf);
      if (random.below(2) === 0 || keys.some((key) => lost.has(key))) for (const key of keys) lost.add(key);
      else apply(change, 'durable');
    }
  }
}

function apply({ from, to }: NameChange, which: 'entries' | 'durable'): void {
  if (from !== undefined) from.directory[which].delete(from.name);
  if (to !== undefined) to.directory[which].set(to.name, to.node);
}

function namesOf({ from, to }: NameChange): Name[] {
  return [from, to].filter((name) => name !== undefined);
}

function keyOf({ directory, name }: Name): string {
  return `${directory.id}/${name}`;
}
