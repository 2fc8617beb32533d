/**
 * The in-sync replicas of a partition that this broker leads: what the controller committed, and a change that was
 * proposed to it and may or may not have happened (KIP-497). Until that is known the larger of both sets counts.
 */
import type { BrokerId } from '../base/units.ts';

export interface PendingChange {
  readonly kind: 'expand' | 'shrink';
  /** As proposed. */
  readonly members: readonly BrokerId[];
}

export class InSyncSet {
  #committed: readonly BrokerId[];
  #pending: PendingChange | undefined;

  constructor(committed: readonly BrokerId[]) {
    this.#committed = committed;
  }

  /** What decides whether enough replicas are in sync to accept writes. */
  get committed(): readonly BrokerId[] {
    return this.#committed;
  }

  get pending(): PendingChange | undefined {
    return this.#pending;
  }

  /**
   * Everybody who may be in the set: committed records must be on all of them. A replica that was proposed counts at once;
   * one that shall go counts until it is gone.
   */
  get maximal(): readonly BrokerId[] {
    return this.#pending?.kind === 'expand' ? this.#pending.members : this.#committed;
  }

  propose(change: PendingChange): void {
    this.#pending = change;
  }

  /** The controller said what the set is. */
  commit(members: readonly BrokerId[]): void {
    this.#committed = members;
    this.#pending = undefined;
  }

  /** The controller said for certain that the change did not happen and never will. */
  withdraw(): void {
    this.#pending = undefined;
  }
}
