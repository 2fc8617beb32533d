/**
 * Who follows this controller's metadata stream, by connection. A broker that dies has its sockets closed by its kernel:
 * when a link ends and nobody listens at the broker's address any more, that is evidence enough, long before any
 * session ends. A host that does not answer at all is left to the sessions.
 */
import type { Clock } from '../base/clock.ts';
import { SluiceError, systemErrorCode } from '../base/errors.ts';
import type { BrokerId } from '../base/units.ts';
import type { MetadataQuorum } from '../metadata/quorum.ts';
import type { Channel } from '../network/channel.ts';
import type { Connection } from '../network/connection.ts';
import { apiVersions } from '../protocol/apis/api-versions.ts';

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
  readonly #stop: () => void;

  constructor(options: { readonly brokerId: BrokerId }, dependencies: FollowerLinksDependencies) {
    this.#ownId = options.brokerId;
    this.#dependencies = dependencies;
    this.#stop = dependencies.quorum.onRole((active) => {
      if (!active) return;
      for (const delayMs of LOOK_AFTER_MS) dependencies.clock.after(delayMs, () => this.#lookForMissing());
    });
  }

  /** A broker asked for the stream on this connection. */
  seen(brokerId: BrokerId, connection: Connection): void {
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
    this.#links.clear();
  }
}
