/** What consumers tell through `node:diagnostics_channel`; costs nothing while nobody listens. */
import { channel } from 'node:diagnostics_channel';
import type { SluiceError } from '../../base/errors.ts';
import type { Offset, TopicPartition } from '../../base/units.ts';
import type { OffsetToCommit } from './group/committed-offsets.ts';

export interface ConsumerEvents {
  assigned: { readonly groupId: string | undefined; readonly partitions: readonly TopicPartition[] };
  revoked: { readonly groupId: string | undefined; readonly partitions: readonly TopicPartition[] };
  lost: { readonly groupId: string | undefined; readonly partitions: readonly TopicPartition[] };
  committed: { readonly groupId: string | undefined; readonly offsets: readonly OffsetToCommit[] };
  'commit-failed': { readonly groupId: string | undefined; readonly error: SluiceError };
  /** What was read is not in the log any more: reading goes on at `endOffset` (-1: by the reset policy), or fails. */
  truncated: TopicPartition & { readonly offset: Offset; readonly endOffset: Offset };
  failed: { readonly groupId: string | undefined; readonly error: SluiceError };
}

const CHANNELS = {
  assigned: channel('sluice:consumer:assigned'),
  revoked: channel('sluice:consumer:revoked'),
  lost: channel('sluice:consumer:lost'),
  committed: channel('sluice:consumer:committed'),
  'commit-failed': channel('sluice:consumer:commit-failed'),
  truncated: channel('sluice:consumer:truncated'),
  failed: channel('sluice:consumer:failed'),
} as const;

export function tell<Name extends keyof ConsumerEvents>(name: Name, event: ConsumerEvents[Name]): void {
  if (CHANNELS[name].hasSubscribers) CHANNELS[name].publish(event);
}
