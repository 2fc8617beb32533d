/**
 * What the active controller remembers of brokers and writes nowhere: when each was last heard of, how far it has read
 * the metadata, where its controlled shutdown may end. A new controller begins with nothing and gives everybody a full
 * session before it fences.
 */
import type { Clock } from '../base/clock.ts';
import type { BrokerId, Offset } from '../base/units.ts';
import type { BrokerReference } from '../metadata/broker-registration.ts';
import { isActiveBroker, type MetadataImage } from '../metadata/image.ts';

interface Session {
  readonly brokerEpoch: number;
  /** Monotonic; undefined where this incarnation was never heard of. */
  heardMs: number | undefined;
  /** How far the broker has read the metadata; -1 where it has not told. */
  metadataOffset: Offset;
  /** Where the metadata tells of this registration: a broker that has read so far knows of it. */
  readonly registeredAt: Offset;
  /** Where the metadata tells that others lead in the stopping broker's place. */
  shutdownAt: Offset | undefined;
}

export class BrokerSessions {
  readonly #clock: Clock;
  readonly #sessions = new Map<BrokerId, Session>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Begins anew with the brokers of an image, as when this node becomes the active controller. */
  restart(image: MetadataImage): void {
    this.#sessions.clear();
    for (const { id, epoch, fenced } of image.brokers.values()) {
      this.#open({ brokerId: id, brokerEpoch: epoch }, image.offset, fenced ? undefined : this.#clock.monotonicMs());
    }
  }

  /** A registration is committed; `image` tells of it. */
  registered(broker: BrokerReference, image: MetadataImage): void {
    if (this.#sessions.get(broker.brokerId)?.brokerEpoch === broker.brokerEpoch) return;
    const fenced = image.brokers.get(broker.brokerId)?.fenced ?? true;
    this.#open(broker, image.offset, fenced ? undefined : this.#clock.monotonicMs());
  }

  #open({ brokerId, brokerEpoch }: BrokerReference, registeredAt: Offset, heardMs: number | undefined): Session {
    const session = { brokerEpoch, heardMs, metadataOffset: -1, registeredAt, shutdownAt: undefined };
    this.#sessions.set(brokerId, session);
    return session;
  }

  /** The broker is no longer registered. */
  forget(brokerId: BrokerId): void {
    this.#sessions.delete(brokerId);
  }

  /** The broker was heard of. Brokers that registered with an earlier controller are met here. */
  heard(broker: BrokerReference, image: MetadataImage): void {
    this.#sessionOf(broker, image).heardMs = this.#clock.monotonicMs();
  }

  /** The broker is taken for gone. */
  silenced({ brokerId, brokerEpoch }: BrokerReference): void {
    const session = this.#sessions.get(brokerId);
    if (session?.brokerEpoch === brokerEpoch) session.heardMs = undefined;
  }

  /** The broker has read the metadata up to `offset`. */
  reached(broker: BrokerReference, offset: Offset, image: MetadataImage): void {
    const session = this.#sessionOf(broker, image);
    session.metadataOffset = Math.max(session.metadataOffset, offset);
  }

  registeredAt(broker: BrokerReference, image: MetadataImage): Offset {
    return this.#sessionOf(broker, image).registeredAt;
  }

  /** Notes where leaderships were handed over, once for a shutdown. */
  shutdownBegan(broker: BrokerReference, at: Offset, image: MetadataImage): void {
    this.#sessionOf(broker, image).shutdownAt ??= at;
  }

  shutdownAt(broker: BrokerReference, image: MetadataImage): Offset | undefined {
    return this.#sessionOf(broker, image).shutdownAt;
  }

  #sessionOf(broker: BrokerReference, image: MetadataImage): Session {
    const known = this.#sessions.get(broker.brokerId);
    return known?.brokerEpoch === broker.brokerEpoch ? known : this.#open(broker, image.offset, undefined);
  }

  hasSession(brokerId: BrokerId, timeoutMs: number): boolean {
    const heardMs = this.#sessions.get(brokerId)?.heardMs;
    return heardMs !== undefined && this.#clock.monotonicMs() - heardMs < timeoutMs;
  }

  /** Brokers that serve and have been silent for too long. */
  expired(image: MetadataImage, timeoutMs: number): BrokerReference[] {
    const now = this.#clock.monotonicMs();
    return [...image.brokers.values()].flatMap(({ id: brokerId, epoch: brokerEpoch, fenced }) => {
      if (fenced) return [];
      const session = this.#sessionOf({ brokerId, brokerEpoch }, image);
      // Whoever serves was heard of, by this controller or by the one before.
      session.heardMs ??= now;
      return now - session.heardMs >= timeoutMs ? [{ brokerId, brokerEpoch }] : [];
    });
  }

  /** This process stood still for so long and heard nobody: that is nobody else's silence. */
  excuse(silenceMs: number): void {
    for (const session of this.#sessions.values()) {
      if (session.heardMs !== undefined) session.heardMs += silenceMs;
    }
  }

  /** How far every broker that may lead has read the metadata, but for `except`; Infinity where there are none. */
  lowestActiveOffset(image: MetadataImage, except: ReadonlySet<BrokerId>): Offset {
    let lowest = Number.POSITIVE_INFINITY;
    for (const { id, epoch } of image.brokers.values()) {
      if (except.has(id) || !isActiveBroker(image, id)) continue;
      const { metadataOffset } = this.#sessionOf({ brokerId: id, brokerEpoch: epoch }, image);
      lowest = Math.min(lowest, metadataOffset);
    }
    return lowest;
  }
}
