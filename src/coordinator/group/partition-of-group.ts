/** The partition of the topic that keeps a group: Java's hash of the id, as every Kafka broker computes it. */
export function partitionOfGroup(groupId: string, partitions: number): number {
  let hash = 0;
  for (let at = 0; at < groupId.length; at++) hash = (Math.imul(hash, 31) + groupId.charCodeAt(at)) | 0;
  // Kafka's Utils.abs: the one number without a positive counterpart becomes 0.
  return (hash === -(2 ** 31) ? 0 : Math.abs(hash)) % partitions;
}
