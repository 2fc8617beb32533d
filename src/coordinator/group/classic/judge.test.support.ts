/** Remembers what consumers were told and says what must never be: the invariants of groups and of committed offsets. */
import assert from 'node:assert/strict';
import { ErrorCode, errorName } from '../../../protocol/error-codes.ts';

/** Refusals that a consumer may meet, and knows to live with. */
const EXPECTED: ReadonlySet<number> = new Set([
  ErrorCode.COORDINATOR_LOAD_IN_PROGRESS,
  ErrorCode.NOT_COORDINATOR,
  ErrorCode.UNKNOWN_MEMBER_ID,
  ErrorCode.ILLEGAL_GENERATION,
  ErrorCode.REBALANCE_IN_PROGRESS,
  ErrorCode.FENCED_INSTANCE_ID,
  ErrorCode.GROUP_ID_NOT_FOUND,
]);

export class Judge {
  /** Requests without an answer yet. */
  pending = 0;
  rebalances = 0;
  ownerships = 0;
  /** The assignment that counted, by generation: what the first member of it was told fixes it. */
  readonly #assignments = new Map<number, ReadonlyMap<string, string>[]>();
  readonly #owners = new Map<number, Map<string, string>>();
  #newestOwned = -1;
  #lastAcknowledged = -1;
  #nextOffset = 0;
  readonly #issuedIn = new Map<number, { readonly generation: number; readonly newestOwned: number }>();

  asked(): void {
    this.pending++;
  }

  answered(): void {
    this.pending--;
  }

  joined(name: string, memberId: string, generation: number): void {
    this.rebalances++;
    assert.ok(memberId !== '', `${name} joined under a name`);
    assert.ok(generation >= this.#newestOwned, `${name} joined generation ${generation} after ${this.#newestOwned}`);
  }

  assigned(generation: number, assignments: readonly { memberId: string; assignment: Buffer }[]): void {
    const all = this.#assignments.get(generation) ?? [];
    this.#assignments.set(generation, all);
    all.push(new Map(assignments.map(({ memberId, assignment }) => [memberId, String(assignment)])));
  }

  /** A member was told its assignment. */
  owns(told: {
    readonly name: string;
    readonly memberId: string;
    readonly generation: number;
    readonly assignment: string;
  }): void {
    const { memberId, generation, assignment } = told;
    this.ownerships++;
    const owners = this.#owners.get(generation) ?? new Map<string, string>();
    this.#owners.set(generation, owners);
    owners.set(memberId, assignment);
    const isWhole = (this.#assignments.get(generation) ?? []).some((all) =>
      [...owners].every(([each, mine]) => (all.get(each) ?? this.#replacedOf(all, mine)) === mine),
    );
    assert.ok(isWhole, `generation ${generation}: ${JSON.stringify([...owners])} is not what one leader assigned`);
    assert.ok(generation >= this.#newestOwned, `an assignment of generation ${generation} after ${this.#newestOwned}`);
    this.#newestOwned = generation;
  }

  /** A static member's new member id stands for the old one, whose assignment it has. */
  #replacedOf(all: ReadonlyMap<string, string>, assignment: string): string | undefined {
    return [...all.values()].find((each) => each === assignment);
  }

  /** A partition belongs to one of the members that believe to be in the newest generation. */
  noPartitionTwice(
    members: readonly { readonly name: string; readonly generation: number; readonly owned: readonly number[] }[],
  ): void {
    const byGeneration = new Map<string, string>();
    for (const { name, generation, owned } of members) {
      for (const partition of owned) {
        const other = byGeneration.get(`${generation}/${partition}`);
        assert.equal(other, undefined, `${name} and ${other} own partition ${partition} in generation ${generation}`);
        byGeneration.set(`${generation}/${partition}`, name);
      }
    }
  }

  /** The offset to commit: every commit another, rising. */
  committing(generation: number, _count: number): number {
    const offset = this.#nextOffset++;
    this.#issuedIn.set(offset, { generation, newestOwned: this.#newestOwned });
    return offset;
  }

  committed(offset: number, errorCode: number): void {
    if (errorCode !== ErrorCode.NONE) return;
    const { generation, newestOwned } = this.#issuedIn.get(offset)!;
    assert.ok(generation >= newestOwned, `a commit of generation ${generation} counted in generation ${newestOwned}`);
    this.#lastAcknowledged = Math.max(this.#lastAcknowledged, offset);
  }

  /** What was acknowledged, or tried after that, is what is read. */
  read(offset: number): void {
    assert.ok(offset >= this.#lastAcknowledged, `read ${offset}, acknowledged was ${this.#lastAcknowledged}`);
    assert.ok(offset < this.#nextOffset, `read ${offset}, which nobody committed`);
  }

  refused(name: string, errorCode: number): void {
    assert.ok(EXPECTED.has(errorCode), `${name} was refused with ${errorName(errorCode as ErrorCode)}`);
  }
}
