/**
 * Who follows this controller's metadata stream, by connection. A broker that dies has its sockets closed by its kernel:
 * when a link ends and nobody listens at the broker's address any more, that is evidence enough, long before any
 * session ends. One that neither asks nor answers is fenced before its session ends, too; a broker that answers and does not
 * ask, after as long as a session. Where that holds for most brokers, it is this node that is cut off.
 */
import type { Clock, Timer } from '../base/clock.ts';
import type { BrokerId } from '../base/units.ts';
import type { BrokerImage } from '../metadata/image.ts';
import type { MetadataQuorum } from '../metadata/quorum.ts';
import type { Channel } from '../network/channel.ts';
import type { Connection } from '../network/connection.ts';
import { probe } from '../network/probe.ts';

export interface FollowerLinksOptions {
  readonly brokerId: BrokerId;
  /** Silence on its link after which a broker counts as gone; undefined where heartbeats tell. */
  readonly silenceMs: number | undefined;
}

export interface FollowerLinksDependencies {
  readonly clock: Clock;
  readonly quorum: Pick<MetadataQuorum, 'isActiveController' | 'image' | 'onRole'>;
  /** Rejects as `connect` of network/ does. */
  readonly connect: (brokerId: BrokerId) => Promise<Channel>;
  /** The broker of this epoch is gone. */
  readonly onGone: (brokerId: BrokerId, brokerEpoch: number) => void;
  /** Most brokers are not heard by this controller, and do not answer it: another one should be in office. */
  readonly onIsolated: () => void;
}

/**
 * When a new controller looks for brokers that have not linked up with it: at once, for the old controller may be gone with
 * what it led, and again when it has learned of all brokers.
 */
const LOOK_AFTER_MS = [0, 200, 1000];
const LONGEST_CHECK_MS = 1000;
const CHECKS_A_SESSION = 10;
const PROBES = 20;
const PROBE_PAUSE_MS = 20;
/** Of a session: a broker that was not heard for so long is asked whether it lives. */
const SUSPICIOUS_SHARE = 1 / 3;
/** A healthy follower asks every second. */
const LEAST_SUSPICIOUS_MS = 2000;

export class FollowerLinks {
  readonly #ownId: BrokerId;
  readonly #dependencies: FollowerLinksDependencies;
  /** The newest connection of each. */
  readonly #links = new Map<BrokerId, Connection>();
  readonly #heardMs = new Map<BrokerId, number>();
  readonly #questioned = new Set<BrokerId>();
  readonly #silenceMs: number;
  readonly #checkMs: number;
  readonly #stop: () => void;
  #check: Timer | undefined;
  /** Nobody is blamed for what this node could not hear: before it was the controller, and while it stood still. */
  #listeningSinceMs = 0;
  #checkedMs = 0;

  constructor(options: FollowerLinksOptions, dependencies: FollowerLinksDependencies) {
    this.#ownId = options.brokerId;
    this.#silenceMs = options.silenceMs ?? Number.POSITIVE_INFINITY;
    this.#checkMs = Math.min(LONGEST_CHECK_MS, Math.ceil(this.#silenceMs / CHECKS_A_SESSION));
    this.#dependencies = dependencies;
    this.#stop = dependencies.quorum.onRole((active) => this.#roleChanged(active));
    // It may have taken office before anybody could listen.
    if (dependencies.quorum.isActiveController()) this.#roleChanged(true);
  }

  #roleChanged(active: boolean): void {
    const { clock } = this.#dependencies;
    this.#check?.cancel();
    if (!active) return;
    for (const delayMs of LOOK_AFTER_MS) clock.after(delayMs, () => this.#lookForMissing());
    if (!Number.isFinite(this.#silenceMs)) return;
    this.#listeningSinceMs = this.#checkedMs = clock.monotonicMs();
    this.#check = clock.every(this.#checkMs, () => this.#checkSilence());
  }

  /**
   * A broker that cannot reach its controller cannot change the in-sync sets of what it leads, however alive it is elsewhere:
   * others lead in its place. Once it hears that it was fenced, it registers anew.
   */
  #checkSilence(): void {
    const nowMs = this.#dependencies.clock.monotonicMs();
    if (this.#stoodStill()) this.#listeningSinceMs = nowMs;
    this.#checkedMs = nowMs;
    const suspicious = this.#silentFor(this.#suspiciousMs);
    const gone = new Set(this.#silentFor(this.#silenceMs));
    if (gone.size > 0) this.#judge([...gone], suspicious);
    for (const broker of suspicious) if (!gone.has(broker)) void this.#question(broker);
  }

  #stoodStill(): boolean {
    return this.#dependencies.clock.monotonicMs() - this.#checkedMs > 2 * this.#checkMs;
  }

  get #suspiciousMs(): number {
    return Math.max(LEAST_SUSPICIOUS_MS, this.#silenceMs * SUSPICIOUS_SHARE);
  }

  /** Brokers that count as alive and were not heard for that long. */
  #silentFor(ms: number): BrokerImage[] {
    const nowMs = this.#dependencies.clock.monotonicMs();
    return this.#others().filter(({ id }) => nowMs - this.#lastHeardMs(id) > ms);
  }

  #lastHeardMs(brokerId: BrokerId): number {
    return Math.max(this.#heardMs.get(brokerId) ?? 0, this.#listeningSinceMs);
  }

  /** Brokers that count as alive. */
  #others(): BrokerImage[] {
    const brokers = [...this.#dependencies.quorum.image().brokers.values()];
    return brokers.filter(({ id, fenced }) => !fenced && id !== this.#ownId);
  }

  /** Asks a silent broker for an answer, one question at a time; without one it is gone. */
  async #question(broker: BrokerImage): Promise<void> {
    const { quorum, connect, onGone } = this.#dependencies;
    if (this.#questioned.has(broker.id)) return;
    this.#questioned.add(broker.id);
    const sinceMs = this.#lastHeardMs(broker.id);
    const found = await probe(() => connect(broker.id));
    this.#questioned.delete(broker.id);
    const now = quorum.image().brokers.get(broker.id);
    if (!quorum.isActiveController() || now?.epoch !== broker.epoch || now.fenced) return;
    if (found === 'alive' || this.#lastHeardMs(broker.id) !== sinceMs || this.#stoodStill()) return;
    if (found === 'gone') onGone(broker.id, broker.epoch);
    else this.#judge([broker], this.#silentFor(this.#suspiciousMs));
  }

  #judge(gone: readonly BrokerImage[], silent: readonly BrokerImage[]): void {
    const { onGone, onIsolated } = this.#dependencies;
    const all = this.#others().length + 1;
    if (2 * (all - silent.length) < all) onIsolated();
    else for (const { id, epoch } of gone) onGone(id, epoch);
  }

  /** A broker asked for the stream on this connection. */
  seen(brokerId: BrokerId, connection: Connection): void {
    this.#heardMs.set(brokerId, this.#dependencies.clock.monotonicMs());
    if (this.#links.get(brokerId) === connection) return;
    this.#links.set(brokerId, connection);
    connection.onPeerEnd(() => {
      if (this.#links.get(brokerId) !== connection) return;
      this.#links.delete(brokerId);
      void this.#probe(brokerId);
    });
  }

  /** Brokers that died with the controller before never linked up with this one. */
  #lookForMissing(): void {
    for (const { id } of this.#others()) if (!this.#links.has(id)) void this.#probe(id);
  }

  /** Looks until the broker answers or its host says that nobody listens; a host that says nothing is left alone. */
  async #probe(brokerId: BrokerId): Promise<void> {
    const { quorum, connect, onGone, clock } = this.#dependencies;
    const epoch = quorum.image().brokers.get(brokerId)?.epoch;
    for (let attempt = 0; attempt < PROBES; attempt++) {
      const broker = quorum.image().brokers.get(brokerId);
      if (!quorum.isActiveController() || broker?.epoch !== epoch || broker?.fenced !== false) return;
      const found = await probe(() => connect(brokerId));
      // It may have linked up meanwhile.
      if (found === 'alive' || this.#links.has(brokerId)) return;
      if (found === 'gone' && quorum.isActiveController()) return onGone(brokerId, broker.epoch);
      await new Promise<void>((resolve) => clock.after(PROBE_PAUSE_MS, resolve));
    }
  }

  close(): void {
    this.#stop();
    this.#check?.cancel();
    this.#links.clear();
  }
}
