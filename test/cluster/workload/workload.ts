/**
 * Producers, a reader of everything and a group on one topic, all recorded; and the end of a run: everything read again by a
 * fresh reader, the replicas compared, the history judged.
 */
import type { Invocation } from '../../compat/harness/toolchain.ts';
import type { CheckReport } from '../checker/checker.ts';
import type { LeaderLine } from '../checker/history.ts';
import type { Cluster } from '../harness/cluster.ts';
import { viewOf } from '../harness/cluster-view.ts';
import { storedReplicas } from '../harness/stored-replicas.ts';
import { findWorkloadClient } from './programs.ts';
import { Progress } from './progress.ts';
import { checkHistoryFile, monotonicMicroseconds, Recorder } from './recorder.ts';
import { type Role, WorkloadProcess, type WorkloadSettings } from './workload-process.ts';

/** Between the first values of two processes. */
const VALUES_A_PROCESS = 1e9;
const WATCH_MS = 200;
/** Longer than a cluster that is whole again lets anybody wait. */
const SILENT_US = 30_000_000;
const READ_ALL_TIMEOUT_MS = 60_000;
const POLL_MS = 50;
const IN_SYNC_TIMEOUT_MS = 90_000;

export interface WorkloadOptions {
  readonly cluster: Cluster;
  readonly topic: string;
  readonly partitions: number;
  /** Where the history goes. */
  readonly file: string;
  /** With confluent-kafka; there is one more with Java. */
  readonly producers?: number;
  /** Values a second of all producers together. */
  readonly rate?: number;
  readonly members?: number;
}

export interface RunReport {
  readonly check: CheckReport;
  readonly progress: Progress;
  readonly file: string;
  /** What was not as it should be besides the history: programs that ended, reads that failed. */
  readonly complaints: readonly string[];
}

export class Workload {
  readonly options: WorkloadOptions;
  readonly recorder: Recorder;
  readonly progress = new Progress();
  readonly #processes: WorkloadProcess[] = [];
  readonly #clients: ReadonlyMap<string, Invocation>;
  #watcher: NodeJS.Timeout | undefined;
  #watching: Promise<void> = Promise.resolve();
  #started = 0;

  constructor(options: WorkloadOptions, clients: ReadonlyMap<string, Invocation>) {
    this.options = options;
    this.#clients = clients;
    this.recorder = new Recorder(options.file);
    this.recorder.listen((line) => this.progress.take(line));
  }

  get partitions(): readonly number[] {
    return Array.from({ length: this.options.partitions }, (_, partition) => partition);
  }

  run(client: string, role: Role, more: Partial<WorkloadSettings> = {}): WorkloadProcess {
    const program = this.#clients.get(client);
    if (program === undefined) throw new Error(`there is no client ${client}`);
    const number = ++this.#started;
    const { cluster, topic, partitions } = this.options;
    const settings: WorkloadSettings = {
      bootstrap: cluster.bootstrap,
      topic,
      partitions,
      process: `${client}-${role}-${number}`,
      first: number * VALUES_A_PROCESS,
      ...more,
    };
    const started = new WorkloadProcess({ client, program }, role, settings, this.recorder);
    this.#processes.push(started);
    return started;
  }

  of(...roles: readonly Role[]): WorkloadProcess[] {
    return this.#processes.filter(({ role }) => roles.includes(role));
  }

  /** Notes who leads, as every broker that answers tells it. */
  watchLeaders(): void {
    this.#watcher = setInterval(() => {
      this.#watching = this.#watching.then(() => this.#noteLeaders());
    }, WATCH_MS);
  }

  async #noteLeaders(): Promise<void> {
    const { cluster, topic } = this.options;
    const asked = cluster.brokers.filter(({ running, held }) => running && !held);
    const views = await Promise.all(asked.map((broker) => viewOf(broker.wire(), topic)));
    const at = monotonicMicroseconds();
    for (const view of views) {
      for (const { partition, leader, leaderEpoch } of view?.partitions ?? []) {
        if (leader < 0) continue;
        const line: LeaderLine = { type: 'leader', at, partition, epoch: leaderEpoch, leader };
        if (this.#isNews(line)) this.recorder.take(line);
      }
    }
  }

  readonly #leaders = new Set<string>();

  #isNews({ partition, epoch, leader }: LeaderLine): boolean {
    const key = `${partition} ${epoch} ${leader}`;
    if (this.#leaders.has(key)) return false;
    this.#leaders.add(key);
    return true;
  }

  /**
   * Resolves once every producer is known in every partition; rejects after `timeoutMs`. Until then a leader takes any
   * sequence number from it, as Kafka's do, who cannot tell it from one that is forgotten: where the first batches of one
   * that pipelines meet a change of leaders, later ones overtake those that wait at the former leader.
   */
  async producersEstablished(timeoutMs: number): Promise<void> {
    await this.options.cluster.until('every producer has written to every partition', timeoutMs, async () => {
      this.expectAlive();
      const producers = this.of('produce').map(({ settings }) => settings.process);
      return producers.every((producer) => this.progress.isEstablished(producer, this.partitions));
    });
  }

  /** Resolves once every partition was written to after now; rejects after `timeoutMs`. */
  async writesAgain(timeoutMs: number): Promise<void> {
    const since = monotonicMicroseconds();
    await this.options.cluster.until('every partition is written to', timeoutMs, async () => {
      this.expectAlive();
      return this.progress.hasWrittenSince(since, this.partitions);
    });
  }

  /**
   * `readsAgain`, for long runs, with clients that hang for good started anew. librdkafka (up to 2.15) queries for a leader
   * while it holds a partition's lock, after an error of OffsetForLeaderEpoch; where a broker is being taken out of its list
   * meanwhile, its main thread stands still from then on: no metadata, no heartbeats. What was started instead must read all.
   */
  async readsAgainReplacing(timeoutMs: number): Promise<void> {
    const since = monotonicMicroseconds() - SILENT_US;
    const until = this.progress.acknowledgedUntilNow();
    try {
      await this.readsAgain(timeoutMs);
    } catch (error) {
      const behind = [...this.#readers().values()].filter((processes) => !this.progress.hasReadAll(processes, until));
      const replaced = await this.#replace(({ settings }) => behind.some((each) => each.includes(settings.process)));
      if (replaced === 0) throw error;
      // A reader of all begins at the beginning.
      await this.readsAgain(2 * timeoutMs);
    }
    // The others of its group have taken over.
    await this.#replace(({ role, settings }) => {
      return role === 'member' && (this.progress.lastReadBy(settings.process) ?? since) < since;
    });
  }

  async #replace(isHung: (client: WorkloadProcess) => boolean): Promise<number> {
    const hung = this.of('read', 'member').filter((each) => each.running && isHung(each));
    for (const each of hung) {
      await each.kill();
      const { process, group, protocol } = each.settings;
      const again = this.run(each.client, each.role, { ...(group && { group }), ...(protocol && { protocol }) });
      this.recorder.note('client hung, another started', { process, instead: again.settings.process });
    }
    return hung.length;
  }

  /**
   * Resolves once every group and every reader has read what is acknowledged now, with how long the last of them took in ms;
   * rejects after `timeoutMs`.
   */
  async readsAgain(timeoutMs: number): Promise<number> {
    const until = this.progress.acknowledgedUntilNow();
    const startedAt = performance.now();
    await Promise.all(
      [...this.#readers()].map(([who, processes]) =>
        this.options.cluster.until(`${who} reads on`, timeoutMs, async () => {
          this.expectAlive();
          return this.progress.hasReadAll(processes, until);
        }),
      ),
    );
    return performance.now() - startedAt;
  }

  /** Who reads everything, alone or together. */
  #readers(): Map<string, string[]> {
    const readers = new Map<string, string[]>();
    for (const { settings } of this.of('read', 'member')) {
      const { group, process } = settings;
      const who = group === undefined ? process : `group ${group}`;
      readers.set(who, [...(readers.get(who) ?? []), process]);
    }
    return readers;
  }

  expectAlive(): void {
    const failures = this.#processes.flatMap(({ failure }) => failure ?? []);
    if (failures.length > 0) throw new Error(failures.join('\n'));
  }

  /** Ends the producers, lets the readers come to the end, reads everything afresh, stops the brokers, compares and judges. */
  async finish(): Promise<RunReport> {
    const { cluster, topic } = this.options;
    const complaints: string[] = [];
    await Promise.all(this.of('produce').map((producer) => producer.finish()));
    const tails = this.of('read').map(({ settings }) => settings.process);
    const members = this.of('member').map(({ settings }) => settings);
    const groups = new Set(members.map(({ group }) => group!));
    await this.#reads('the reader', tails, complaints);
    for (const group of groups) {
      const processes = members.filter((member) => member.group === group).map((member) => member.process);
      await this.#reads(`group ${group}`, processes, complaints);
      const line = { type: 'fresh', at: monotonicMicroseconds(), process: group, processes } as const;
      this.recorder.take({ ...line, partitions: this.partitions });
    }
    await Promise.all(this.of('read', 'member').map((reader) => reader.finish(20_000)));
    await this.run('confluent-kafka', 'fresh').ended();
    clearInterval(this.#watcher);
    await this.#watching;
    await cluster.allInSync(topic, IN_SYNC_TIMEOUT_MS);
    await this.#compareReplicas(complaints);
    complaints.push(...this.#processes.flatMap(({ failure }) => failure ?? []));
    complaints.push(...cluster.brokers.flatMap(({ unexpectedEnds }) => unexpectedEnds));
    await this.recorder.close();
    return {
      check: await checkHistoryFile(this.options.file),
      progress: this.progress,
      file: this.options.file,
      complaints,
    };
  }

  async #compareReplicas(complaints: string[]): Promise<void> {
    const { brokers } = this.options.cluster;
    // At once: the last ones of a Kafka without a quorum would wait for it.
    const stops = await Promise.all(brokers.map((broker) => broker.stop()));
    stops.forEach(({ insisted }, index) => {
      if (insisted) complaints.push(`broker ${brokers[index]!.id} did not end when asked to`);
    });
    const places = brokers.map(({ place }) => place);
    for (const line of storedReplicas(places, this.options.topic, monotonicMicroseconds())) this.recorder.take(line);
  }

  async #reads(who: string, processes: readonly string[], complaints: string[]): Promise<void> {
    if (processes.length === 0) return;
    const deadline = performance.now() + READ_ALL_TIMEOUT_MS;
    while (!this.progress.hasReadAll(processes)) {
      if (performance.now() > deadline) {
        complaints.push(`${who} did not read to the end within ${READ_ALL_TIMEOUT_MS} ms`);
        return;
      }
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
  }

  /** Ends everything at once. */
  async abandon(): Promise<void> {
    clearInterval(this.#watcher);
    await Promise.all(this.#processes.map((each) => each.kill()));
    await this.#watching;
    await this.recorder.close();
  }
}

/** The main workload: producers, one reader of all and a group with confluent-kafka; and a producer that pipelines. */
export async function startWorkload(options: WorkloadOptions): Promise<Workload> {
  const clients = new Map<string, Invocation>();
  for (const name of ['confluent-kafka', 'java'] as const) {
    const { value, reason } = await findWorkloadClient(name);
    if (value === undefined) throw new Error(reason);
    clients.set(name, value);
  }
  const workload = new Workload(options, clients);
  const producers = options.producers ?? 2;
  const rate = (options.rate ?? 400) / (producers + 1);
  for (let count = 0; count < producers; count++) {
    workload.run('confluent-kafka', 'produce', { rate, compression: count % 2 === 0 ? 'none' : 'lz4' });
  }
  workload.run('java', 'produce', { rate });
  workload.run('confluent-kafka', 'read');
  for (let count = 0; count < (options.members ?? 2); count++) {
    workload.run('confluent-kafka', 'member', { group: 'readers' });
  }
  workload.watchLeaders();
  return workload;
}
