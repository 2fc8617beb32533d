/**
 * Picks, among a topic's subscribers, whom to give a partition next and whom to take one from. Members are sorted by
 * load; one range of equally loaded members grows from the left, another from the right:
 *
 *             least                     most
 *             loaded                    loaded
 *             range                     range
 *             [....-> ]    ##       [  <-...]  ##     these have nothing left to give up
 *             [#######] ## ##   ##  [#######]  ##
 *             +--------------------------------------> members
 *
 * Picking costs constant time, and there is nothing more to gain once the levels of the ranges differ by one or less.
 */
export class LoadBalance {
  /** Partitions of each member, by member index; changed by whoever moves partitions. */
  readonly #loads: Int32Array;
  readonly #sorted: number[] = [];
  /** The least loaded range is [0, #lowEnd). */
  #lowEnd = 0;
  #lowLevel = 0;
  #lowNext = 0;
  /** The most loaded range is [#highStart, #highEnd). */
  #highStart = 0;
  #highEnd = 0;
  #highLevel = 0;
  #highNext = 0;

  constructor(loads: Int32Array) {
    this.#loads = loads;
  }

  /** Begins anew with other members, at least one; returns the difference of the largest and the smallest load. */
  start(members: readonly number[]): number {
    const sorted = this.#sorted;
    const loads = this.#loads;
    sorted.length = 0;
    sorted.push(...members);
    sorted.sort((left, right) => loads[left]! - loads[right]! || left - right);
    const lowest = loads[sorted[0]!]!;
    const highest = loads[sorted.at(-1)!]!;
    this.#lowEnd = 0;
    this.#lowLevel = lowest - 1;
    this.#lowNext = 0;
    this.#highStart = sorted.length;
    this.#highEnd = sorted.length;
    this.#highLevel = highest + 1;
    this.#highNext = sorted.length - 1;
    return highest - lowest;
  }

  /** The member to give a partition, on the understanding that it gets it. */
  nextReceiver(): number {
    if (this.#lowNext >= this.#lowEnd) {
      this.#lowLevel++;
      while (this.#lowEnd < this.#sorted.length && this.#loadAt(this.#lowEnd) === this.#lowLevel) this.#lowEnd++;
      this.#lowNext = 0;
    }
    return this.#sorted[this.#lowNext++]!;
  }

  /** The member to take a partition from, or undefined where no one has any. */
  nextGiver(): number | undefined {
    if (this.#highNext < this.#highStart) {
      if (this.#highEnd <= this.#highStart && this.#highStart > 0) {
        // All of the range were excluded: go down to the next load that there is, or a member outside were returned.
        this.#highLevel = this.#loadAt(this.#highStart - 1);
      } else {
        this.#highLevel--;
      }
      while (this.#highStart > 0 && this.#loadAt(this.#highStart - 1) === this.#highLevel) this.#highStart--;
      this.#highNext = this.#highEnd - 1;
    }
    if (this.#highNext < 0) return undefined;
    return this.#sorted[this.#highNext--]!;
  }

  /** Leaves out the member that `nextGiver` returned last: it has nothing to give. */
  excludeGiver(): void {
    const place = this.#highNext + 1;
    const last = this.#highEnd - 1;
    const excluded = this.#sorted[place]!;
    this.#sorted[place] = this.#sorted[last]!;
    this.#sorted[last] = excluded;
    this.#highEnd--;
  }

  isBalanced(): boolean {
    return this.#highLevel - this.#lowLevel <= 1;
  }

  #loadAt(place: number): number {
    return this.#loads[this.#sorted[place]!]!;
  }
}
