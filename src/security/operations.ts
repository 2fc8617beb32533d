/**
 * Operations that can be allowed or denied on a resource, and the bit sets in which Metadata and DescribeCluster tell
 * a client what it may do (KIP-430). Codes: org.apache.kafka.common.acl.AclOperation.
 */
export const Operation = {
  read: 3,
  write: 4,
  create: 5,
  delete: 6,
  alter: 7,
  describe: 8,
  clusterAction: 9,
  describeConfigs: 10,
  alterConfigs: 11,
  idempotentWrite: 12,
} as const;
export type Operation = (typeof Operation)[keyof typeof Operation];

export const TOPIC_OPERATIONS: readonly Operation[] = [
  Operation.read,
  Operation.write,
  Operation.create,
  Operation.describe,
  Operation.delete,
  Operation.alter,
  Operation.describeConfigs,
  Operation.alterConfigs,
];

export const CLUSTER_OPERATIONS: readonly Operation[] = [
  Operation.create,
  Operation.clusterAction,
  Operation.describeConfigs,
  Operation.alterConfigs,
  Operation.idempotentWrite,
  Operation.alter,
  Operation.describe,
];

export const GROUP_OPERATIONS: readonly Operation[] = [
  Operation.read,
  Operation.describe,
  Operation.delete,
  Operation.describeConfigs,
  Operation.alterConfigs,
];

/** One bit an operation, at the position of its code. */
export function operationBits(operations: readonly Operation[]): number {
  let bits = 0;
  for (const operation of operations) bits |= 1 << operation;
  return bits;
}
