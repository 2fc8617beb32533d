/**
 * What the active controller does unasked: fences brokers that went silent, elects leaders for what has none, restores
 * preferred leaders. Nothing of it goes on once this node is no longer active.
 */
import type { Clock, Timer } from '../base/clock.ts';
import { messageOf, SluiceError } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import type { BrokerConfig } from '../config/broker-config.ts';
import type { LiveBroker } from '../metadata/broker-registration.ts';
import type { MetadataQuorum } from '../metadata/quorum.ts';
import type { BrokerSessions } from './broker-sessions.ts';
import { balanceLeaders } from './elect-leaders.ts';
import { leaderlessRecords } from './elections.ts';
import { followMembers } from './membership.ts';
import type { PendingImage } from './pending-image.ts';
import { fenceBroker } from './registration.ts';

/** Looks a session timeout has for its brokers. */
const CHECKS_A_SESSION = 10;
const LONGEST_CHECK_MS = 1000;
const RETRY_MS = 200;

export interface ActiveDutiesOptions {
  readonly config: () => BrokerConfig;
  /** Whether brokers that send no heartbeats are fenced; not where something else tells who lives. */
  readonly heartbeatsCount: boolean;
}

export interface ActiveDutiesDependencies {
  readonly quorum: MetadataQuorum;
  readonly pending: PendingImage;
  readonly sessions: BrokerSessions;
  readonly clock: Clock;
  readonly logger: Logger;
}

export class ActiveDuties {
  readonly #options: ActiveDutiesOptions;
  readonly #dependencies: ActiveDutiesDependencies;
  #timers: Timer[] = [];
  #checkedMs = 0;
  /** Who lives, as it was told last; undefined once it is all done. */
  #members: readonly LiveBroker[] | undefined;

  constructor(options: ActiveDutiesOptions, dependencies: ActiveDutiesDependencies) {
    this.#options = options;
    this.#dependencies = dependencies;
  }

  /** This node has become the active controller; the quorum's image is complete. */
  begin(): void {
    this.end();
    const { sessions, quorum, clock } = this.#dependencies;
    const config = this.#options.config();
    sessions.restart(quorum.image());
    this.#elect();
    this.#timers = [clock.every(config.get('unclean.leader.election.interval.ms'), () => this.#elect())];
    if (config.get('auto.leader.rebalance.enable')) {
      const periodMs = config.get('leader.imbalance.check.interval.seconds') * 1000;
      this.#timers.push(clock.every(periodMs, () => this.#balance()));
    }
    if (!this.#options.heartbeatsCount) return;
    const timeoutMs = config.get('broker.session.timeout.ms');
    const checkMs = Math.min(LONGEST_CHECK_MS, Math.ceil(timeoutMs / CHECKS_A_SESSION));
    this.#checkedMs = clock.monotonicMs();
    this.#timers.push(clock.every(checkMs, () => this.#fenceSilent(timeoutMs, checkMs)));
  }

  end(): void {
    for (const timer of this.#timers) timer.cancel();
    this.#timers = [];
    this.#members = undefined;
  }

  /** Registers and fences until the image agrees with what was told last. */
  followMembers(live: readonly LiveBroker[]): void {
    this.#members = live;
    this.#follow(live);
  }

  #follow(live: readonly LiveBroker[]): void {
    const { pending, sessions, quorum, clock, logger } = this.#dependencies;
    const work = pending
      .run((image) => followMembers(image, live, this.#options.config()))
      .then(({ registered, fenced, refused }) => {
        for (const { registration, brokerEpoch } of registered) {
          const broker = { brokerId: registration.brokerId, brokerEpoch };
          sessions.registered(broker, quorum.image());
          logger.info('broker registered', broker);
        }
        for (const broker of fenced) {
          sessions.silenced(broker);
          logger.warn('fenced a broker that is gone', broker);
        }
        for (const { broker, refusal } of refused) {
          const { brokerId } = broker.registration;
          logger.warn('a broker may not join the cluster', { brokerId, reason: refusal.errorMessage });
        }
        if (this.#members === live) this.#members = undefined;
      });
    work.catch(() => {
      // Nobody tells again who lives: what failed must be tried until it is done or there is newer word.
      clock.after(RETRY_MS, () => {
        if (this.#members === live && this.#timers.length > 0) this.#follow(live);
      });
    });
    this.#attempt('what changed among the brokers could not be written', work);
  }

  #fenceSilent(timeoutMs: number, checkMs: number): void {
    const { sessions, quorum, clock, logger, pending } = this.#dependencies;
    const now = clock.monotonicMs();
    const late = now - this.#checkedMs - checkMs;
    this.#checkedMs = now;
    if (late > checkMs) sessions.excuse(late);
    const self = quorum.controllerId();
    for (const broker of sessions.expired(quorum.image(), timeoutMs)) {
      // This broker needs no heartbeats to itself.
      if (broker.brokerId === self) continue;
      logger.warn('fencing a broker that was not heard of within its session', { ...broker, timeoutMs });
      this.#attempt(
        'a silent broker could not be fenced',
        pending.run((image) => fenceBroker(image, broker, this.#options.config())),
      );
    }
  }

  #elect(): void {
    this.#attempt(
      'no leaders could be elected',
      this.#dependencies.pending.run((image) => ({
        records: leaderlessRecords(image, this.#options.config()),
        result: undefined,
      })),
    );
  }

  #balance(): void {
    const { pending, clock } = this.#dependencies;
    const round = pending
      .run((image) => balanceLeaders(image, this.#options.config()))
      .then((more) => {
        if (more && this.#timers.length > 0) clock.afterTurn(() => this.#balance());
      });
    this.#attempt('preferred leaders could not be restored', round);
  }

  /** What fails is tried again with the next tick, by this controller or by another. */
  #attempt(what: string, work: Promise<unknown>): void {
    work.catch((error: unknown) => {
      if (!(error instanceof SluiceError)) throw error;
      this.#dependencies.logger.warn(what, { reason: messageOf(error) });
    });
  }
}
