/**
 * This broker's place in the cluster: makes it known to the controller, keeps it known while it lives, and hands its
 * leaderships over before it stops. How brokers become known differs by quorum; see `Registrar`.
 */
import type { Clock, Timer } from '../base/clock.ts';
import { messageOf, SluiceError } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import type { BrokerId } from '../base/units.ts';
import type { Uuid } from '../base/uuid.ts';
import type { BrokerRegistration } from '../metadata/broker-registration.ts';
import { isActiveBroker } from '../metadata/image.ts';
import type { MetadataQuorum } from '../metadata/quorum.ts';
import { brokerHeartbeat } from '../protocol/apis/broker-heartbeat.ts';
import { ErrorCode, errorName } from '../protocol/error-codes.ts';
import type { ControllerGateway } from './controller-gateway.ts';

export interface Registrar {
  /** Makes the broker known; the epoch rises with every call for a new start. */
  register(registration: BrokerRegistration): Promise<{ readonly brokerEpoch: number }>;
  /** Tells of epochs that this broker gets without a call, after an expired session. Returns a function that ends it. */
  onEpoch?(listener: (brokerEpoch: number) => void): () => void;
  /** Whether the controller knows by heartbeats that a broker lives. Where not, a fenced broker registers anew. */
  readonly needsHeartbeats: boolean;
}

export interface ClusterMembershipOptions {
  readonly brokerId: BrokerId;
  readonly heartbeatMs: number;
  /** Longest time for handing over leaderships; 0 to stop without. */
  readonly handOverMs: number;
  /** Directories that failed. */
  readonly offlineLogDirs: () => readonly Uuid[];
}

export interface ClusterMembershipDependencies {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly quorum: MetadataQuorum;
  readonly gateway: ControllerGateway;
  readonly registrar: Registrar;
}

const NOT_REGISTERED = -1;
/** Pace of heartbeats while the controller must still let this broker in, or out. */
const IMPATIENT_MS = 50;
const RETRY_MS = 500;
const FORGOTTEN: ReadonlySet<number> = new Set([ErrorCode.STALE_BROKER_EPOCH, ErrorCode.BROKER_ID_NOT_REGISTERED]);

export class ClusterMembership {
  readonly #options: ClusterMembershipOptions;
  readonly #dependencies: ClusterMembershipDependencies;
  #registration: BrokerRegistration | undefined;
  #brokerEpoch = NOT_REGISTERED;
  #registering: Promise<void> | undefined;
  #timer: Timer | undefined;
  #state: 'out' | 'in' | 'leaving' | 'left' = 'out';
  #mayStop = false;
  #unsubscribe: () => void = () => undefined;

  constructor(options: ClusterMembershipOptions, dependencies: ClusterMembershipDependencies) {
    this.#options = options;
    this.#dependencies = dependencies;
  }

  /** Of the latest registration; -1 before the first. */
  get brokerEpoch(): number {
    return this.#brokerEpoch;
  }

  /** Registers, and resolves once the metadata that this broker follows says that it may serve. */
  async join(registration: BrokerRegistration): Promise<void> {
    const { quorum, registrar } = this.#dependencies;
    this.#registration = registration;
    this.#state = 'in';
    registrar.onEpoch?.((brokerEpoch) => {
      this.#brokerEpoch = brokerEpoch;
    });
    await this.#register();
    if (registrar.needsHeartbeats) this.#beatLater(0);
    this.#unsubscribe = quorum.subscribe(() => this.#registerWhenFenced());
    await this.#admitted();
  }

  #admitted(): Promise<void> {
    const { quorum } = this.#dependencies;
    return new Promise((resolve) => {
      const look = (): boolean => {
        const done = this.#state !== 'in' || this.#isAdmitted();
        if (done) resolve();
        return done;
      };
      if (look()) return;
      const stop = quorum.subscribe(() => {
        if (look()) stop();
      });
    });
  }

  #isAdmitted(): boolean {
    const known = this.#dependencies.quorum.image().brokers.get(this.#options.brokerId);
    return known !== undefined && known.epoch === this.#brokerEpoch && !known.fenced;
  }

  /** One attempt at a time; tries until it succeeds or what is asked for makes no sense. */
  #register(): Promise<void> {
    this.#registering ??= this.#tryToRegister().finally(() => {
      this.#registering = undefined;
    });
    return this.#registering;
  }

  async #tryToRegister(): Promise<void> {
    const { registrar, logger, clock } = this.#dependencies;
    while (this.#state === 'in' || this.#state === 'leaving') {
      try {
        const { brokerEpoch } = await registrar.register(this.#registration!);
        this.#brokerEpoch = brokerEpoch;
        return;
      } catch (error) {
        if (error instanceof SluiceError && !error.retriable) throw error;
        logger.warn('the broker could not be registered; trying again', { reason: messageOf(error) });
      }
      await new Promise<void>((resolve) => clock.after(RETRY_MS, resolve, { holdsProcess: true }));
    }
  }

  /** Taken for gone by mistake: only a new registration says that it was one. */
  #registerWhenFenced(): void {
    const { quorum, registrar, logger } = this.#dependencies;
    if (registrar.needsHeartbeats || this.#state !== 'in') return;
    const known = quorum.image().brokers.get(this.#options.brokerId);
    if (known?.epoch !== this.#brokerEpoch || !known.fenced) return;
    logger.warn('the controller took this broker for gone; registering anew', { brokerEpoch: this.#brokerEpoch });
    this.#register().catch((error: unknown) => logger.error('registering failed', { reason: messageOf(error) }));
  }

  #beatLater(delayMs: number): void {
    this.#timer?.cancel();
    this.#timer = this.#dependencies.clock.after(delayMs, () => void this.#beat());
  }

  async #beat(): Promise<void> {
    const fenced = await this.#heartbeat(this.#state === 'leaving').catch((error: unknown) => {
      this.#dependencies.logger.debug('a heartbeat failed', { reason: messageOf(error) });
      return true;
    });
    if (this.#state === 'left' || this.#mayStop) return;
    this.#beatLater(fenced || this.#state === 'leaving' ? IMPATIENT_MS : this.#options.heartbeatMs);
  }

  /** Resolves with whether the broker is fenced. */
  async #heartbeat(wantShutDown: boolean): Promise<boolean> {
    const { quorum, gateway } = this.#dependencies;
    const { brokerId, heartbeatMs, offlineLogDirs } = this.#options;
    const answer = await gateway.request(
      brokerHeartbeat,
      {
        brokerId,
        brokerEpoch: this.#brokerEpoch,
        currentMetadataOffset: quorum.image().offset,
        wantFence: false,
        wantShutDown,
        offlineLogDirs: offlineLogDirs(),
      },
      { timeoutMs: Math.max(heartbeatMs, 1000) },
    );
    if (FORGOTTEN.has(answer.errorCode)) await this.#register();
    else if (answer.errorCode !== ErrorCode.NONE) throw new SluiceError(errorName(answer.errorCode), 'heartbeat');
    if (answer.shouldShutDown) this.#mayStop = true;
    return answer.isFenced;
  }

  /** A directory failed: the controller moves leaderships away from it. Tried until the controller has heard it. */
  async tellOfflineDirectories(): Promise<void> {
    const { clock, logger } = this.#dependencies;
    while (this.#state === 'in') {
      try {
        await this.#heartbeat(false);
        return;
      } catch (error) {
        logger.debug('the controller does not know of a failed directory yet', { reason: messageOf(error) });
      }
      await new Promise<void>((resolve) => clock.after(RETRY_MS, resolve));
    }
  }

  /** Hands leaderships over to others while this broker still serves; resolves when done, or when time is up. */
  async leave(): Promise<void> {
    const { clock, quorum, logger } = this.#dependencies;
    const { brokerId, handOverMs } = this.#options;
    if (this.#state !== 'in') {
      this.#state = 'left';
      return;
    }
    this.#state = 'leaving';
    const image = quorum.image();
    const others = [...image.brokers.keys()].some((id) => id !== brokerId && isActiveBroker(image, id));
    if (others && handOverMs > 0 && this.#brokerEpoch !== NOT_REGISTERED) {
      const deadlineMs = clock.monotonicMs() + handOverMs;
      this.#timer?.cancel();
      // Nobody can take anything over while the cluster cannot be changed.
      while (!this.#mayStop && quorum.obstacle === undefined && clock.monotonicMs() < deadlineMs) {
        await this.#heartbeat(true).catch((error: unknown) => {
          logger.debug('leaderships could not be handed over yet', { reason: messageOf(error) });
        });
        if (!this.#mayStop) await new Promise<void>((resolve) => clock.after(IMPATIENT_MS, resolve));
      }
      if (!this.#mayStop) {
        const reason = quorum.obstacle === undefined ? {} : { reason: quorum.obstacle };
        logger.warn('stopping without having handed over all leaderships', { handOverMs, ...reason });
      }
    }
    this.#state = 'left';
    this.#timer?.cancel();
    this.#unsubscribe();
  }
}
