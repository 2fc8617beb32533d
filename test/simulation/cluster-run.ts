/**
 * One run of a simulated cluster: starts it, does to it what a history of steps says, heals everything, waits until the
 * cluster has recovered, and judges what clients saw. Owns what faults are under way; see cluster-steps.ts for their kinds.
 */
import { SluiceError } from '../../src/base/errors.ts';
import type { Random } from '../../src/base/random.ts';
import { Admin } from '../../src/client/admin/admin.ts';
import type { Cluster } from '../../src/client/cluster.ts';
import { updateFeatures } from '../../src/protocol/apis/update-features.ts';
import { ErrorCode } from '../../src/protocol/error-codes.ts';
import { describeAnomalies } from '../cluster/checker/anomalies.ts';
import { checkHistory } from '../cluster/checker/checker.ts';
import { ClusterInvariants, type Expansion, InvariantViolation } from './cluster-invariants.ts';
import { type ClusterStep, outcomeText, takeClusterStep } from './cluster-steps.ts';
import { ClusterWorkload } from './cluster-workload.ts';
import { ClusterWorld, type WorldOptions } from './cluster-world.ts';
import { batchesBetween } from './committed-log.ts';
import type { SimulatedHost } from './host.ts';
import { imageDigest } from './image-digest.ts';

const START_MS = 30_000;
/** Until everything is as if nothing had happened, once all faults are over. */
const RECOVERY_MS = 60_000;
const ROOM_BYTES = 2 ** 40;
const DISK_ERROR = /ENOSPC|EIO/;
/** Of the simulated ensemble, by number. */
export const ENSEMBLE_SERVERS = [0, 1, 2] as const;

export class ClusterRun {
  readonly world: ClusterWorld;
  readonly invariants: ClusterInvariants;
  readonly workload: ClusterWorkload;
  /** Who makes the operators' requests. */
  readonly operator: Cluster;
  readonly admin: Admin;
  /** Topics that come and go; nobody writes to them. */
  readonly extraTopics: string[] = [];
  faults = 0;
  /** The broker that lost what it had not synced, and has not yet caught up. */
  lossy: SimulatedHost | undefined;
  readonly #losses = new Map<SimulatedHost, number>();
  readonly #supervision: Random;
  /** What happens right after the next follower was taken into an in-sync set. */
  #ambush: ((expansion: Expansion) => void) | undefined;
  #sprung: (() => void) | undefined;
  readonly #restarting = new Set<SimulatedHost>();
  readonly #full = new Set<SimulatedHost>();
  #healing = false;
  #asking = 0;

  constructor(options: WorldOptions) {
    this.world = new ClusterWorld(options);
    this.invariants = new ClusterInvariants({
      nowMs: () => this.world.clock.monotonicMs(),
      isLossy: (host) => this.lossy === host,
    });
    this.workload = new ClusterWorkload(this.world);
    this.operator = this.world.client('op');
    this.admin = new Admin(this.operator);
    this.#supervision = this.world.randomFor('supervision');
    this.world.onServices = (host, services) => this.invariants.watch(host, services);
    this.world.afterEvent = () => this.#afterEvent();
    this.invariants.onExpansion = (expansion) => {
      const ambush = this.#ambush;
      this.#ambush = undefined;
      if (ambush !== undefined && !this.#healing) this.#sprung = () => ambush(expansion);
    };
  }

  #afterEvent(): void {
    const { world } = this;
    this.invariants.check(world.hosts);
    const sprung = this.#sprung;
    this.#sprung = undefined;
    sprung?.();
    if (world.unhandled.length > 0) throw world.unhandled[0];
    const complaint = world.trace.complaints.shift();
    if (complaint !== undefined && !this.#full.has(world.hosts.find(({ name }) => name === complaint.host)!)) {
      throw new InvariantViolation(`${complaint.host}: ${complaint.text}`);
    }
    for (const host of world.hosts) {
      if (host.isUp) continue;
      if (host.losses !== (this.#losses.get(host) ?? 0)) this.lossy = host;
      this.#losses.set(host, host.losses);
      this.#supervise(host);
    }
    const { lossy } = this;
    if (lossy?.serves === true && !lossy.hasBrokenDisk && this.#isBackInSync(lossy)) this.lossy = undefined;
  }

  /** A program that ended without being asked to is started again. */
  #supervise(host: SimulatedHost): void {
    if (this.#restarting.has(host)) return;
    if (host.failure !== undefined) {
      this.world.trace.note(host.name, `ended: ${host.failure.message}`);
      if (!this.#full.has(host) && !isForgivable(host.failure))
        throw new InvariantViolation(`${host.name} ended: ${host.failure.stack}`);
    }
    this.restartLater(host, 100 + this.#supervision.below(2000));
  }

  /** Lies in wait for the next change of that kind; at most one at a time. */
  lieInWait(ambush: (expansion: Expansion) => void): void {
    this.#ambush = ambush;
  }

  /** Whether every partition that a broker holds counts it as in sync, as the controller sees it. */
  #isBackInSync({ brokerId }: SimulatedHost): boolean {
    const image = this.#controllerImage();
    if (image === undefined) return false;
    for (const topic of image.topics.byName.values()) {
      for (const { replicas, isr } of topic.partitions) {
        if (replicas.includes(brokerId) && !isr.includes(brokerId)) return false;
      }
    }
    return image.brokers.get(brokerId)?.fenced === false;
  }

  #controllerImage() {
    return this.#controller?.services?.quorum.image();
  }

  /** Of several that believe to be the active controller, the newest is. */
  get #controller(): SimulatedHost | undefined {
    let newest: { readonly host: SimulatedHost; readonly epoch: number } | undefined;
    for (const host of this.world.hosts) {
      const { services } = host;
      if (services?.quorum.isActiveController() !== true) continue;
      const epoch = services.quorum.controllerEpoch();
      if (newest === undefined || epoch > newest.epoch) newest = { host, epoch };
    }
    return newest?.host;
  }

  later(ms: number, what: () => void): void {
    this.world.clock.after(ms, () => {
      if (!this.#healing) what();
    });
  }

  restartLater(host: SimulatedHost, ms: number): void {
    this.#restarting.add(host);
    this.world.clock.after(this.#healing ? 100 : ms, () => {
      if (!this.#restarting.delete(host)) return;
      this.world.trace.note('--', `start ${host.name}`);
      host.start();
    });
  }

  pick(random: Random, condition: (host: SimulatedHost) => boolean): SimulatedHost | undefined {
    const fitting = this.world.hosts.filter(condition);
    return fitting[random.below(fitting.length)];
  }

  /** While one broker has lost data, all others keep theirs: with two of three replicas gone nobody could promise anything. */
  mayKill(host: SimulatedHost): boolean {
    return this.lossy === undefined || this.lossy === host;
  }

  /** What only this broker's memory holds may go if others have it and live. */
  mayLose(host: SimulatedHost): boolean {
    if (this.lossy !== undefined || this.world.hosts.some((each) => !each.serves)) return false;
    const image = this.#controllerImage();
    if (image === undefined) return false;
    for (const topic of image.topics.byName.values()) {
      for (const { isr, replicas } of topic.partitions) {
        if (replicas.includes(host.brokerId) && isr.filter((id) => id !== host.brokerId).length < 2) return false;
      }
    }
    return true;
  }

  othersOf(host: SimulatedHost): readonly string[] {
    return this.world.hosts.filter((other) => other !== host).map(({ name }) => name);
  }

  block(from: string, to: string, forMs: number): void {
    const { network } = this.world;
    network.block(from, to);
    this.later(forMs, () => network.unblock(from, to));
  }

  /** The name of the broker that is the active controller. */
  get controllerName(): string | undefined {
    return this.#controller?.name;
  }

  /** The disk answers every request with an error, until it is replaced by what was on it for certain. */
  breakDisk(host: SimulatedHost, forMs: number): void {
    this.#full.add(host);
    host.disk.failBelow('/data', 'EIO');
    host.hasBrokenDisk = true;
    this.world.clock.after(forMs, () => {
      host.disk.heal('/data');
      host.hasBrokenDisk = false;
      host.losePower();
      this.world.clock.after(5000, () => this.#full.delete(host));
    });
  }

  isFull(host: SimulatedHost): boolean {
    return this.#full.has(host);
  }

  fill(host: SimulatedHost, leaveBytes: number, forMs: number): void {
    this.#full.add(host);
    host.disk.capacityBytes = host.disk.usedBytes + leaveBytes;
    this.later(forMs, () => this.#free(host));
  }

  #free(host: SimulatedHost): void {
    host.disk.capacityBytes = ROOM_BYTES;
    // What it began while the disk was full may still fail.
    this.world.clock.after(5000, () => this.#full.delete(host));
  }

  /** Makes a request of an operator's, whatever comes of it. */
  ask(what: string, request: () => Promise<unknown>): void {
    this.#asking++;
    request().then(
      () => this.#asking--,
      (error: unknown) => {
        this.#asking--;
        this.world.trace.note('op', `${what} failed: ${outcomeText(error)}`);
      },
    );
  }

  async start(): Promise<void> {
    const { world } = this;
    for (const host of world.hosts) host.start();
    const started = await world.runUntil(() => world.hosts.every((host) => host.serves), START_MS);
    if (!started) throw new InvariantViolation('the cluster did not start');
    await world.runUntilSettled(this.#keepEligibleLeaders(), START_MS);
    for (const topic of [
      { name: 'a', partitions: 2 },
      { name: 'b', partitions: 1 },
    ]) {
      await world.runUntilSettled(this.admin.createTopic({ ...topic, replicationFactor: 3 }), START_MS);
      this.workload.topics.push({ ...topic });
    }
    this.workload.startReading();
  }

  /** Without them the last replica of an in-sync set would lead again after it lost its tail (KIP-966). */
  async #keepEligibleLeaders(): Promise<void> {
    const featureUpdates = [{ feature: 'eligible.leader.replicas.version', maxVersionLevel: 1 }];
    const { errorCode, errorMessage } = await this.operator.call('controller', updateFeatures, { featureUpdates });
    if (errorCode !== ErrorCode.NONE) throw new InvariantViolation(`no eligible leader replicas: ${errorMessage}`);
  }

  async take(step: ClusterStep): Promise<void> {
    await takeClusterStep(this, step);
  }

  /** Ends all faults; everything must recover, and what was promised must be there. */
  async finish(): Promise<void> {
    const { world, workload } = this;
    world.trace.note('--', 'heal');
    this.#healing = true;
    world.network.heal();
    for (const server of ENSEMBLE_SERVERS) {
      world.ensemble?.startServer(server);
      world.ensemble?.resumeServer(server);
    }
    for (const host of world.hosts) {
      host.disk.capacityBytes = ROOM_BYTES;
      host.disk.crashAt = Number.POSITIVE_INFINITY;
      host.resume();
      world.ensemble?.heal(host.name);
      this.#restarting.delete(host);
    }
    const recovered = await world.runUntil(() => this.#obstacle() === undefined, RECOVERY_MS);
    if (!recovered)
      throw new InvariantViolation(`not recovered ${RECOVERY_MS} ms after the last fault: ${this.#obstacle()}`);
    world.trace.note('--', 'recovered');
    const before = workload.acknowledged;
    for (let index = 0; index < 20; index++) workload.produce();
    workload.commits.commit(workload.topics[0]!.name);
    const settled = await world.runUntil(
      () => workload.underWay === 0 && !workload.commits.underWay && this.#asking === 0,
      RECOVERY_MS,
    );
    if (!settled) throw new InvariantViolation('requests never end');
    if (workload.acknowledged === before) throw new InvariantViolation('nothing can be produced after recovery');
    await world.runUntilSettled(workload.readAll(), RECOVERY_MS);
    const wrong = await world.runUntilSettled(workload.commits.judge(), RECOVERY_MS);
    if (wrong !== undefined) throw new InvariantViolation(wrong);
    const rested = await world.runUntil(() => this.#obstacle() === undefined, RECOVERY_MS);
    if (!rested) throw new InvariantViolation(`no rest after the end: ${this.#obstacle()}`);
    this.#judge();
  }

  /** What is not yet as it should be. */
  #obstacle(): string | undefined {
    for (const host of this.world.hosts) if (!host.serves) return `${host.name} does not serve`;
    const image = this.#controllerImage();
    if (image === undefined) return 'there is no controller';
    const digest = imageDigest(image);
    for (const host of this.world.hosts) {
      const { offset } = host.services!.quorum.image();
      if (offset !== image.offset) return `the metadata of ${host.name} are at ${offset}, not ${image.offset}`;
      if (imageDigest(host.services!.quorum.image()) !== digest) return `the metadata of ${host.name} differ`;
    }
    for (const topic of image.topics.byName.values()) {
      for (const [partition, state] of topic.partitions.entries()) {
        const name = `${topic.name}-${partition}`;
        if (state.leader < 0) return `${name} has no leader`;
        if (state.isr.length < state.replicas.length)
          return `${name} has replicas ${state.replicas}, in sync are ${state.isr}`;
        if (state.addingReplicas.length + state.removingReplicas.length > 0) return `${name} is being reassigned`;
        const ends = state.replicas.map((id) => {
          const found = this.world.host(id).replica(topic.name, partition);
          return found === undefined ? 'nothing' : `${found.log.endOffset}/${found.highWatermark}`;
        });
        if (new Set(ends).size > 1) return `${name} ends at ${ends} on ${state.replicas}`;
      }
    }
    return undefined;
  }

  #judge(): void {
    const { history } = this.workload;
    const at = Math.round(this.world.clock.monotonicMs() * 1000);
    for (const topic of this.workload.topics) {
      for (const host of this.world.hosts) {
        for (const partition of host.services!.replicas.partitions()) {
          if (partition.topic !== topic.name) continue;
          const { highWatermark, log } = partition;
          const batches = batchesBetween(log, log.startOffset, highWatermark);
          history.push({
            type: 'replica',
            at,
            partition: `${topic.name}/${partition.partition}`,
            broker: host.brokerId,
            startOffset: log.startOffset,
            highWatermark,
            batches: batches.map(({ base, last, epoch, crc }) => [base, last, `${epoch}/${crc}`]),
          });
        }
      }
    }
    const report = checkHistory(history);
    if (report.anomalies.length > 0) throw new InvariantViolation(`clients saw:\n${describeAnomalies(report)}`);
  }

  close(): void {
    this.world.close();
  }
}

/** A broker gives up where no ZooKeeper server serves for long, and tells at its end what its disk refused it. */
function isForgivable(failure: Error): boolean {
  return (
    (failure instanceof SluiceError && failure.code === 'ZOOKEEPER_UNREACHABLE') || DISK_ERROR.test(failure.message)
  );
}
