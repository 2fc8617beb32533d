/** What a member does about each refusal of its coordinator. Pure: tables, with an answer for every code. */
import { ErrorCode, isRetriable } from '../../../protocol/error-codes.ts';

/**
 * - 'fine': no refusal, or one that changes nothing
 * - 'wait': the same again after a pause
 * - 'find': another broker is the coordinator: look for it, then the same again
 * - 'rejoin': take part in the rebalance that is under way; what is held stays held until then
 * - 'named': join again with the id that was given
 * - 'lost': no member any more, what was held is somebody else's: join with no generation
 * - 'unknown': as 'lost', and the member id is worth nothing either
 * - 'fatal': no further attempt would do better
 */
export type Reaction = 'fine' | 'wait' | 'find' | 'rejoin' | 'named' | 'lost' | 'unknown' | 'fatal';

type Reactions = ReadonlyMap<number, Reaction>;

const COORDINATOR: readonly (readonly [number, Reaction])[] = [
  [ErrorCode.NONE, 'fine'],
  [ErrorCode.NOT_COORDINATOR, 'find'],
  [ErrorCode.COORDINATOR_NOT_AVAILABLE, 'find'],
  [ErrorCode.COORDINATOR_LOAD_IN_PROGRESS, 'wait'],
];

/** JoinGroup, SyncGroup and Heartbeat. */
const CLASSIC: Reactions = new Map([
  ...COORDINATOR,
  [ErrorCode.MEMBER_ID_REQUIRED, 'named'],
  [ErrorCode.REBALANCE_IN_PROGRESS, 'rejoin'],
  [ErrorCode.ILLEGAL_GENERATION, 'lost'],
  [ErrorCode.UNKNOWN_MEMBER_ID, 'unknown'],
]);

/**
 * ConsumerGroupHeartbeat. The member id is the client's own there, and stays. A group that is not there any more, or became
 * a classic one, was deserted meanwhile; who joins and hears that has no business in it.
 */
const CONSUMER: Reactions = new Map([
  ...COORDINATOR,
  [ErrorCode.FENCED_MEMBER_EPOCH, 'lost'],
  [ErrorCode.UNKNOWN_MEMBER_ID, 'lost'],
]);
const CONSUMER_MEMBER: Reactions = new Map([...CONSUMER, [ErrorCode.GROUP_ID_NOT_FOUND, 'lost']]);

export function classicReaction(code: number): Reaction {
  return CLASSIC.get(code) ?? (isRetriable(code as ErrorCode) ? 'wait' : 'fatal');
}

export function consumerReaction(code: number, { isMember }: { readonly isMember: boolean }): Reaction {
  return (isMember ? CONSUMER_MEMBER : CONSUMER).get(code) ?? (isRetriable(code as ErrorCode) ? 'wait' : 'fatal');
}

/** What a refused OffsetCommit says of the membership. */
export function commitReaction(code: number): Reaction {
  if (code === ErrorCode.ILLEGAL_GENERATION) return 'lost';
  if (code === ErrorCode.UNKNOWN_MEMBER_ID) return 'unknown';
  if (code === ErrorCode.REBALANCE_IN_PROGRESS) return 'rejoin';
  return 'fine';
}
