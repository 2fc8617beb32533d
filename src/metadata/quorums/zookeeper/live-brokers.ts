/**
 * Which brokers live, as ZooKeeper tells: their ephemeral znodes. Told anew after every change, a broker that came back
 * within one look by its new epoch included. For as long as one controller is in office.
 */
import type { Clock, Timer } from '../../../base/clock.ts';
import { messageOf } from '../../../base/errors.ts';
import type { Logger } from '../../../base/logger.ts';
import type { LiveBroker } from '../../broker-registration.ts';
import { failedWith } from './client/errors.ts';
import type { ZooKeeper } from './client/zookeeper.ts';
import { BROKER_IDS, brokerIdPath, readRegistration } from './store/znodes.ts';

const RETRY_MS = 200;

interface Sighting extends LiveBroker {
  readonly mzxid: number;
}

export class LiveBrokers {
  readonly #zooKeeper: ZooKeeper;
  readonly #dependencies: { readonly clock: Clock; readonly logger: Logger };
  readonly #onChange: (brokers: readonly LiveBroker[]) => void;
  readonly #look = (): void => void this.#refresh();
  #seen: string | undefined;
  #looking = false;
  #again = false;
  #stopped = false;
  #retry: Timer | undefined;

  constructor(
    zooKeeper: ZooKeeper,
    dependencies: { readonly clock: Clock; readonly logger: Logger },
    onChange: (brokers: readonly LiveBroker[]) => void,
  ) {
    this.#zooKeeper = zooKeeper;
    this.#dependencies = dependencies;
    this.#onChange = onChange;
    this.#look();
  }

  stop(): void {
    this.#stopped = true;
    this.#retry?.cancel();
  }

  /** One look at a time; what changes meanwhile asks for another. */
  async #refresh(): Promise<void> {
    this.#again = this.#looking;
    if (this.#looking || this.#stopped) return;
    this.#looking = true;
    try {
      const brokers = await this.#read();
      const seen = brokers.map(({ brokerEpoch, mzxid }) => `${brokerEpoch}:${mzxid}`).join();
      if (!this.#stopped && seen !== this.#seen) {
        this.#seen = seen;
        this.#onChange(brokers.map(({ registration, brokerEpoch }) => ({ registration, brokerEpoch })));
      }
    } catch (error) {
      this.#dependencies.logger.debug('cannot see which brokers live', { reason: messageOf(error) });
      this.#retry = this.#dependencies.clock.after(RETRY_MS, this.#look);
    } finally {
      this.#looking = false;
    }
    if (this.#again) this.#look();
  }

  async #read(): Promise<Sighting[]> {
    const { children } = await this.#zooKeeper.getChildren(BROKER_IDS, this.#look);
    const ids = children.map(Number).filter(Number.isSafeInteger);
    const read = await Promise.all(ids.sort((left, right) => left - right).map((id) => this.#readOne(id)));
    return read.filter((sighting) => sighting !== undefined);
  }

  async #readOne(id: number): Promise<Sighting | undefined> {
    try {
      const { data, stat } = await this.#zooKeeper.getData(brokerIdPath(id), this.#look);
      const registration = readRegistration(id, data);
      if (registration.incarnationId !== '') return { registration, brokerEpoch: stat.czxid, mzxid: stat.mzxid };
      this.#dependencies.logger.warn('a broker of another kind is registered; it is passed over', { brokerId: id });
    } catch (error) {
      if (failedWith(error, 'NO_NODE')) return undefined;
      if (!(error instanceof Error && 'code' in error && error.code === 'CORRUPT_METADATA')) throw error;
      this.#dependencies.logger.warn('a broker is registered in a way that cannot be understood', {
        brokerId: id,
        reason: error.message,
      });
    }
    return undefined;
  }
}
