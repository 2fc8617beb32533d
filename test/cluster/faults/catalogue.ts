/** All faults, and the choice among those that a cluster can suffer. */
import type { Random } from '../../../src/base/random.ts';
import type { Cluster } from '../harness/cluster.ts';
import { ADMIN_FAULTS } from './admin-faults.ts';
import { ENSEMBLE_FAULTS } from './ensemble-faults.ts';
import type { FaultKind } from './fault.ts';
import { MACHINE_FAULTS } from './machine-faults.ts';
import { NETWORK_FAULTS } from './network-faults.ts';
import { PROCESS_FAULTS } from './process-faults.ts';
import { STORAGE_FAULTS } from './storage-faults.ts';
import { STRANGER_FAULTS } from './stranger-faults.ts';

const ALL: readonly FaultKind[] = [
  ...PROCESS_FAULTS,
  ...NETWORK_FAULTS,
  ...STORAGE_FAULTS,
  ...MACHINE_FAULTS,
  ...ENSEMBLE_FAULTS,
  ...STRANGER_FAULTS,
  ...ADMIN_FAULTS,
];

/** `only`: those whose names contain one of these. */
export function possibleFaults(cluster: Cluster, only: readonly string[] = []): FaultKind[] {
  const named = ALL.filter(({ name }) => only.length === 0 || only.some((part) => name.includes(part)));
  return named.filter((kind) => kind.possible(cluster));
}

export function chooseFault(random: Random, kinds: readonly FaultKind[]): FaultKind {
  let left = random.below(kinds.reduce((sum, { weight }) => sum + weight, 0));
  for (const kind of kinds) {
    left -= kind.weight;
    if (left < 0) return kind;
  }
  throw new Error('there is no fault to choose from');
}
