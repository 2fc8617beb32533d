import type { JoinGroupResponse } from '../../../protocol/apis/join-group.ts';
import type { SyncGroupResponse } from '../../../protocol/apis/sync-group.ts';

/** A way to assign that a member knows, in the order of its preference, with what it tells the leader for it. */
export interface SupportedProtocol {
  readonly name: string;
  readonly metadata: Buffer;
}

/** A member of a classic group. Identity is fixed; the rest changes as it joins again and is assigned. */
export interface ClassicMember {
  readonly memberId: string;
  /** Set for a static member, which keeps its assignment over a restart of its process (KIP-345). */
  readonly groupInstanceId: string | null;
  readonly clientId: string;
  readonly clientHost: string;
  readonly protocolType: string;
  rebalanceTimeoutMs: number;
  sessionTimeoutMs: number;
  protocols: readonly SupportedProtocol[];
  assignment: Buffer;
  /** Takes the reply of the JoinGroup that waits for the others. */
  awaitingJoin: ((response: JoinGroupResponse) => void) | undefined;
  /** Takes the reply of the SyncGroup that waits for the leader's assignment. */
  awaitingSync: ((response: SyncGroupResponse) => void) | undefined;
  /** Joined for the first time and was not answered yet: it knows no member id to send heartbeats with. */
  isNew: boolean;
}

export const NO_ASSIGNMENT = Buffer.alloc(0);

/** What a member tells for a protocol; undefined where it does not support it. */
export function metadataOf(member: ClassicMember, protocol: string | null): Buffer | undefined {
  return member.protocols.find(({ name }) => name === protocol)?.metadata;
}

/** Whether a member offers exactly the same as before. */
export function sameProtocols(left: readonly SupportedProtocol[], right: readonly SupportedProtocol[]): boolean {
  return (
    left.length === right.length &&
    left.every(({ name, metadata }, at) => name === right[at]!.name && metadata.equals(right[at]!.metadata))
  );
}

/** The first of its protocols, in its own order, that is among the candidates. */
export function voteOf(member: ClassicMember, candidates: ReadonlySet<string>): string | undefined {
  return member.protocols.find(({ name }) => candidates.has(name))?.name;
}
