/**
 * Who follows this controller's metadata stream, by connection. A broker that dies has its sockets closed by its kernel:
 * when a link ends and nobody listens at the broker's address any more, that is evidence enough, long before any
 * session ends. A host that does not answer at all is left to the sessions; a broker that no longer asks, though its session
 * lives elsewhere, is fenced after as long as a session.
 */
import type { Clock, Timer } from '../base/clock.ts';
import { SluiceError, systemErrorCode } from '../base/errors.ts';
import type { BrokerId } from '../base/units.ts';
import type { MetadataQuorum } from '../metadata/quorum.ts';
import type { Channel } from '../network/channel.ts';
import type { Connection } from '../network/connection.ts';
import { apiVersions } from '../protocol/apis/api-versions.ts';

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
}

/**
 * When a new controller looks for brokers that have not linked up with it: at once, for the old controller may be gone with
 * what it led, and again when it has learned of all brokers.
 */
const LOOK_AFTER_MS = [0, 200, 1000];
const CHECK_MS = 1000;
const PROBES = 20;
const PROBE_PAUSE_MS = 20;
const ANSWER_MS = 1000;
/** Version 0 sends no name. */
const NO_NAME = { clientSoftwareName: '', clientSoftwareVersion: '' };

export class FollowerLinks {
  readonly #ownId: BrokerId;
  readonly #dependencies: FollowerLinksDependencies;
  /** The newest connection of each. */
  readonly #links = new Map<BrokerId, Connection>();
  readonly #heardMs = new Map<BrokerId, number>();
  readonly #silenceMs: number | undefined;
  readonly #stop: () => void;
  #check: Timer | undefined;
  /** Nobody is blamed for what this node could not hear: before it was the controller, and while it stood still. */
  #listeningSinceMs = 0;
  #checkedMs = 0;

  constructor(options: FollowerLinksOptions, dependencies: FollowerLinksDependencies) {
    this.#ownId = options.brokerId;
    this.#silenceMs = options.silenceMs;
    this.#dependencies = dependencies;
    this.#stop = dependencies.quorum.onRole((active) => this.#roleChanged(active));
  }

  #roleChanged(active: boolean): void {
    const { clock } = this.#dependencies;
    this.#check?.cancel();
    if (!active) return;
    for (const delayMs of LOOK_AFTER_MS) clock.after(delayMs, () => this.#lookForMissing());
    this.#listeningSinceMs = this.#checkedMs = clock.monotonicMs();
    if (this.#silenceMs !== undefined) this.#check = clock.every(CHECK_MS, () => this.#checkSilence(this.#silenceMs!));
  }

  /**
   * A broker that cannot reach its controller cannot change the in-sync sets of what it leads, however alive it is elsewhere:
   * others lead in its place. Once it hears that it was fenced, it registers anew.
   */
  #checkSilence(silenceMs: number): void {
    const { clock, quorum, onGone } = this.#dependencies;
    const nowMs = clock.monotonicMs();
    if (nowMs - this.#checkedMs > 2 * CHECK_MS) this.#listeningSinceMs = nowMs;
    this.#checkedMs = nowMs;
    for (const { id, fenced, epoch } of quorum.image().brokers.values()) {
      const heardMs = Math.max(this.#heardMs.get(id) ?? 0, this.#listeningSinceMs);
      if (!fenced && id !== this.#ownId && nowMs - heardMs > silenceMs) onGone(id, epoch);
    }
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
    for (const { id, fenced } of this.#dependencies.quorum.image().brokers.values()) {
      if (!fenced && id !== this.#ownId && !this.#links.has(id)) void this.#probe(id);
    }
  }

  /** Looks until the broker answers or its host says that nobody listens; a host that says nothing is left alone. */
  async #probe(brokerId: BrokerId): Promise<void> {
    const { quorum, onGone, clock } = this.#dependencies;
    const epoch = quorum.image().brokers.get(brokerId)?.epoch;
    for (let attempt = 0; attempt < PROBES; attempt++) {
      const broker = quorum.image().brokers.get(brokerId);
      if (!quorum.isActiveController() || broker?.epoch !== epoch || broker?.fenced !== false) return;
      const found = await this.#look(brokerId);
      // It may have linked up meanwhile.
      if (found === 'alive' || this.#links.has(brokerId)) return;
      if (found === 'gone' && quorum.isActiveController()) return onGone(brokerId, broker.epoch);
      await new Promise<void>((resolve) => clock.after(PROBE_PAUSE_MS, resolve));
    }
  }

  /** A process that is ending may still accept a connection, for its kernel does; but it answers nothing. */
  async #look(brokerId: BrokerId): Promise<'alive' | 'gone' | 'unknown'> {
    let channel: Channel | undefined;
    try {
      channel = await this.#dependencies.connect(brokerId);
      await channel.request(apiVersions, 0, NO_NAME, { timeoutMs: ANSWER_MS });
      return 'alive';
    } catch (error) {
      return error instanceof SluiceError && systemErrorCode(error.cause) === 'ECONNREFUSED' ? 'gone' : 'unknown';
    } finally {
      void channel?.close();
    }
  }

  close(): void {
    this.#stop();
    this.#check?.cancel();
    this.#links.clear();
  }
}
