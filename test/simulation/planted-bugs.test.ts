/**
 * The simulator is tested itself: bugs that implementers of replication repeat are planted one by one, and some seed must
 * find each. Where none does, the simulation proves less than it seems to.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { LeaderEpoch } from '../../src/base/units.ts';
import { InSyncSet } from '../../src/replication/in-sync-set.ts';
import { Leadership } from '../../src/replication/leadership.ts';
import { Partition } from '../../src/replication/partition.ts';
import { ProducerStates } from '../../src/storage/producer-state.ts';
import type { StepKind } from './cluster-steps.ts';
import { clusterHistoryOf, runClusterHistory } from './simulate-cluster.ts';

const STEPS = 100;

/** Puts something in the place of a method or getter; returns how it was. */
function replace(prototype: object, name: string, descriptor: PropertyDescriptor): () => void {
  const original = Object.getOwnPropertyDescriptor(prototype, name);
  assert.ok(original !== undefined, `${name} is there to be broken`);
  Object.defineProperty(prototype, name, { ...descriptor, configurable: true });
  return () => Object.defineProperty(prototype, name, original);
}

interface PlantedBug {
  readonly what: string;
  /** Part of how it must show. */
  readonly shows: RegExp;
  /** What must come together for it to do harm; everything where left out. */
  readonly deck?: readonly StepKind[];
  plant(): (() => void)[];
}

const BUGS: readonly PlantedBug[] = [
  {
    what: 'followers truncate to their high watermark instead of where the epochs part (KIP-101)',
    shows: /./,
    plant: () => {
      const { update, read } = Partition.prototype;
      return [
        replace(Partition.prototype, 'update', {
          value(this: Partition, state: Parameters<typeof update>[0]) {
            const before: LeaderEpoch = this.state.leaderEpoch;
            update.call(this, state);
            if (!this.isLeader && this.state.leaderEpoch !== before) this.log.truncateTo(this.highWatermark);
          },
        }),
        replace(Partition.prototype, 'read', {
          value(this: Partition, request: Parameters<typeof read>[0]) {
            return read.call(this, { ...request, lastFetchedEpoch: -1 });
          },
        }),
      ];
    },
  },
  {
    what: 'a leader acknowledges what only its own log has',
    shows: /./,
    plant: () => [replace(Leadership.prototype, 'committedEnd', { value: (leaderEnd: number) => leaderEnd })],
  },
  {
    what: 'a follower joins the in-sync set before it has reached the start of the leader epoch',
    shows: /./,
    deck: ['produce', 'produce', 'kill', 'slow', 'killLeaderOfNewMember', 'killLeaderOfNewMember'],
    plant: () => {
      const { beginEpoch } = Leadership.prototype;
      return [
        replace(Leadership.prototype, 'beginEpoch', {
          value(this: Leadership, ...parameters: Parameters<typeof beginEpoch>) {
            beginEpoch.apply(this, parameters);
            this.epochStart = 0;
          },
        }),
      ];
    },
  },
  {
    what: 'a replica that was proposed for the in-sync set does not hold the high watermark back (KIP-497)',
    shows: /./,
    deck: ['produce', 'produce', 'produce', 'wait', 'wait', 'kill', 'hideNewMember', 'hideNewMember', 'hideNewMember'],
    plant: () => [
      replace(InSyncSet.prototype, 'maximal', {
        get(this: InSyncSet) {
          return this.committed;
        },
      }),
    ],
  },
  {
    what: 'the high watermark rises although too few replicas are in sync',
    shows: /in sync/,
    plant: () => [replace(Leadership.prototype, 'effectiveMin', { value: () => 1 })],
  },
  {
    what: 'a broker takes a batch that is sent again for a new one',
    shows: /sequence|two offsets/,
    plant: () => [
      replace(ProducerStates.prototype, 'duplicateOf', { value: () => undefined }),
      replace(ProducerStates.prototype, 'refusalOf', { value: () => undefined }),
    ],
  },
  {
    what: 'nobody checks which leader epoch a request was made for (KIP-320)',
    shows: /./,
    plant: () => [replace(Partition.prototype, 'checkEpoch', { value: () => 0 })],
  },
];

const MOST_SEEDS = 100;

for (const { what, shows, deck, plant } of BUGS) {
  test(`some seed finds that ${what}`, async (context) => {
    const undo = plant();
    try {
      for (let seed = 1; seed <= MOST_SEEDS; seed++) {
        const { failure } = await runClusterHistory(clusterHistoryOf(seed, STEPS, 'local', deck));
        if (failure === undefined) continue;
        context.diagnostic(`seed ${seed}: ${failure.message.split('\n').slice(0, 2).join(' ')}`);
        assert.match(failure.message, shows);
        return;
      }
      assert.fail(`none of ${MOST_SEEDS} seeds`);
    } finally {
      for (const each of undo) each();
    }
  });
}
