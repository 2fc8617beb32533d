/** What a consumer may be told, with defaults; names and defaults are those of Kafka's Java client where it has the same. */
import { SluiceError } from '../../base/errors.ts';
import type { TopicPartition } from '../../base/units.ts';
import { checkOptions } from '../checked-options.ts';
import type { ClassicAssignor } from './assignors/assignor.ts';
import { rangeAssignor } from './assignors/range.ts';
import { roundRobinAssignor } from './assignors/round-robin.ts';
import { cooperativeStickyAssignor, stickyAssignor } from './assignors/sticky.ts';
import type { GroupSettings } from './group/settings.ts';
import { type FetchOptions, type FetchSettings, resolveFetchOptions } from './options.ts';

const ASSIGNORS = {
  range: rangeAssignor,
  roundrobin: roundRobinAssignor,
  sticky: stickyAssignor,
  'cooperative-sticky': cooperativeStickyAssignor,
} as const satisfies Record<string, ClassicAssignor>;

/** Where to begin where the group has committed nothing, or what it committed is gone. */
export type OffsetReset = 'earliest' | 'latest' | 'none' | { readonly withinMs: number };

/** Waited for by the rebalance, which the reader in turn waits for. */
export type RebalanceCallback = (partitions: readonly TopicPartition[]) => void | Promise<void>;

export interface ConsumerOptions extends FetchSettings {
  /** Needed to subscribe and to commit; not for partitions that are assigned by hand. */
  readonly groupId?: string;
  /** A name that outlives restarts: the member keeps its partitions over them (KIP-345). */
  readonly groupInstanceId?: string;
  /** 'consumer' is the protocol of KIP-848. Default 'classic'. */
  readonly groupProtocol?: 'classic' | 'consumer';
  /**
   * Of the classic protocol, in order of preference. Rebalances are cooperative where all of them are. Default 'range',
   * 'cooperative-sticky', as in Java.
   */
  readonly assignors?: readonly (keyof typeof ASSIGNORS | ClassicAssignor)[];
  /** Of the newer protocol: 'uniform' or 'range'; the broker's choice where left out. */
  readonly serverAssignor?: string;
  /** Of the classic protocol. Default 45000. */
  readonly sessionTimeoutMs?: number;
  /** Of the classic protocol. Default 3000. */
  readonly heartbeatIntervalMs?: number;
  /** How long one record or batch may be worked on before the member gives up its partitions. Default 300000. */
  readonly maxPollIntervalMs?: number;
  /** Commit in the background what was processed. Default true with a group. */
  readonly autoCommit?: boolean;
  /** Default 5000. */
  readonly autoCommitIntervalMs?: number;
  /** Default 'latest'. */
  readonly offsetReset?: OffsetReset;
  /** Before the first record of these partitions; may seek. */
  readonly onAssigned?: RebalanceCallback;
  /** While they are still held: the last moment to commit. */
  readonly onRevoked?: RebalanceCallback;
  /** They are somebody else's already. Without it `onRevoked` is called. */
  readonly onLost?: RebalanceCallback;
  /** Ends reading with ABORTED. */
  readonly signal?: AbortSignal;
}

export interface ResolvedConsumerOptions {
  readonly group: GroupSettings | undefined;
  readonly groupProtocol: 'classic' | 'consumer';
  readonly autoCommit: boolean;
  readonly autoCommitIntervalMs: number;
  readonly maxPollIntervalMs: number;
  readonly offsetReset: OffsetReset;
  readonly fetch: FetchOptions;
  readonly onAssigned: RebalanceCallback | undefined;
  readonly onRevoked: RebalanceCallback | undefined;
  readonly onLost: RebalanceCallback | undefined;
}

const LEAST = {
  ...{ sessionTimeoutMs: 1, heartbeatIntervalMs: 1, maxPollIntervalMs: 1, autoCommitIntervalMs: 0 },
  ...{ maxWaitMs: 0, minBytes: 0, maxBytes: 0, partitionMaxBytes: 0, prefetchBytes: 0, maxUncompressedBytes: 1 },
};
const CHOICES = { groupProtocol: ['classic', 'consumer'], isolation: ['read_uncommitted', 'read_committed'] };
const RESETS = ['earliest', 'latest', 'none'];

/** `lane` sets the connections apart from those of other consumers of the cluster. Throws a SluiceError INVALID_OPTION. */
export function resolveConsumerOptions(options: ConsumerOptions, lane: string): ResolvedConsumerOptions {
  checkOptions(options, { atLeast: LEAST, oneOf: CHOICES });
  const { groupId, offsetReset = 'latest' } = options;
  if (typeof offsetReset === 'object') checkOptions(offsetReset, { atLeast: { withinMs: 0 } });
  else checkOptions({ offsetReset }, { oneOf: { offsetReset: RESETS } });
  const autoCommit = options.autoCommit ?? groupId !== undefined;
  if (groupId === '') throw invalid('a group needs a name', 'Give a groupId, or none.');
  if (autoCommit && groupId === undefined) throw invalid('without a group nothing is committed', 'Give a groupId.');
  const whenOutOfRange = offsetReset === 'none' ? 'fail' : offsetReset;
  return {
    group: groupId === undefined ? undefined : resolveGroup(groupId, options),
    groupProtocol: options.groupProtocol ?? 'classic',
    autoCommit,
    autoCommitIntervalMs: options.autoCommitIntervalMs ?? 5000,
    maxPollIntervalMs: options.maxPollIntervalMs ?? 300_000,
    offsetReset,
    fetch: resolveFetchOptions({ ...options, whenOutOfRange, lane: `${lane}-fetch`, waitsForTopics: true }),
    onAssigned: options.onAssigned,
    onRevoked: options.onRevoked,
    onLost: options.onLost ?? options.onRevoked,
  };
}

function resolveGroup(groupId: string, options: ConsumerOptions): GroupSettings {
  const sessionTimeoutMs = options.sessionTimeoutMs ?? 45_000;
  const heartbeatIntervalMs = options.heartbeatIntervalMs ?? Math.min(3000, sessionTimeoutMs / 3);
  if (heartbeatIntervalMs >= sessionTimeoutMs) {
    throw invalid('heartbeats must come more often than sessions end', 'Lower heartbeatIntervalMs.');
  }
  const assignors = (options.assignors ?? ['range', 'cooperative-sticky']).map((each) =>
    typeof each === 'string' ? ASSIGNORS[each] : each,
  );
  if (assignors.length === 0 || assignors.includes(undefined as never)) {
    throw invalid('there is no such assignor', `Choose from ${Object.keys(ASSIGNORS).join(', ')}.`);
  }
  return {
    groupId,
    instanceId: options.groupInstanceId ?? null,
    rack: options.rack ?? '',
    sessionTimeoutMs,
    heartbeatIntervalMs,
    maxPollIntervalMs: options.maxPollIntervalMs ?? 300_000,
    assignors,
    serverAssignor: options.serverAssignor ?? null,
  };
}

function invalid(message: string, remedy: string): SluiceError {
  return new SluiceError('INVALID_OPTION', message, { remedy });
}
