/**
 * The `uniform` assignor, the default: members get equally many partitions, as far as their subscriptions allow, and
 * keep what they had as far as that allows.
 */
import type { Assignor, GroupAssignment, GroupSpec } from './assignor.ts';
import { assignHeterogeneous } from './uniform-heterogeneous.ts';
import { assignHomogeneous } from './uniform-homogeneous.ts';

export const uniformAssignor: Assignor = {
  name: 'uniform',
  assign(spec: GroupSpec): GroupAssignment {
    if (spec.members.size === 0) return new Map();
    return spec.homogeneous ? assignHomogeneous(spec) : assignHeterogeneous(spec);
  },
};
