/**
 * Whether this node may stand for the office: one that had to give it up because it heard too few of the others stands again
 * only once it reaches them, for ZooKeeper alone cannot tell who is of use to whom. Decides nothing about others.
 */
import type { BrokerId } from '../../../base/units.ts';
import type { Channel } from '../../../network/channel.ts';
import { probe } from '../../../network/probe.ts';
import { type Address, addressOf } from './broker-address.ts';
import type { ZooKeeper } from './client/zookeeper.ts';
import { BROKER_IDS } from './store/znodes.ts';

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

  /** Half of those that ZooKeeper hears, with this node: where nobody reaches more, some controller is better than none. */
  async #reachesHalf(session: ZooKeeper): Promise<boolean> {
    const { children } = await session.getChildren(BROKER_IDS);
    const others = children.map(Number).filter((id) => Number.isSafeInteger(id) && id !== this.#options.brokerId);
    const found = await Promise.all(others.map((id) => this.#reaches(session, id)));
    const reached = 1 + found.filter(Boolean).length;
    return 2 * reached >= 1 + others.length;
  }

  /** A host that says that nobody listens is reached as well; who is gone since, or not understood, is missed by nobody. */
  async #reaches(session: ZooKeeper, brokerId: BrokerId): Promise<boolean> {
    const address = await addressOf(session, brokerId, { listener: this.#options.interBrokerListener });
    return address === undefined || (await probe(() => this.#connect(address))) !== 'unknown';
  }
}
