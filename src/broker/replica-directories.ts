/**
 * Tells the controller in which of this broker's directories each replica lies (KIP-858), so that it knows what a failed
 * one takes with it. A replica that is recorded in a directory that this broker no longer has is led by nobody until then.
 */
import type { Clock, Timer } from '../base/clock.ts';
import { messageOf } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import type { BrokerId } from '../base/units.ts';
import { type Uuid, ZERO_UUID } from '../base/uuid.ts';
import { type MetadataImage, UNASSIGNED_DIRECTORY } from '../metadata/image.ts';
import type {
  AssignReplicasToDirsRequest,
  AssignReplicasToDirsResponse,
} from '../protocol/apis/assign-replicas-to-dirs.ts';
import { ErrorCode, errorName } from '../protocol/error-codes.ts';
import type { LogManager } from '../storage/log-manager.ts';

export interface ReplicaDirectoriesOptions {
  readonly brokerId: BrokerId;
  readonly brokerEpoch: () => number;
}

export interface ReplicaDirectoriesDependencies {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly image: () => MetadataImage;
  readonly logs: Pick<LogManager, 'directories'>;
  /** Asks the controller, wherever it is. */
  readonly assign: (
    request: Pick<AssignReplicasToDirsRequest, 'brokerId' | 'brokerEpoch' | 'directories'>,
  ) => Promise<Pick<AssignReplicasToDirsResponse, 'errorCode'>>;
}

/** Changes that come together are told together. */
const GATHER_MS = 200;
const RETRY_MS = 1000;
/** Kafka's MAX_ASSIGNMENTS_PER_REQUEST. */
const MOST_AT_ONCE = 2250;

interface Assignment {
  readonly topicId: Uuid;
  readonly partition: number;
  readonly directory: Uuid;
}

export class ReplicaDirectories {
  readonly #options: ReplicaDirectoriesOptions;
  readonly #dependencies: ReplicaDirectoriesDependencies;
  /** What was told last of each replica; not every quorum remembers it, and nobody wants to hear it twice. */
  readonly #told = new Map<string, Uuid>();
  #toldInEpoch = -1;
  #timer: Timer | undefined;
  #closed = false;

  constructor(options: ReplicaDirectoriesOptions, dependencies: ReplicaDirectoriesDependencies) {
    this.#options = options;
    this.#dependencies = dependencies;
  }

  /** Something may lie elsewhere than it is recorded: looks soon. */
  look(delayMs = GATHER_MS): void {
    if (this.#closed) return;
    this.#timer ??= this.#dependencies.clock.after(delayMs, () => {
      this.#tell().then(
        (again) => this.#finish(again),
        (error: unknown) => {
          this.#dependencies.logger.debug('the controller was not told of directories', { reason: messageOf(error) });
          this.#finish(true);
        },
      );
    });
  }

  #finish(again: boolean): void {
    this.#timer = undefined;
    if (again) this.look(RETRY_MS);
  }

  /** Resolves with whether there is more to tell. */
  async #tell(): Promise<boolean> {
    const { brokerId, brokerEpoch } = this.#options;
    const epoch = brokerEpoch();
    if (epoch !== this.#toldInEpoch) this.#told.clear();
    this.#toldInEpoch = epoch;
    const misplaced = this.#misplaced();
    const batch = misplaced.slice(0, MOST_AT_ONCE);
    if (batch.length === 0) return false;
    const directories = byDirectory(batch);
    const { errorCode = ErrorCode.NONE } = await this.#dependencies.assign({
      brokerId,
      brokerEpoch: epoch,
      directories,
    });
    if (errorCode !== ErrorCode.NONE) throw new Error(errorName(errorCode));
    for (const { topicId, partition, directory } of batch) this.#told.set(`${topicId}/${partition}`, directory);
    return misplaced.length > batch.length;
  }

  #misplaced(): Assignment[] {
    const image = this.#dependencies.image();
    const own = this.#dependencies.logs.directories();
    const online = own.flatMap(({ id, online: isOnline }) => (isOnline && id !== undefined ? [id] : []));
    // What is nowhere may lie in the directory that failed.
    const complete = own.every(({ online: isOnline }) => isOnline);
    const actual = new Map<string, Uuid>();
    for (const { id, online: isOnline, logs } of own) {
      if (!isOnline || id === undefined) continue;
      for (const { topic, partition } of logs) actual.set(`${topic}/${partition}`, id);
    }
    const home = online.length === 1 ? online[0]! : UNASSIGNED_DIRECTORY;
    const misplaced: Assignment[] = [];
    for (const { id: topicId, name, partitions } of image.topics.byId.values()) {
      for (const [partition, { replicas, directories }] of partitions.entries()) {
        const at = replicas.indexOf(this.#options.brokerId);
        if (at < 0) continue;
        const recorded = directories[at] ?? ZERO_UUID;
        const isKnown = recorded === ZERO_UUID || recorded === UNASSIGNED_DIRECTORY || online.includes(recorded);
        const directory = actual.get(`${name}/${partition}`) ?? (isKnown || !complete ? recorded : home);
        if (directory === recorded || this.#told.get(`${topicId}/${partition}`) === directory) continue;
        misplaced.push({ topicId, partition, directory });
      }
    }
    return misplaced;
  }

  close(): void {
    this.#closed = true;
    this.#timer?.cancel();
  }
}

function byDirectory(assignments: readonly Assignment[]): AssignReplicasToDirsRequest['directories'] {
  const directories = new Map<Uuid, Map<Uuid, { partitionIndex: number }[]>>();
  for (const { topicId, partition, directory } of assignments) {
    const topics = directories.get(directory) ?? new Map<Uuid, { partitionIndex: number }[]>();
    directories.set(directory, topics);
    const partitions = topics.get(topicId) ?? [];
    topics.set(topicId, partitions);
    partitions.push({ partitionIndex: partition });
  }
  return [...directories].map(([id, topics]) => ({
    id,
    topics: [...topics].map(([topicId, partitions]) => ({ topicId, partitions })),
  }));
}
