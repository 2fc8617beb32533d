/**
 * Brokers of which something else than heartbeats tells that they live (ZooKeeper's ephemeral nodes): what differs from
 * the image becomes registrations and fences. Decided on an image.
 */
import type { BrokerConfig } from '../config/broker-config.ts';
import type { LiveBroker } from '../metadata/broker-registration.ts';
import { applyRecords, type BrokerImage, type MetadataImage } from '../metadata/image.ts';
import type { MetadataRecord } from '../metadata/records.ts';
import type { Decision } from './pending-image.ts';
import { isRefusal, type Refusal } from './refusal.ts';
import { fenceBroker, registerBroker } from './registration.ts';

export interface MembershipOutcome {
  readonly registered: readonly LiveBroker[];
  readonly fenced: readonly { readonly brokerId: number; readonly brokerEpoch: number }[];
  readonly refused: readonly { readonly broker: LiveBroker; readonly refusal: Refusal }[];
}

/**
 * Who is gone is fenced before anybody registers: of several that were in sync, the one that comes back first can then
 * lead, instead of waiting for one that is not there. Each decision sees the ones before it.
 */
export function followMembers(
  image: MetadataImage,
  live: readonly LiveBroker[],
  config: BrokerConfig,
): Decision<MembershipOutcome> {
  const byId = new Map(live.map((broker) => [broker.registration.brokerId, broker]));
  const records: MetadataRecord[] = [];
  let now = image;
  const apply = (made: readonly MetadataRecord[]): void => {
    if (made.length === 0) return;
    now = applyRecords(now, made, now.offset + made.length, now.epoch).image;
    records.push(...made);
  };
  const gone = [...image.brokers.values()].filter(({ id, fenced }) => !fenced && !byId.has(id));
  for (const { id, epoch } of gone) {
    apply(fenceBroker(now, { brokerId: id, brokerEpoch: epoch }, config).records);
  }
  const registered: LiveBroker[] = [];
  const refused: { broker: LiveBroker; refusal: Refusal }[] = [];
  for (const broker of live) {
    const { registration, brokerEpoch } = broker;
    if (isKnown(image.brokers.get(registration.brokerId), broker)) continue;
    const { records: made, result } = registerBroker(now, registration, config, { brokerEpoch });
    if (isRefusal(result)) refused.push({ broker, refusal: result });
    else {
      apply(made);
      registered.push(broker);
    }
  }
  const fenced = gone.map(({ id: brokerId, epoch: brokerEpoch }) => ({ brokerId, brokerEpoch }));
  return { records, result: { registered, fenced, refused } };
}

/** Whether the image has all that the broker tells of itself, or something newer. */
function isKnown(known: BrokerImage | undefined, { registration, brokerEpoch }: LiveBroker): boolean {
  if (known === undefined || known.epoch < brokerEpoch) return false;
  // What was read before the broker registered anew says nothing of it.
  if (known.epoch > brokerEpoch) return true;
  return (
    known.rack === registration.rack &&
    JSON.stringify(known.endpoints) === JSON.stringify(registration.endpoints) &&
    known.logDirs.every((directory) => registration.logDirs.includes(directory))
  );
}
