/** Tells clients that asked the wrong broker who leads now and where it is, so that they need not ask for metadata (KIP-951). */
import type { BrokerId, LeaderEpoch } from '../base/units.ts';
import type { MetadataImage } from '../metadata/image.ts';
import { brokersOf } from './cluster-view.ts';

export interface CurrentLeader {
  readonly leaderId: BrokerId;
  readonly leaderEpoch: LeaderEpoch;
}

export interface NodeEndpoint {
  readonly nodeId: BrokerId;
  readonly host: string;
  readonly port: number;
  readonly rack: string | null;
}

/** Gathers the hints of one response. */
export class LeaderHints {
  readonly #image: MetadataImage;
  readonly #listenerName: string;
  readonly #leaders = new Set<BrokerId>();

  constructor(image: MetadataImage, listenerName: string) {
    this.#image = image;
    this.#listenerName = listenerName;
  }

  /** Undefined of a partition that does not exist. */
  leaderOf(topic: string, partition: number): CurrentLeader | undefined {
    const known = this.#image.topics.byName.get(topic)?.partitions[partition];
    if (known === undefined) return undefined;
    this.#leaders.add(known.leader);
    return { leaderId: known.leader, leaderEpoch: known.leaderEpoch };
  }

  /** Where the leaders that were told can be reached on the client's listener. */
  endpoints(): NodeEndpoint[] {
    if (this.#leaders.size === 0) return [];
    return brokersOf(this.#image, this.#listenerName)
      .filter(({ id }) => this.#leaders.has(id))
      .map(({ id, host, port, rack }) => ({ nodeId: id, host, port, rack }));
  }
}
