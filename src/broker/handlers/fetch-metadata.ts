/** The part of Fetch (1) that brokers follow the metadata with: one partition, `__cluster_metadata-0`, without a session. */
import { METADATA_TOPIC_UUID } from '../../base/uuid.ts';
import type { MetadataQuorum } from '../../metadata/quorum.ts';
import type { FetchRequest, FetchResponse } from '../../protocol/apis/fetch.ts';
import { ErrorCode } from '../../protocol/error-codes.ts';
import type { RequestContext } from '../handler.ts';
import type { BrokerServices } from '../services.ts';

type PartitionResponse = FetchResponse['responses'][number]['partitions'][number];

/** Whether a Fetch asks for the metadata. Only versions that name topics by id do. */
export function isMetadataFetch({ topics }: FetchRequest): boolean {
  return topics.length === 1 && topics[0]!.topicId === METADATA_TOPIC_UUID;
}

export async function fetchMetadata(
  services: BrokerServices,
  request: FetchRequest,
  context: RequestContext,
): Promise<FetchResponse> {
  const { quorum } = services;
  const { clusterId, replicaState } = request;
  if (clusterId !== null && clusterId !== quorum.image().clusterId) {
    return { errorCode: ErrorCode.INCONSISTENT_CLUSTER_ID, sessionId: 0, responses: [] };
  }
  if (quorum.stream.isOpen && replicaState.replicaId >= 0) noteFollower(services, request, context);
  const partition = await readWhenThereIsMore(services, request, context);
  return {
    sessionId: 0,
    responses: [{ topic: '', topicId: METADATA_TOPIC_UUID, partitions: [partition] }],
  };
}

/** The controller sees by its fetches that a broker is there, and how far it has come. */
function noteFollower(services: BrokerServices, { replicaState, topics }: FetchRequest, context: RequestContext): void {
  const { replicaId: brokerId, replicaEpoch: brokerEpoch } = replicaState;
  services.followerLinks.seen(brokerId, context.connection);
  const wanted = topics[0]!.partitions[0];
  if (wanted?.lastFetchedEpoch !== services.quorum.stream.epoch) return;
  services.controller.followerReached({ brokerId, brokerEpoch }, wanted.fetchOffset - 1);
}

async function readWhenThereIsMore(
  services: BrokerServices,
  request: FetchRequest,
  context: RequestContext,
): Promise<PartitionResponse> {
  const { quorum, clock } = services;
  const wanted = request.topics[0]!.partitions[0];
  const maxBytes = Math.min(request.maxBytes, services.config().get('fetch.max.bytes'));
  if (wanted === undefined) return answer(quorum, { errorCode: ErrorCode.UNKNOWN_TOPIC_OR_PARTITION });
  const deadlineMs = clock.monotonicMs() + request.maxWaitMs;
  for (;;) {
    const found = quorum.stream.read(wanted.fetchOffset, wanted.lastFetchedEpoch, maxBytes);
    if (found.kind === 'closed') return answer(quorum, { errorCode: ErrorCode.NOT_LEADER_OR_FOLLOWER });
    if (found.kind === 'snapshot') {
      const { offset, epoch } = found.id;
      return answer(quorum, { snapshotId: { endOffset: offset, epoch }, highWatermark: offset });
    }
    const remainingMs = deadlineMs - clock.monotonicMs();
    if (found.bytes.length > 0 || remainingMs <= 0 || context.cancellation.cancelled) {
      return answer(quorum, { highWatermark: found.end, records: Buffer.concat(found.bytes) });
    }
    await changed(services, context, remainingMs);
  }
}

/** Resolves once the stream has changed, time is up, or the follower is gone. */
function changed({ quorum, clock }: BrokerServices, context: RequestContext, remainingMs: number): Promise<void> {
  return new Promise((resolve) => {
    const finish = (): void => {
      timer.cancel();
      stopListening();
      stopWatching();
      resolve();
    };
    const timer = clock.after(remainingMs, finish);
    const stopListening = quorum.stream.onChange(finish);
    const stopWatching = context.cancellation.onCancel(finish);
  });
}

function answer(quorum: MetadataQuorum, part: Partial<PartitionResponse>): PartitionResponse {
  return {
    partitionIndex: 0,
    errorCode: ErrorCode.NONE,
    highWatermark: -1,
    divergingEpoch: {},
    currentLeader: { leaderId: quorum.controllerId(), leaderEpoch: quorum.controllerEpoch() },
    snapshotId: {},
    abortedTransactions: null,
    records: Buffer.alloc(0),
    ...part,
  };
}
