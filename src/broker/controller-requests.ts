/** What this broker asks of the controller on its own account, wherever that is. */
import { SluiceError } from '../base/errors.ts';
import type { BrokerReference } from '../controller/controller.ts';
import { allocateProducerIds } from '../protocol/apis/allocate-producer-ids.ts';
import { type CreateTopicsRequest, type CreateTopicsResponse, createTopics } from '../protocol/apis/create-topics.ts';
import { ErrorCode, errorName } from '../protocol/error-codes.ts';
import type { ControllerGateway } from './controller-gateway.ts';
import type { ProducerIdBlock } from './producer-ids.ts';

/** Creates topics. Rejects with a SluiceError where no controller answered. */
export type CreateTopics = (topics: CreateTopicsRequest['topics']) => Promise<CreateTopicsResponse>;

const CREATION_TIMEOUT_MS = 30_000;

export function createTopicsThrough(gateway: ControllerGateway): CreateTopics {
  return (topics) => gateway.request(createTopics, { topics, timeoutMs: CREATION_TIMEOUT_MS, validateOnly: false });
}

/** A block of producer ids that nobody else has. Rejects with a SluiceError. */
export async function allocateProducerIdsThrough(
  gateway: ControllerGateway,
  broker: BrokerReference,
): Promise<ProducerIdBlock> {
  const answer = await gateway.request(allocateProducerIds, broker);
  if (answer.errorCode === ErrorCode.NONE) return { first: answer.producerIdStart, count: answer.producerIdLen };
  const name = errorName(answer.errorCode);
  throw new SluiceError(name, `the controller gave no producer ids: ${name}`, { retriable: true });
}
