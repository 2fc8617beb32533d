/** FetchSnapshot (59): a piece of a snapshot of the metadata that a Fetch of its stream offered. */
import {
  type FetchSnapshotRequest,
  type FetchSnapshotResponse,
  fetchSnapshot,
} from '../../protocol/apis/fetch-snapshot.ts';
import { ErrorCode } from '../../protocol/error-codes.ts';
import { handler } from '../handler.ts';
import type { BrokerServices } from '../services.ts';

type WantedPartition = FetchSnapshotRequest['topics'][number]['partitions'][number];
type PartitionResponse = FetchSnapshotResponse['topics'][number]['partitions'][number];

const MAX_PIECE_BYTES = 8 * 2 ** 20;

export const handleFetchSnapshot = (services: BrokerServices) =>
  handler(
    fetchSnapshot,
    async (request): Promise<FetchSnapshotResponse> => {
      const { clusterId } = request;
      if (clusterId !== null && clusterId !== services.quorum.image().clusterId) {
        return { errorCode: ErrorCode.INCONSISTENT_CLUSTER_ID, topics: [] };
      }
      const topic = request.topics[0];
      const wanted = topic?.partitions[0];
      if (topic === undefined || wanted === undefined) return { errorCode: ErrorCode.INVALID_REQUEST, topics: [] };
      const partition = await piece(services, wanted, Math.min(request.maxBytes, MAX_PIECE_BYTES));
      return { errorCode: ErrorCode.NONE, topics: [{ name: topic.name, partitions: [partition] }] };
    },
    { peerOnly: true },
  );

async function piece(services: BrokerServices, wanted: WantedPartition, maxBytes: number): Promise<PartitionResponse> {
  const { quorum } = services;
  const { snapshotId, position } = wanted;
  const answer = (part: Partial<PartitionResponse>): PartitionResponse => ({
    index: wanted.partition,
    errorCode: ErrorCode.NONE,
    snapshotId,
    currentLeader: { leaderId: quorum.controllerId(), leaderEpoch: quorum.controllerEpoch() },
    size: 0,
    position,
    unalignedRecords: Buffer.alloc(0),
    ...part,
  });
  if (!quorum.stream.isOpen) return answer({ errorCode: ErrorCode.NOT_LEADER_OR_FOLLOWER });
  const content = await quorum.stream.snapshot({ offset: snapshotId.endOffset, epoch: snapshotId.epoch });
  if (content === undefined) return answer({ errorCode: ErrorCode.SNAPSHOT_NOT_FOUND });
  if (position < 0 || position >= content.length) return answer({ errorCode: ErrorCode.POSITION_OUT_OF_RANGE });
  const unalignedRecords = content.subarray(position, position + Math.max(1, maxBytes));
  return answer({ size: content.length, unalignedRecords });
}
