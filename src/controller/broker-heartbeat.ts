/**
 * What a broker's heartbeat brings about (KIP-631), decided on an image:
 *
 *    fenced ──caught up──▶ serving ──wants to stop, leads──▶ stopping ──others lead and know it──▶ stopped
 *       ◀──wants to be fenced──┘ └──────wants to stop, leads nothing──────────────────────────────────▲
 *
 * A stopped broker is fenced; it is told that it may go.
 */
import type { BrokerId, Offset } from '../base/units.ts';
import type { BrokerConfig } from '../config/broker-config.ts';
import type { MetadataImage } from '../metadata/image.ts';
import type { MetadataRecord } from '../metadata/records.ts';
import type { BrokerHeartbeatRequest } from '../protocol/apis/broker-heartbeat.ts';
import { directoryRecords } from './directory-changes.ts';
import { electionRecords, places } from './elections.ts';
import type { Decision } from './pending-image.ts';
import type { Refusal } from './refusal.ts';
import { beginControlledShutdown, fenceBroker, staleBroker, unfenceBroker } from './registration.ts';

export type BrokerState = 'fenced' | 'serving' | 'stopping' | 'stopped';

/** What the controller remembers of the broker and of the others. */
export interface HeartbeatFacts {
  /** A broker that has read the metadata so far knows that it is registered. */
  readonly registeredAt: Offset;
  /** Where others were made leaders in its place; undefined before. */
  readonly shutdownAt: Offset | undefined;
  /** How far all other brokers have read. */
  readonly lowestActiveOffset: Offset;
}

export interface HeartbeatOutcome {
  readonly isCaughtUp: boolean;
  readonly state: BrokerState;
}

export function brokerHeartbeat(
  image: MetadataImage,
  request: BrokerHeartbeatRequest,
  facts: HeartbeatFacts,
  config: BrokerConfig,
): Decision<HeartbeatOutcome | Refusal> {
  const { brokerId, brokerEpoch } = request;
  const stale = staleBroker(image, brokerId, brokerEpoch);
  if (stale !== undefined) return { records: [], result: stale };
  const isCaughtUp = request.currentMetadataOffset >= facts.registeredAt;
  const current = stateOf(image, brokerId);
  const state = nextState[current](request, { ...facts, isCaughtUp, leads: () => leadsAnything(image, brokerId) });
  const records =
    state === current
      ? steadyRecords(image, request, state, config)
      : transitionRecords(image, { brokerId, brokerEpoch }, state, config);
  return { records, result: { isCaughtUp, state } };
}

function stateOf(image: MetadataImage, brokerId: BrokerId): Exclude<BrokerState, 'stopped'> {
  const { fenced, inControlledShutdown } = image.brokers.get(brokerId)!;
  if (fenced) return 'fenced';
  return inControlledShutdown ? 'stopping' : 'serving';
}

interface Situation extends HeartbeatFacts {
  readonly isCaughtUp: boolean;
  leads(): boolean;
}

type Wish = Pick<BrokerHeartbeatRequest, 'wantFence' | 'wantShutDown'>;

const nextState: Record<Exclude<BrokerState, 'stopped'>, (wish: Wish, now: Situation) => BrokerState> = {
  fenced: ({ wantFence, wantShutDown }, { isCaughtUp }) => {
    if (wantShutDown) return 'stopped';
    return !wantFence && isCaughtUp ? 'serving' : 'fenced';
  },
  serving: ({ wantFence, wantShutDown }, { leads }) => {
    if (wantFence) return wantShutDown ? 'stopped' : 'fenced';
    if (!wantShutDown) return 'serving';
    return leads() ? 'stopping' : 'stopped';
  },
  // Followers that do not know of their new leaders yet still need this one to tell them.
  stopping: (_wish, { leads, shutdownAt, lowestActiveOffset }) =>
    leads() || shutdownAt === undefined || shutdownAt > lowestActiveOffset ? 'stopping' : 'stopped',
};

function transitionRecords(
  image: MetadataImage,
  broker: { readonly brokerId: BrokerId; readonly brokerEpoch: number },
  state: BrokerState,
  config: BrokerConfig,
): readonly MetadataRecord[] {
  if (state === 'serving') return unfenceBroker(image, broker, config).records;
  if (state === 'stopping') return beginControlledShutdown(image, broker, config).records;
  return fenceBroker(image, broker, config).records;
}

/** What else a heartbeat tells; with the next one, where this one changed the broker's state. */
function steadyRecords(
  image: MetadataImage,
  request: BrokerHeartbeatRequest,
  state: BrokerState,
  config: BrokerConfig,
): readonly MetadataRecord[] {
  const directories = directoryRecords(image, request, config);
  if (state !== 'stopping' || directories.length > 0) return directories;
  return electionRecords(image, { removed: request.brokerId }, config);
}

export function leadsAnything(image: MetadataImage, brokerId: BrokerId): boolean {
  for (const { partition } of places(image)) if (partition.leader === brokerId) return true;
  return false;
}
