/** Blocks of producer ids for brokers, decided on an image. A block is never given out twice. */
import type { BrokerId, ProducerId } from '../base/units.ts';
import type { MetadataImage } from '../metadata/image.ts';
import { newRecord } from '../metadata/records.ts';
import { ErrorCode } from '../protocol/error-codes.ts';
import type { Decision } from './pending-image.ts';
import { type Refusal, refuse } from './refusal.ts';
import { staleBroker } from './registration.ts';

/** Kafka's ProducerIdsBlock. */
const BLOCK_SIZE = 1000;

export interface ProducerIdBlock {
  readonly first: ProducerId;
  readonly count: number;
}

export function allocateProducerIds(
  image: MetadataImage,
  { brokerId, brokerEpoch }: { readonly brokerId: BrokerId; readonly brokerEpoch: number },
): Decision<ProducerIdBlock | Refusal> {
  const stale = staleBroker(image, brokerId, brokerEpoch);
  if (stale !== undefined) return { records: [], result: stale };
  const first = image.producerIds.next;
  if (!Number.isSafeInteger(first + BLOCK_SIZE)) {
    return { records: [], result: refuse(ErrorCode.UNKNOWN_SERVER_ERROR, 'All producer ids have been given out.') };
  }
  const record = newRecord('producerIds', { brokerId, brokerEpoch, nextProducerId: first + BLOCK_SIZE });
  return { records: [record], result: { first, count: BLOCK_SIZE } };
}
