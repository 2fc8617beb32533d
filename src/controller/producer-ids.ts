/** Blocks of producer ids for brokers, decided on an image. A block is never given out twice. */
import type { BrokerId } from '../base/units.ts';
import type { MetadataImage } from '../metadata/image.ts';
import { newRecord } from '../metadata/records.ts';
import type { AllocateProducerIdsResponse } from '../protocol/apis/allocate-producer-ids.ts';
import { ErrorCode } from '../protocol/error-codes.ts';
import type { Decision } from './pending-image.ts';
import { staleBroker } from './registration.ts';

/** Kafka's ProducerIdsBlock. */
const BLOCK_SIZE = 1000;

export function allocateProducerIds(
  image: MetadataImage,
  { brokerId, brokerEpoch }: { readonly brokerId: BrokerId; readonly brokerEpoch: number },
): Decision<AllocateProducerIdsResponse> {
  const stale = staleBroker(image, brokerId, brokerEpoch);
  if (stale !== undefined) return refused(stale.errorCode);
  const first = image.producerIds.next;
  if (!Number.isSafeInteger(first + BLOCK_SIZE)) {
    return refused(ErrorCode.UNKNOWN_SERVER_ERROR);
  }
  const record = newRecord('producerIds', { brokerId, brokerEpoch, nextProducerId: first + BLOCK_SIZE });
  const result = { errorCode: ErrorCode.NONE, producerIdStart: first, producerIdLen: BLOCK_SIZE };
  return { records: [record], result };
}

function refused(errorCode: ErrorCode): Decision<AllocateProducerIdsResponse> {
  return { records: [], result: { errorCode, producerIdStart: 0, producerIdLen: 0 } };
}
