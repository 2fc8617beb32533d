/**
 * This broker's ephemeral znode. Its czxid is the broker's epoch: rising over lives, the same on every server. A znode that
 * an earlier life of this broker left is replaced; one of somebody else with our id is waited for, and never touched.
 */
import type { Clock } from '../../../base/clock.ts';
import { SluiceError } from '../../../base/errors.ts';
import type { Logger } from '../../../base/logger.ts';
import type { Channel } from '../../../network/channel.ts';
import { probe } from '../../../network/probe.ts';
import type { BrokerRegistration } from '../../broker-registration.ts';
import { subscribeTo } from '../subscriptions.ts';
import { type Address, addressAmong } from './broker-address.ts';
import { failedWith } from './client/errors.ts';
import type { SessionId, Stat, Watcher, ZooKeeper } from './client/zookeeper.ts';
import { brokerIdPath, readRegistration, registrationData } from './store/znodes.ts';

interface Wanted {
  readonly registration: BrokerRegistration;
  /** How long another may hold the id. */
  readonly patienceMs: number;
  deadlineMs: number;
  readonly resolve: (registered: { readonly brokerEpoch: number }) => void;
  readonly reject: (error: Error) => void;
  /** The session in which it is made. */
  session: ZooKeeper | undefined;
  /** Of the znode whose holder was looked at. */
  lookedAt?: number;
}

export interface RegistrationAttempt {
  /** Sessions that this process had before. */
  readonly pastSessions: ReadonlySet<SessionId>;
  /** Called when it may be worth another try. */
  readonly watcher: Watcher;
}

export interface OwnRegistrationDependencies {
  readonly clock: Clock;
  readonly logger: Logger;
  /** To the listener of another broker. */
  readonly connectController: (address: Address) => Promise<Channel>;
}

export class OwnRegistration {
  readonly #options: { readonly interBrokerListener: string };
  readonly #dependencies: OwnRegistrationDependencies;
  readonly #listeners = new Set<(brokerEpoch: number) => void>();
  #wanted: Wanted | undefined;
  #brokerEpoch = -1;

  constructor(options: { readonly interBrokerListener: string }, dependencies: OwnRegistrationDependencies) {
    this.#options = options;
    this.#dependencies = dependencies;
  }

  /** Of the latest registration; -1 before the first. */
  get brokerEpoch(): number {
    return this.#brokerEpoch;
  }

  /** Whether the broker is registered in this session. */
  isMadeIn(session: ZooKeeper | undefined): boolean {
    return session !== undefined && this.#wanted?.session === session;
  }

  /** Replaces what was wanted before; `keep` does it. Rejects with SluiceError BROKER_ID_IN_USE. */
  want(registration: BrokerRegistration, patienceMs: number): Promise<{ readonly brokerEpoch: number }> {
    this.drop(new SluiceError('BROKER_ID_IN_USE', 'this broker was registered once more meanwhile'));
    const deadlineMs = this.#dependencies.clock.monotonicMs() + patienceMs;
    return new Promise((resolve, reject) => {
      this.#wanted = { registration, patienceMs, deadlineMs, resolve, reject, session: undefined };
    });
  }

  /** ZooKeeper was away and is there again: servers that elected a leader give every session its whole time anew. */
  onReconnected(): void {
    if (this.#wanted === undefined) return;
    this.#wanted.deadlineMs = this.#dependencies.clock.monotonicMs() + this.#wanted.patienceMs;
  }

  /** Nobody waits any more. */
  drop(why: Error): void {
    this.#wanted?.reject(why);
    this.#wanted = undefined;
  }

  onEpoch(listener: (brokerEpoch: number) => void): () => void {
    return subscribeTo(this.#listeners, listener);
  }

  /** Once for each who holds the id: refused at once where that one answers, else told what is waited for. */
  async #lookAtHolder(wanted: Wanted, { stat, registration }: Held): Promise<void> {
    if (wanted.lookedAt === stat.czxid) return;
    wanted.lookedAt = stat.czxid;
    const { brokerId, endpoints } = wanted.registration;
    if (stat.ephemeralOwner === 0n) {
      const path = brokerIdPath(brokerId);
      this.#refuse(
        wanted,
        `the znode ${path} belongs to no session`,
        'Nobody but a broker should make it: delete it with zkCli.',
      );
      return;
    }
    const address = addressAmong(registration?.endpoints ?? [], this.#options.interBrokerListener);
    const where = address === undefined ? 'an unknown address' : `${address.host}:${address.port}`;
    const isOurAddress = endpoints.some(({ host, port }) => host === address?.host && port === address.port);
    const { clock, logger, connectController } = this.#dependencies;
    if (address !== undefined && !isOurAddress && (await probe(() => connectController(address))) === 'alive') {
      this.#refuse(wanted, `node.id=${brokerId} is taken by the broker at ${where}`);
      return;
    }
    logger.warn('this broker is still registered by another process; waiting for its session to end', {
      brokerId,
      at: where,
      incarnation: registration?.incarnationId,
      atMostMs: Math.round(wanted.deadlineMs - clock.monotonicMs()),
    });
  }

  #refuse(
    wanted: Wanted,
    why: string,
    remedy = 'Give each broker a node.id of its own, or wait until the other one has gone.',
  ): void {
    this.#dependencies.logger.error('this broker cannot be registered', { reason: why, remedy });
    wanted.reject(new SluiceError('BROKER_ID_IN_USE', why, { remedy }));
    // Who was registered once goes on trying: it serves, and the other one may be what is wrong.
    if (this.#brokerEpoch < 0 && this.#wanted === wanted) this.#wanted = undefined;
  }

  /** Registers where that is wanted and not done in this session. Tells whether all is as wanted. */
  async keep(session: ZooKeeper, attempt: RegistrationAttempt): Promise<boolean> {
    const wanted = this.#wanted;
    if (wanted === undefined || wanted.session === session) return true;
    const { clock, logger } = this.#dependencies;
    // A process that goes on has lost nothing of what its epoch before had.
    const previousBrokerEpoch = this.#brokerEpoch < 0 ? wanted.registration.previousBrokerEpoch : this.#brokerEpoch;
    const registration = {
      ...wanted.registration,
      ...(previousBrokerEpoch === undefined ? {} : { previousBrokerEpoch }),
    };
    const outcome = await tryToRegister(session, registration, { ...attempt, nowMs: clock.wallMs() });
    if (typeof outcome !== 'number') {
      await this.#lookAtHolder(wanted, outcome);
      if (clock.monotonicMs() >= wanted.deadlineMs) {
        this.#refuse(wanted, `another broker is registered with id ${registration.brokerId}`);
      }
      return false;
    }
    const brokerEpoch = outcome;
    wanted.session = session;
    this.#brokerEpoch = brokerEpoch;
    logger.info('registered with ZooKeeper', { brokerEpoch });
    wanted.resolve({ brokerEpoch });
    for (const listener of [...this.#listeners]) listener(brokerEpoch);
    return true;
  }
}

/** Who else is registered. */
interface Held {
  readonly stat: Stat;
  /** Undefined where it cannot be understood. */
  readonly registration: BrokerRegistration | undefined;
}

/** The epoch of the registration, or who holds the id. */
async function tryToRegister(
  zooKeeper: ZooKeeper,
  registration: BrokerRegistration,
  { nowMs, pastSessions, watcher }: RegistrationAttempt & { readonly nowMs: number },
): Promise<number | Held> {
  const path = brokerIdPath(registration.brokerId);
  const data = registrationData(registration, nowMs);
  const options = { ephemeral: true };
  for (;;) {
    try {
      const there = await zooKeeper.exists(path, watcher);
      if (there === undefined) return (await zooKeeper.create(path, data, options)).stat.czxid;
      const old = await zooKeeper.getData(path);
      const held = understood(registration.brokerId, old.data);
      const isOurs =
        old.stat.ephemeralOwner === zooKeeper.sessionId ||
        pastSessions.has(old.stat.ephemeralOwner) ||
        // A directory is locked by the process that uses it, so whoever was registered with one of ours is gone.
        held?.logDirs.some((directory) => registration.logDirs.includes(directory)) === true;
      if (!isOurs) return { stat: old.stat, registration: held };
      const { zxid } = await zooKeeper.multi([
        { kind: 'delete', path, version: old.stat.version },
        { kind: 'create', path, data, options },
      ]);
      return zxid;
    } catch (error) {
      // It came or went between two looks.
      if (!failedWith(error, 'NODE_EXISTS', 'NO_NODE', 'BAD_VERSION')) throw error;
    }
  }
}

function understood(brokerId: number, data: Buffer): BrokerRegistration | undefined {
  try {
    return readRegistration(brokerId, data);
  } catch (error) {
    if (error instanceof SluiceError) return undefined;
    throw error;
  }
}
