/**
 * What consumers of the classic protocol tell each other through the coordinator: subscriptions on the way to the
 * leader, assignments on the way back (Kafka 4.3). An int16 with the version stands in front of the fields.
 */
import { array, bytes, type Decoded, int32, message, string } from '../schema.ts';

/** The protocol type under which consumers join. */
export const CONSUMER_PROTOCOL_TYPE = 'consumer';

export const consumerProtocolSubscription = message('ConsumerProtocolSubscription', '0-3', 'none', {
  topics: array('0+', string('0+')),
  userData: bytes('0+', { nullable: '0+', default: null }),
  ownedPartitions: array('1+', { topic: string('1+'), partitions: array('1+', int32('1+')) }, { ignorable: true }),
  generationId: int32('2+', { default: -1, ignorable: true }),
  rackId: string('3+', { nullable: '3+', default: null, ignorable: true }),
});
export type ConsumerProtocolSubscription = Decoded<typeof consumerProtocolSubscription>;

export const consumerProtocolAssignment = message('ConsumerProtocolAssignment', '0-3', 'none', {
  assignedPartitions: array('0+', { topic: string('0+'), partitions: array('0+', int32('0+')) }),
  userData: bytes('0+', { nullable: '0+', default: null }),
});
export type ConsumerProtocolAssignment = Decoded<typeof consumerProtocolAssignment>;
