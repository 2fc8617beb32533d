/**
 * What every kind of group can be asked, whatever protocol its members speak: offsets and administration need no more.
 * One group id names one group of one type at a time.
 */
import type { Timestamp } from '../../base/units.ts';
import type { Uuid } from '../../base/uuid.ts';
import type { ErrorCode } from '../../protocol/error-codes.ts';
import type { GroupRecord } from './records.ts';

/** As ListGroups tells them. */
export type GroupType = 'classic' | 'consumer';

/** Who says that it may commit offsets. */
export interface CommitClaim {
  readonly memberId: string;
  readonly groupInstanceId: string | null;
  /** Generation of a classic group, member epoch of a consumer group; below 0 from somebody who is no member. */
  readonly generationOrEpoch: number;
  readonly transactional: boolean;
  readonly apiVersion: number;
}

/** Decides on one partition of a commit; anything but NONE refuses the whole request. */
export type PartitionCheck = (topic: string, topicId: Uuid, partition: number) => ErrorCode;

export interface CommitDecision {
  readonly errorCode: ErrorCode;
  /** Left out where the claim alone decides. */
  readonly checkPartition?: PartitionCheck;
}

/** The times of a committed offset from which its age may count. */
export interface OffsetTimes {
  readonly commitTimestamp: Timestamp;
}

export interface Group {
  readonly type: GroupType;
  readonly groupId: string;
  /** As told to clients: `Empty`, `Stable`, ... */
  readonly stateName: string;
  /** `consumer` for groups of consumers; empty for a group that only ever had offsets committed. */
  readonly protocolType: string;
  /** No members: it may be deleted, and anybody may commit offsets. */
  readonly isEmpty: boolean;
  checkOffsetCommit(claim: CommitClaim): CommitDecision;
  /** `memberId` null and `memberEpoch` -1 from somebody who is no member. */
  checkOffsetFetch(memberId: string | null, memberEpoch: number): ErrorCode;
  checkOffsetDelete(): ErrorCode;
  checkDelete(): ErrorCode;
  isSubscribedTo(topic: string): boolean;
  /** From when on the age of an offset counts; undefined while offsets of this group do not expire at all. */
  offsetAgeFrom(offset: OffsetTimes): Timestamp | undefined;
  /** Records that delete the group, its offsets apart. */
  tombstones(): readonly GroupRecord[];
}
