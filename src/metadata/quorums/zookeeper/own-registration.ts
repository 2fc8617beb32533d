/**
 * This broker's ephemeral znode. Its czxid is the broker's epoch: rising over lives, the same on every server. A znode that
 * an earlier life of this broker left is replaced; one of somebody else with our id is waited for, and never touched.
 */
import type { Clock } from '../../../base/clock.ts';
import { SluiceError } from '../../../base/errors.ts';
import type { Logger } from '../../../base/logger.ts';
import type { BrokerRegistration } from '../../broker-registration.ts';
import { subscribeTo } from '../subscriptions.ts';
import { failedWith } from './client/errors.ts';
import type { SessionId, Watcher, ZooKeeper } from './client/zookeeper.ts';
import { brokerIdPath, readRegistration, registrationData } from './store/znodes.ts';

interface Wanted {
  readonly registration: BrokerRegistration;
  /** Until when another may hold the id. */
  readonly deadlineMs: number;
  readonly resolve: (registered: { readonly brokerEpoch: number }) => void;
  readonly reject: (error: Error) => void;
  /** The session in which it is made. */
  session: ZooKeeper | undefined;
  /** Whether the operator knows what it waits for. */
  told?: boolean;
}

export interface RegistrationAttempt {
  /** Sessions that this process had before. */
  readonly pastSessions: ReadonlySet<SessionId>;
  /** Called when it may be worth another try. */
  readonly watcher: Watcher;
}

export class OwnRegistration {
  readonly #dependencies: { readonly clock: Clock; readonly logger: Logger };
  readonly #listeners = new Set<(brokerEpoch: number) => void>();
  #wanted: Wanted | undefined;
  #brokerEpoch = -1;

  constructor(dependencies: { readonly clock: Clock; readonly logger: Logger }) {
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
      this.#wanted = { registration, deadlineMs, resolve, reject, session: undefined };
    });
  }

  /** Nobody waits any more. */
  drop(why: Error): void {
    this.#wanted?.reject(why);
    this.#wanted = undefined;
  }

  onEpoch(listener: (brokerEpoch: number) => void): () => void {
    return subscribeTo(this.#listeners, listener);
  }

  #tellOfWait(wanted: Wanted): void {
    if (wanted.told === true) return;
    wanted.told = true;
    const { clock, logger } = this.#dependencies;
    logger.warn('another process is registered with the id of this broker; waiting for its session to end', {
      brokerId: wanted.registration.brokerId,
      atMostMs: Math.round(wanted.deadlineMs - clock.monotonicMs()),
    });
  }

  /** Registers where that is wanted and not done in this session. Tells whether all is as wanted. */
  async keep(session: ZooKeeper, attempt: RegistrationAttempt): Promise<boolean> {
    const wanted = this.#wanted;
    if (wanted === undefined || wanted.session === session) return true;
    const { clock, logger } = this.#dependencies;
    const { deadlineMs } = wanted;
    // A process that goes on has lost nothing of what its epoch before had.
    const previousBrokerEpoch = this.#brokerEpoch < 0 ? wanted.registration.previousBrokerEpoch : this.#brokerEpoch;
    const registration = {
      ...wanted.registration,
      ...(previousBrokerEpoch === undefined ? {} : { previousBrokerEpoch }),
    };
    const brokerEpoch = await tryToRegister(session, registration, { ...attempt, nowMs: clock.wallMs() });
    if (brokerEpoch === undefined) {
      this.#tellOfWait(wanted);
      if (clock.monotonicMs() < deadlineMs) return false;
      logger.error('another broker is registered with the id of this one', { brokerId: registration.brokerId });
      wanted.reject(idInUse(registration.brokerId));
      // Who was registered once goes on trying: it serves, and the other one may be what is wrong.
      if (this.#brokerEpoch < 0 && this.#wanted === wanted) this.#wanted = undefined;
      return false;
    }
    wanted.session = session;
    this.#brokerEpoch = brokerEpoch;
    logger.info('registered with ZooKeeper', { brokerEpoch });
    wanted.resolve({ brokerEpoch });
    for (const listener of [...this.#listeners]) listener(brokerEpoch);
    return true;
  }
}

/** The epoch of the registration; undefined while another holds the id. */
async function tryToRegister(
  zooKeeper: ZooKeeper,
  registration: BrokerRegistration,
  { nowMs, pastSessions, watcher }: RegistrationAttempt & { readonly nowMs: number },
): Promise<number | undefined> {
  const path = brokerIdPath(registration.brokerId);
  const data = registrationData(registration, nowMs);
  const options = { ephemeral: true };
  for (;;) {
    try {
      const there = await zooKeeper.exists(path, watcher);
      if (there === undefined) return (await zooKeeper.create(path, data, options)).stat.czxid;
      const old = await zooKeeper.getData(path);
      const isOurs =
        old.stat.ephemeralOwner === zooKeeper.sessionId ||
        pastSessions.has(old.stat.ephemeralOwner) ||
        sharesDirectory(old.data, registration);
      if (!isOurs) return undefined;
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

/** A directory is locked by the process that uses it, so whoever was registered with one of ours is gone. */
function sharesDirectory(data: Buffer, registration: BrokerRegistration): boolean {
  try {
    const { logDirs } = readRegistration(registration.brokerId, data);
    return logDirs.some((directory) => registration.logDirs.includes(directory));
  } catch (error) {
    if (error instanceof SluiceError) return false;
    throw error;
  }
}

function idInUse(brokerId: number): SluiceError {
  return new SluiceError('BROKER_ID_IN_USE', `another broker is registered with id ${brokerId}`, {
    remedy: 'Give each broker a node.id of its own, or wait until the other one has gone.',
  });
}
