/**
 * The metadata quorum of several nodes on a ZooKeeper ensemble. ZooKeeper says who is the active controller and keeps
 * what it writes; all the others follow the controller's stream. Whatever is uncertain (a write without an answer, a
 * session that expired or may have) ends the time in office; the next one begins with what the znodes hold.
 */
import type { Clock, Timer } from '../../../base/clock.ts';
import { messageOf, SluiceError } from '../../../base/errors.ts';
import type { Logger } from '../../../base/logger.ts';
import type { Random } from '../../../base/random.ts';
import type { BrokerId, LeaderEpoch, Offset } from '../../../base/units.ts';
import { newUuid } from '../../../base/uuid.ts';
import type { Channel } from '../../../network/channel.ts';
import type { Transport } from '../../../network/transport.ts';
import type { BrokerRegistration, BrokerWatch, LiveBroker } from '../../broker-registration.ts';
import type { MetadataDelta } from '../../delta.ts';
import { featureRecords } from '../../first-records.ts';
import { emptyImage, type MetadataImage } from '../../image.ts';
import { imageDifference } from '../../image-difference.ts';
import type { LostTopics, MetadataListener, MetadataQuorum, RoleListener } from '../../quorum.ts';
import { METADATA_VERSION_FEATURE, type MetadataRecord } from '../../records.ts';
import { RecordStream } from '../../stream/record-stream.ts';
import { StreamFollower } from '../../stream/stream-follower.ts';
import { subscribeTo } from '../subscriptions.ts';
import { type Accession, accede } from './accession.ts';
import { type Address, addressOf } from './broker-address.ts';
import { Candidacy } from './candidacy.ts';
import { openSession } from './client/session.ts';
import type { SessionId, SessionState, ZooKeeper } from './client/zookeeper.ts';
import { tellTrouble } from './ensemble-trouble.ts';
import { GrowingPause } from './growing-pause.ts';
import { type Latch, latch } from './latch.ts';
import { LiveBrokers } from './live-brokers.ts';
import { type Holder, leaveOffice, type Office, readEpoch, readHolder, takeOffice } from './office.ts';
import { notController, OfficeWrites } from './office-writes.ts';
import { OwnRegistration } from './own-registration.ts';
import { agreeOnClusterId, makePersistentPaths, requireCluster } from './preparation.ts';
import { checkCredentials, sessionOptions } from './quorum-options.ts';
import { DEFAULT_LIMITS, type MultiLimits } from './store/plan-writes.ts';

export interface ZooKeeperQuorumOptions {
  readonly brokerId: BrokerId;
  /** The listener by which brokers reach each other. */
  readonly interBrokerListener: string;
  /** zookeeper.connect, .session.timeout.ms, .connection.timeout.ms, .max.in.flight.requests, .set.acl. */
  readonly connect: string;
  readonly sessionTimeoutMs: number;
  readonly connectionTimeoutMs: number;
  readonly maxInFlight: number;
  readonly setAcl?: boolean;
  /** Digest credentials, `user:password`. */
  readonly credentials?: string | undefined;
  /** What a new cluster begins with; left out, the features that are always there. */
  readonly firstRecords?: readonly MetadataRecord[];
  /** Only tests set it. */
  readonly limits?: MultiLimits;
  /** A bug or credentials that are refused: the node should stop. */
  readonly onFailure?: (error: Error) => void;
}

export interface ZooKeeperQuorumDependencies {
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  /** To ZooKeeper. */
  readonly transport: Transport;
  /** To the active controller's listener. */
  readonly connectController: (address: Address) => Promise<Channel>;
}

const MIN_RETRY_MS = 50;
const MAX_RETRY_MS = 2000;
/** Pauses between offices taken from a controller that refuses connections: they double while it goes on like that. */
const MIN_SUSPICION_MS = 2000;
const MAX_SUSPICION_MS = 60_000;
/** Pauses between attempts to load znodes that cannot be understood. */
const MIN_LOAD_PAUSE_MS = 1000;
const MAX_LOAD_PAUSE_MS = 30_000;
/** Between two lines about the same. */
const PROBLEM_REPEAT_MS = 60_000;
const PAST_SESSIONS_KEPT = 100;
/** How long the id of another broker may take to vanish, in session timeouts. */
const ID_WAIT_TIMEOUTS = 2;

interface KnownController {
  readonly holder: Holder;
  readonly epoch: LeaderEpoch;
  readonly address: Address | undefined;
}

export class ZooKeeperQuorum implements MetadataQuorum, BrokerWatch {
  readonly stream: RecordStream;
  readonly #options: ZooKeeperQuorumOptions;
  readonly #dependencies: ZooKeeperQuorumDependencies;
  readonly #listeners = new Set<MetadataListener>();
  readonly #roleListeners = new Set<RoleListener>();
  readonly #watchListeners = new Set<(brokers: readonly LiveBroker[]) => void>();
  readonly #registration: OwnRegistration;
  readonly #candidacy: Candidacy;
  readonly #pastSessions = new Set<SessionId>();
  readonly #joined: Latch<string> = latch();
  readonly #firstImage: Latch<void> = latch();
  #lostTopics: LostTopics | undefined;
  #driver: Promise<void> | undefined;
  #session: ZooKeeper | undefined;
  #preparedIn: ZooKeeper | undefined;
  #hasJoined = false;
  #knownClusterId: string | undefined;
  #identity: string | undefined;
  #started = false;
  #image: MetadataImage = emptyImage('');
  #hasImage = false;
  #controller: KnownController | undefined;
  #office: Office | undefined;
  #writes: OfficeWrites | undefined;
  #liveBrokers: LiveBrokers | undefined;
  #lastSeen: readonly LiveBroker[] | undefined;
  #follower: StreamFollower | undefined;
  #toldActive = false;
  #expiryTimer: Timer | undefined;
  #suspectedCzxid: number | undefined;
  readonly #suspicionPause = new GrowingPause(MIN_SUSPICION_MS, MAX_SUSPICION_MS);
  /** Before this node tries again to load what it could not understand. */
  readonly #loadPause = new GrowingPause(MIN_LOAD_PAUSE_MS, MAX_LOAD_PAUSE_MS);
  #retries = 0;
  #problem: { readonly reason: string; readonly atMs: number } | undefined;
  #woken = false;
  #endPause: () => void = () => undefined;
  #closing = false;
  readonly #wake = (): void => {
    this.#woken = true;
    this.#endPause();
  };

  constructor(options: ZooKeeperQuorumOptions, dependencies: ZooKeeperQuorumDependencies) {
    checkCredentials(options);
    this.#options = options;
    this.#dependencies = dependencies;
    this.#registration = new OwnRegistration(options, dependencies);
    this.#candidacy = new Candidacy(options, dependencies);
    this.stream = new RecordStream({}, dependencies);
    for (const { promise } of [this.#joined, this.#firstImage]) promise.catch(() => undefined);
  }

  /**
   * Connects and tells the cluster's id. `known` is that of the data directories, where they have one. Rejects with a
   * SluiceError: INCONSISTENT_CLUSTER_ID, or ZOOKEEPER_UNREACHABLE where no connection comes about in time.
   */
  clusterId(known?: string): Promise<string> {
    if (this.#driver === undefined) {
      this.#knownClusterId = known;
      const { connect, connectionTimeoutMs } = this.#options;
      const late = (): void => {
        if (this.#hasJoined) return;
        const reason = this.#session?.trouble?.what ?? `no ZooKeeper server of ${connect} serves`;
        const error = new SluiceError('ZOOKEEPER_UNREACHABLE', `within ${connectionTimeoutMs} ms ${reason}`, {
          retriable: true,
          remedy: 'Check zookeeper.connect and that a majority of the servers runs.',
        });
        this.#joined.reject(error);
        void this.close();
      };
      const timer = this.#dependencies.clock.after(connectionTimeoutMs, late, { holdsProcess: true });
      this.#joined.promise.then(
        () => timer.cancel(),
        () => timer.cancel(),
      );
      this.#driver = this.#drive();
    }
    return this.#joined.promise;
  }

  /**
   * Takes part in the election of the controller from now on. `identity` is what only this broker's own lives share, best the
   * id of a directory that is locked while it lives: a restart then need not wait until ZooKeeper has forgotten the life
   * before.
   */
  async start(identity?: string): Promise<void> {
    await this.clusterId(this.#knownClusterId);
    this.#identity = identity;
    this.#started = true;
    this.#wake();
    await this.#firstImage.promise;
  }

  image(): MetadataImage {
    return this.#image;
  }

  get lostTopics(): LostTopics | undefined {
    return this.#writes === undefined ? undefined : this.#lostTopics;
  }

  isActiveController(): boolean {
    return this.#toldActive;
  }

  get obstacle(): string | undefined {
    const trouble = this.#session?.trouble;
    if (trouble === undefined || (this.#writes === undefined && this.#follower?.hears === true)) return undefined;
    return `the cluster cannot be changed now: ${trouble.what}`;
  }

  controllerId(): BrokerId {
    if (this.#writes !== undefined) return this.#options.brokerId;
    if (this.obstacle !== undefined) return -1;
    return this.#controller?.holder.brokerId ?? -1;
  }

  controllerEpoch(): LeaderEpoch {
    return Math.max(this.#office?.epoch ?? 0, this.#controller?.epoch ?? 0, this.#image.epoch);
  }

  controllerAddress(): Address | undefined {
    return this.#writes === undefined ? this.#controller?.address : undefined;
  }

  /** How long the controller was not heard; undefined for itself, and while ZooKeeper does not tell who that is. */
  controllerSilentMs(): number | undefined {
    return this.#session?.state === 'connected' && this.#writes === undefined ? this.#follower?.silentMs() : undefined;
  }

  onRole(listener: RoleListener): () => void {
    return subscribeTo(this.#roleListeners, listener);
  }

  subscribe(listener: MetadataListener): () => void {
    return subscribeTo(this.#listeners, listener);
  }

  append(records: readonly MetadataRecord[]): Promise<Offset> {
    return this.#writes === undefined ? Promise.reject(notController()) : this.#writes.append(records);
  }

  /**
   * Makes this broker known and keeps it known: after an expired session it is registered anew, with a new epoch (see
   * `onBrokerEpoch`). Another call replaces the registration. Rejects with SluiceError BROKER_ID_IN_USE.
   */
  registerBroker(registration: BrokerRegistration): Promise<{ readonly brokerEpoch: number }> {
    const patienceMs = ID_WAIT_TIMEOUTS * this.#options.sessionTimeoutMs;
    const registered = this.#registration.want(registration, patienceMs);
    this.#wake();
    return registered;
  }

  /** Of the latest registration; -1 before the first. */
  brokerEpoch(): number {
    return this.#registration.brokerEpoch;
  }

  /** Calls the listener with each new epoch of this broker. Returns a function that ends the subscription. */
  onBrokerEpoch(listener: (brokerEpoch: number) => void): () => void {
    return this.#registration.onEpoch(listener);
  }

  watchBrokers(listener: (brokers: readonly LiveBroker[]) => void): () => void {
    if (this.#writes !== undefined && this.#lastSeen !== undefined) listener(this.#lastSeen);
    return subscribeTo(this.#watchListeners, listener);
  }

  async close(): Promise<void> {
    this.#closing = true;
    this.#resign('the broker stops');
    const closed = new SluiceError('QUORUM_CLOSED', 'the metadata quorum was closed');
    this.#joined.reject(closed);
    this.#firstImage.reject(closed);
    this.#registration.drop(closed);
    this.#wake();
    await this.#session?.close();
    await this.#driver;
    await this.#stopFollowing();
  }

  // Sessions

  async #drive(): Promise<void> {
    try {
      while (!this.#closing) await this.#liveIn(this.#openSession());
    } catch (error) {
      this.#resign('the quorum failed');
      if (this.#closing) return;
      this.#dependencies.logger.error('the metadata quorum failed', { error: messageOf(error) });
      const cause = error instanceof Error ? error : new Error(String(error));
      this.#joined.reject(cause);
      this.#firstImage.reject(cause);
      if (this.#hasJoined) this.#options.onFailure?.(cause);
    }
  }

  #openSession(): ZooKeeper {
    const session = openSession(sessionOptions(this.#options), this.#dependencies);
    session.onState((state) => this.#onSessionState(session, state));
    tellTrouble(session, this.#dependencies);
    this.#session = session;
    return session;
  }

  #onSessionState(session: ZooKeeper, state: SessionState): void {
    this.#expiryTimer?.cancel();
    if (state === 'connected') this.#registration.onReconnected();
    if (state === 'connecting') {
      // Servers that we do not hear may have ended the session already.
      const { clock } = this.#dependencies;
      const leftMs = session.lastHeardMs + session.sessionTimeoutMs - clock.monotonicMs();
      this.#expiryTimer = clock.after(Math.max(0, leftMs), () => {
        this.#writes?.giveUp();
        this.#resign('ZooKeeper was not heard for too long');
      });
    } else if (state === 'expired') this.#resign('the session with ZooKeeper expired');
    this.#wake();
  }

  /** Until the session is over. */
  async #liveIn(session: ZooKeeper): Promise<void> {
    while (!this.#closing && isAlive(session.state)) {
      this.#woken = false;
      const retryMs = session.state === 'connected' ? await this.#attend(session) : undefined;
      await this.#pause(retryMs);
    }
    this.#expiryTimer?.cancel();
    this.#resign('the session with ZooKeeper is over');
    if (session.state === 'refused') {
      throw new SluiceError('ZOOKEEPER_AUTH_FAILED', 'ZooKeeper refuses the credentials', {
        remedy: 'Check sluice.zookeeper.credentials.',
      });
    }
    if (session.state === 'expired')
      this.#dependencies.logger.warn('the session with ZooKeeper expired; beginning anew');
    this.#pastSessions.add(session.sessionId);
    for (const oldest of this.#pastSessions) {
      if (this.#pastSessions.size <= PAST_SESSIONS_KEPT) break;
      this.#pastSessions.delete(oldest);
    }
    await session.close();
  }

  /** Brings everything to where it should be. Tells after how long to try again where that did not succeed. */
  async #attend(session: ZooKeeper): Promise<number | undefined> {
    try {
      if (this.#preparedIn !== session) await this.#prepare(session);
      const attempt = { pastSessions: this.#pastSessions, watcher: this.#wake };
      const registered = await this.#registration.keep(session, attempt);
      const settled = !this.#started || (await this.#settleOffice(session));
      if (registered && settled) {
        this.#retries = 0;
        return undefined;
      }
    } catch (error) {
      if (!(error instanceof SluiceError)) throw error;
      if (!this.#hasJoined && !error.retriable) throw error;
      if (!error.retriable && !this.#closing) this.#tellProblem(error);
    }
    const retryMs = Math.min(MAX_RETRY_MS, MIN_RETRY_MS * 2 ** this.#retries++);
    return retryMs * (0.5 + this.#dependencies.random.fraction() / 2);
  }

  #tellProblem({ message: reason, remedy }: SluiceError): void {
    const nowMs = this.#dependencies.clock.monotonicMs();
    if (this.#problem?.reason === reason && nowMs - this.#problem.atMs < PROBLEM_REPEAT_MS) return;
    this.#problem = { reason, atMs: nowMs };
    const what = 'this broker cannot learn from ZooKeeper who the controller is, or register there';
    this.#dependencies.logger.error(what, { reason, ...(remedy === undefined ? {} : { remedy }) });
  }

  #pause(ms: number | undefined): Promise<void> {
    if (this.#woken || this.#closing) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = ms === undefined ? undefined : this.#dependencies.clock.after(ms, resolve);
      this.#endPause = () => {
        timer?.cancel();
        resolve();
      };
    });
  }

  async #prepare(session: ZooKeeper): Promise<void> {
    const known = this.#knownClusterId;
    if (known !== undefined) await requireCluster(session, known, this.#options.connect);
    await makePersistentPaths(session);
    const proposed = newUuid(this.#dependencies.random);
    const clusterId = await agreeOnClusterId(session, { proposed, known });
    this.#preparedIn = session;
    if (this.#hasJoined) return;
    this.#hasJoined = true;
    this.#knownClusterId = clusterId;
    this.#image = emptyImage(clusterId);
    this.#joined.resolve(clusterId);
  }

  // The office

  /** Keeps the office, takes it, or follows who has it. Tells whether one of these came about. */
  async #settleOffice(session: ZooKeeper): Promise<boolean> {
    const holder = await readHolder(session, this.#wake);
    const office = this.#office;
    if (office !== undefined && office.zooKeeper === session && holder?.czxid === office.czxid) {
      if (this.#writes !== undefined) return true;
    }
    if (this.#writes !== undefined) this.#resign('another controller is in office');
    if (!this.#loadPause.isOver(this.#dependencies.clock.monotonicMs())) return false;
    if (holder === undefined || this.#isOwn(session, holder)) {
      if (holder !== undefined && this.#candidacy.standsBack) await leaveOffice(session, holder);
      else if (await this.#candidacy.mayStand(session)) return this.#begin(session, holder);
      return false;
    }
    if (this.#suspectedCzxid === holder.czxid) {
      this.#dependencies.logger.warn('the controller is gone before ZooKeeper knows; taking its place', {
        controllerId: holder.brokerId,
      });
      this.#suspicionPause.start(this.#dependencies.clock.monotonicMs());
      return this.#begin(session, holder);
    }
    await this.#follow(session, holder);
    return true;
  }

  /** What an earlier session of this broker, in this life or one before, has left. */
  #isOwn(session: ZooKeeper, { owner, brokerId, identity }: Holder): boolean {
    if (owner === session.sessionId || this.#pastSessions.has(owner)) return true;
    return brokerId === this.#options.brokerId && identity !== undefined && identity === this.#identity;
  }

  /** Takes the office, loads what the znodes hold, finishes what was begun, and opens. */
  async #begin(session: ZooKeeper, instead: Holder | undefined): Promise<boolean> {
    const { clock } = this.#dependencies;
    const { brokerId, limits = DEFAULT_LIMITS } = this.#options;
    this.#suspectedCzxid = undefined;
    const candidate = { brokerId, identity: this.#identity };
    const office = await takeOffice(session, { ...candidate, instead, nowMs: clock.wallMs() });
    if (office === undefined) return false;
    this.#office = office;
    const accession = await accede(
      office,
      {
        followed: this.#image,
        limits,
        pause: this.#loadPause,
        onMended: () => this.#resign('a znode has changed that could not be understood'),
      },
      this.#dependencies,
    );
    await this.#stopFollowing();
    if (this.#closing || session.state !== 'connected') return false;
    await this.#open(office, accession);
    return true;
  }

  async #open(office: Office, { image, lostTopics }: Accession): Promise<void> {
    const { logger } = this.#dependencies;
    const { limits = DEFAULT_LIMITS } = this.#options;
    const before = this.#image;
    this.#controller = undefined;
    const writes = new OfficeWrites({ office, image, limits }, this.#dependencies, {
      onCommit: (committed) => {
        this.#tell(committed.image, committed.delta);
        if (this.stream.isOpen) this.stream.publish(committed.bytes, committed.image);
      },
      onFailure: (why) => this.#resign(why),
    });
    this.#writes = writes;
    this.#lostTopics = lostTopics;
    this.stream.open(image, office.epoch);
    this.#tell(image, imageDifference(before, image));
    logger.info('this node is the active controller', { epoch: office.epoch, topics: image.topics.byId.size });
    if (!image.features.has(METADATA_VERSION_FEATURE))
      await writes.append(this.#options.firstRecords ?? featureRecords());
    if (this.#writes !== writes) return;
    this.#toldActive = true;
    this.#liveBrokers = new LiveBrokers(office.zooKeeper, this.#dependencies, (brokers) => {
      this.#lastSeen = brokers;
      for (const listener of [...this.#watchListeners]) listener(brokers);
    });
    this.#completeFirstImage();
    for (const listener of [...this.#roleListeners]) listener(true);
  }

  /** Ends the time in office, if there is one: no later write commits. */
  #resign(why: string): void {
    const writes = this.#writes;
    if (writes === undefined) return;
    this.#writes = undefined;
    this.#office = undefined;
    writes.end();
    this.#liveBrokers?.stop();
    this.#liveBrokers = undefined;
    this.#lastSeen = undefined;
    this.stream.close();
    this.#dependencies.logger.warn('this node is no longer the active controller', { reason: why });
    const wasActive = this.#toldActive;
    this.#toldActive = false;
    if (wasActive) for (const listener of [...this.#roleListeners]) listener(false);
    this.#wake();
  }

  /** Gives the office to somebody whom more of the others hear, if there is anybody. */
  standDown(why: string): void {
    if (this.#writes === undefined) return;
    this.#candidacy.standBack();
    this.#resign(why);
  }

  // Following

  async #follow(session: ZooKeeper, holder: Holder): Promise<void> {
    const { epoch } = await readEpoch(session);
    const address = await this.#addressOf(session, holder.brokerId);
    const before = this.#controller;
    this.#controller = { holder, epoch, address };
    if (before?.holder.czxid !== holder.czxid) {
      this.#dependencies.logger.info('following the active controller', { controllerId: holder.brokerId, epoch });
    }
    if (this.#follower === undefined) this.#startFollowing();
    else if (!isSame(before?.address, address) || before?.holder.czxid !== holder.czxid) this.#follower.relocate();
  }

  /** Where a broker is registered; the driver is woken when that changes. */
  async #addressOf(session: ZooKeeper, brokerId: BrokerId): Promise<Address | undefined> {
    if (brokerId === this.#options.brokerId) return undefined;
    const known = this.#image.brokers.get(brokerId)?.endpoints;
    return addressOf(session, brokerId, { listener: this.#options.interBrokerListener, watcher: this.#wake, known });
  }

  #startFollowing(): void {
    const { clock, logger, connectController } = this.#dependencies;
    const follower: StreamFollower = new StreamFollower(
      { brokerId: this.#options.brokerId, brokerEpoch: () => this.brokerEpoch(), image: this.#image },
      {
        clock,
        logger,
        connect: async () => {
          const address = this.controllerAddress();
          return address === undefined ? undefined : connectController(address);
        },
        onChange: (image, delta) => {
          if (this.#follower !== follower) return;
          this.#suspectedCzxid = undefined;
          this.#candidacy.heardController();
          this.#tell(image, delta);
          this.#completeFirstImage();
        },
        onUnreachable: (refused) => {
          if (refused && this.#follower === follower) this.#suspect();
        },
      },
    );
    this.#follower = follower;
    follower.start();
  }

  /**
   * Nobody listens where the controller is registered: its process is gone, which ZooKeeper notices only after the session's
   * timeout. To take its place is safe even if that is wrong. Only for a broker that can be reached itself.
   */
  #suspect(): void {
    const controller = this.#controller;
    const nowMs = this.#dependencies.clock.monotonicMs();
    if (controller === undefined || !this.#registration.isMadeIn(this.#session)) return;
    if (!this.#suspicionPause.isOver(nowMs)) return;
    this.#suspectedCzxid = controller.holder.czxid;
    this.#wake();
  }

  async #stopFollowing(): Promise<void> {
    const follower = this.#follower;
    await follower?.stop();
    if (this.#follower === follower) this.#follower = undefined;
  }

  // Listeners

  #tell(image: MetadataImage, delta: MetadataDelta): void {
    this.#image = image;
    if (!this.#hasImage) return;
    try {
      for (const listener of [...this.#listeners]) listener(delta, image);
    } catch (error) {
      this.#dependencies.logger.error('a listener of the metadata failed', { error: messageOf(error) });
      this.#resign('a listener failed');
      this.#options.onFailure?.(error instanceof Error ? error : new Error(String(error)));
    }
  }

  #completeFirstImage(): void {
    this.#hasImage = true;
    this.#firstImage.resolve();
  }
}

function isAlive(state: SessionState): boolean {
  return state === 'connecting' || state === 'connected';
}

function isSame(left: Address | undefined, right: Address | undefined): boolean {
  return left?.host === right?.host && left?.port === right?.port;
}
