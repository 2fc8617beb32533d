import { ClassicGroup } from './classic/classic-group.ts';
import type { Group } from './group.ts';

/** All groups of a shard, of either protocol, by id. */
export class Groups {
  readonly #byId = new Map<string, Group>();

  get size(): number {
    return this.#byId.size;
  }

  get(groupId: string): Group | undefined {
    return this.#byId.get(groupId);
  }

  /** The group of that id where it is a classic one. */
  classic(groupId: string): ClassicGroup | undefined {
    const group = this.#byId.get(groupId);
    return group instanceof ClassicGroup ? group : undefined;
  }

  set(group: Group): void {
    this.#byId.set(group.groupId, group);
  }

  delete(groupId: string): void {
    this.#byId.delete(groupId);
  }

  values(): Iterable<Group> {
    return this.#byId.values();
  }
}
