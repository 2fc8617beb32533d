/**
 * The watchers of one session, by path. A server tells each change once to whoever watches; which watchers that is
 * depends on what they asked for. Owns no connection.
 */
import { unreachable } from '../../../../base/assert.ts';
import type { WatchedPaths } from './messages.ts';
import type { WatchEvent, Watcher } from './zookeeper.ts';

/** `absent`: a znode that was not there when it was watched. */
export type WatchKind = 'data' | 'absent' | 'children';

/** Bytes of paths in one message that sets watches again; servers refuse large ones. */
const MOST_BYTES_AT_ONCE = 131_072;

export class Watches {
  readonly #watchers: Record<WatchKind, Map<string, Set<Watcher>>> = {
    data: new Map(),
    absent: new Map(),
    children: new Map(),
  };

  add(kind: WatchKind, path: string, watcher: Watcher): void {
    const byPath = this.#watchers[kind];
    const set = byPath.get(path);
    if (set === undefined) byPath.set(path, new Set([watcher]));
    else set.add(watcher);
  }

  /** Takes out the watchers whom an event concerns, each once. */
  take({ type, path }: WatchEvent): Set<Watcher> {
    const taken = new Set<Watcher>();
    for (const kind of concernedBy(type)) {
      for (const watcher of this.#watchers[kind].get(path) ?? []) taken.add(watcher);
      this.#watchers[kind].delete(path);
    }
    return taken;
  }

  /** All watched paths in portions for one message each. */
  *portions(): Generator<WatchedPaths> {
    let portion: Record<WatchKind, string[]> = { data: [], absent: [], children: [] };
    let bytes = 0;
    for (const kind of ['data', 'absent', 'children'] as const) {
      for (const path of this.#watchers[kind].keys()) {
        portion[kind].push(path);
        bytes += path.length;
        if (bytes < MOST_BYTES_AT_ONCE) continue;
        yield portion;
        portion = { data: [], absent: [], children: [] };
        bytes = 0;
      }
    }
    if (bytes > 0) yield portion;
  }

  clear(): void {
    for (const byPath of Object.values(this.#watchers)) byPath.clear();
  }
}

function concernedBy(type: WatchEvent['type']): readonly WatchKind[] {
  switch (type) {
    case 'created':
    case 'dataChanged':
      return ['data', 'absent'];
    case 'deleted':
      return ['data', 'absent', 'children'];
    case 'childrenChanged':
      return ['children'];
    default:
      return unreachable(type, 'every event concerns some watchers');
  }
}
