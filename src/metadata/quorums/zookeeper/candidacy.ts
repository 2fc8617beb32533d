/**
 * Whether this node may stand for the office: one that had to give it up because it heard too few of the others stands again
 * only once it reaches them, for ZooKeeper alone cannot tell who is of use to whom. Decides nothing about others.
 */
import { SluiceError } from '../../../base/errors.ts';
import type { BrokerId } from '../../../base/units.ts';
import type { Channel } from '../../../network/channel.ts';
import { probe } from '../../../network/probe.ts';
import { failedWith } from './client/errors.ts';
import type { ZooKeeper } from './client/zookeeper.ts';
import { BROKER_IDS, brokerIdPath, readRegistration } from './store/znodes.ts';

interface Address {
  readonly host: string;
  readonly port: number;
}

export interface CandidacyOptions {
  readonly brokerId: BrokerId;
  /** The listener by which brokers reach each other. */
  readonly interBrokerListener: string;
}

export class Candidacy {
  readonly #options: CandidacyOptions;
  readonly #connect: (address: Address) => Promise<Channel>;
  #standsBack = false;

  constructor(
    options: CandidacyOptions,
    dependencies: { readonly connectController: (address: Address) => Promise<Channel> },
  ) {
    this.#options = options;
    this.#connect = dependencies.connectController;
  }

  get standsBack(): boolean {
    return this.#standsBack;
  }

  /** Too few of the others were heard. */
  standBack(): void {
    this.#standsBack = true;
  }

  /** A controller was heard: this node is not alone. */
  heardController(): void {
    this.#standsBack = false;
  }

  /** May take as long as a connection to a host that is not there. Rejects with a ZooKeeperError. */
  async mayStand(session: ZooKeeper): Promise<boolean> {
    if (this.#standsBack && (await this.#reachesHalf(session))) this.#standsBack = false;
    return !this.#standsBack;
  }

  /** Half of those that ZooKeeper hears, this node included: where nobody reaches more, some controller is better than none. */
  async #reachesHalf(session: ZooKeeper): Promise<boolean> {
    const { children } = await session.getChildren(BROKER_IDS);
    const others = children.map(Number).filter((id) => Number.isSafeInteger(id) && id !== this.#options.brokerId);
    const found = await Promise.all(others.map((id) => this.#reaches(session, id)));
    const reached = 1 + found.filter(Boolean).length;
    return 2 * reached >= 1 + others.length;
  }

  /** A host that says that nobody listens is reached as well. */
  async #reaches(session: ZooKeeper, brokerId: BrokerId): Promise<boolean> {
    const address = await this.#addressOf(session, brokerId);
    return address === undefined || (await probe(() => this.#connect(address))) !== 'unknown';
  }

  /** Undefined for a broker that is gone since, or that nobody understands: it is missed by nobody. */
  async #addressOf(session: ZooKeeper, brokerId: BrokerId): Promise<Address | undefined> {
    try {
      const { endpoints } = readRegistration(brokerId, (await session.getData(brokerIdPath(brokerId))).data);
      return endpoints.find(({ name }) => name === this.#options.interBrokerListener) ?? endpoints[0];
    } catch (error) {
      if (failedWith(error, 'NO_NODE')) return undefined;
      if (error instanceof SluiceError && error.code === 'CORRUPT_METADATA') return undefined;
      throw error;
    }
  }
}
