/**
 * A consumer group without members that commits offsets, each higher than the one before: what was acknowledged must be there
 * whoever coordinates the group in the end.
 */
import { messageOf, SluiceError } from '../../src/base/errors.ts';
import { Admin } from '../../src/client/admin/admin.ts';
import type { ClusterWorld } from './cluster-world.ts';

const GROUP = 'g';
/** One that took longer may have been sent twice, and the first attempt may arrive after later ones. */
const DOUBTFUL_MS = 100;

export class GroupCommits {
  readonly #world: ClusterWorld;
  readonly #admin: Admin;
  readonly #doubtful = new Set<number>();
  #next = 1;
  #acknowledged = 0;
  #underWay = false;

  constructor(world: ClusterWorld) {
    this.#world = world;
    this.#admin = new Admin(world.client('g'));
  }

  get underWay(): boolean {
    return this.#underWay;
  }

  get acknowledged(): number {
    return this.#acknowledged;
  }

  /** Commits the next offset, unless the last one is not through yet. */
  commit(topic: string): void {
    if (this.#underWay) return;
    this.#underWay = true;
    const offset = this.#next++;
    const startedMs = this.#world.clock.monotonicMs();
    const ended = (): void => {
      this.#underWay = false;
      if (this.#world.clock.monotonicMs() - startedMs > DOUBTFUL_MS) this.#doubtful.add(offset);
    };
    this.#admin.commitGroupOffsets(GROUP, [{ topic, partition: 0, offset }]).then(
      ([outcome]) => {
        ended();
        if (outcome?.ok === true) this.#acknowledged = offset;
        else this.#doubtful.add(offset);
      },
      (error: unknown) => {
        ended();
        this.#doubtful.add(offset);
        if (!(error instanceof SluiceError)) throw error;
        this.#world.trace.note('g', `committing ${offset} failed: ${messageOf(error)}`);
      },
    );
  }

  /** What is wrong with what the group has committed in the end. */
  async judge(): Promise<string | undefined> {
    if (this.#acknowledged === 0) return undefined;
    const offsets = await this.#admin.groupOffsets(GROUP);
    const found = offsets[0]?.offset ?? -1;
    if (found === this.#acknowledged || this.#doubtful.has(found)) return undefined;
    return `the group's offset is ${found}, ${this.#acknowledged} was acknowledged last`;
  }
}
