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

export interface FollowerLinksDependencies {
  readonly clock: Clock;
  readonly quorum: Pick<MetadataQuorum, 'isActiveController' | 'image' | 'onRole'>;
  /** Rejects as `connect` of network/ does. */
  readonly connect: (brokerId: BrokerId) => Promise<Channel>;
  /** The broker of this epoch is gone. */
  readonly onGone: (brokerId: BrokerId, brokerEpoch: number) => void;
}

/** What brokers get to link up with a new controller before it looks whether they are there. */
const LINK_UP_MS = 1000;

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
      if (active) dependencies.clock.after(LINK_UP_MS, () => this.#lookForMissing());
    });
  }

  /** A broker asked for the stream on this connection. */
  seen(brokerId: BrokerId, connection: Connection): void {
    if (this.#links.get(brokerId) === connection) return;
    this.#links.set(brokerId, connection);
    connection.onClose(() => {
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

  async #probe(brokerId: BrokerId): Promise<void> {
    const { quorum, connect, onGone } = this.#dependencies;
    const broker = quorum.image().brokers.get(brokerId);
    if (!quorum.isActiveController() || broker === undefined || broker.fenced) return;
    try {
      const channel = await connect(brokerId);
      void channel.close();
    } catch (error) {
      const refused = error instanceof SluiceError && systemErrorCode(error.cause) === 'ECONNREFUSED';
      // It may have linked up meanwhile.
      if (refused && !this.#links.has(brokerId) && quorum.isActiveController()) onGone(brokerId, broker.epoch);
    }
  }

  close(): void {
    this.#stop();
    this.#links.clear();
  }
}
