/**
 * A coordinator of groups on simulated time and a simulated disk, for tests: one partition of the offsets topic, requests
 * in, replies out, and every way in which a broker goes and comes back.
 */
import assert from 'node:assert/strict';
import type { FileSystem } from '../../base/file-system.ts';
import { silentLogger } from '../../base/logger.ts';
import { type Random, seededRandom } from '../../base/random.ts';
import { SimulatedClock } from '../../base/simulated-clock.ts';
import { SimulatedDisk } from '../../base/simulated-disk.ts';
import { loadBrokerConfig } from '../../config/broker-config.ts';
import { applyRecords, emptyImage, type MetadataImage } from '../../metadata/image.ts';
import { newRecord } from '../../metadata/records.ts';
import type { JoinGroupRequest } from '../../protocol/apis/join-group.ts';
import type { OffsetCommitRequest } from '../../protocol/apis/offset-commit.ts';
import type { SyncGroupRequest } from '../../protocol/apis/sync-group.ts';
import { Partition } from '../../replication/partition.ts';
import { createLog, type Log, openLog } from '../../storage/log.ts';
import { defaultLogConfig, type LogConfig } from '../../storage/log-config.ts';
import type { GroupClient } from './classic/context.ts';
import { consumerGroupSettings } from './consumer/settings.ts';
import { GroupCoordinator, OFFSETS_TOPIC } from './group-coordinator.ts';
import type { GroupSettings } from './settings.ts';

const TOPIC_ID = 'ckhF3xLEQsqTd6aJf9KTaQ';
/** A topic that consumers of tests read. */
export const READ_TOPIC = 'read';
export const READ_TOPIC_ID = 'qqqqqqqqqqqqqqqqqqqqqg';
const BROKER_CONFIG = loadBrokerConfig({});
const DIRECTORY = '/data/__consumer_offsets-0';

export const TEST_SETTINGS: GroupSettings = {
  minSessionTimeoutMs: 6000,
  maxSessionTimeoutMs: 1_800_000,
  initialRebalanceDelayMs: 3000,
  maxMembers: 2 ** 31 - 1,
  offsetMetadataMaxLength: 4096,
  offsetsRetentionMs: 7 * 24 * 3_600_000,
  offsetsRetentionCheckMs: 600_000,
};

/** How the broker goes away before it comes back. */
export type Restart = 'unload' | 'kill' | 'losePower';

export interface GroupWorldOptions {
  readonly seed?: number;
  readonly settings?: Partial<GroupSettings>;
  readonly log?: Partial<LogConfig>;
  /** What waits for the disk waits for `disk.letGo()`. */
  readonly holdsDisk?: boolean;
}

export class GroupWorld {
  readonly clock = new SimulatedClock();
  readonly random: Random;
  settings: GroupSettings;
  coordinator!: GroupCoordinator;
  log!: Log;
  partition!: Partition;
  image: MetadataImage;
  readonly disk: SimulatedDisk;
  readonly #config: LogConfig;

  /** A world whose coordinator answers. */
  static async create(options: GroupWorldOptions = {}): Promise<GroupWorld> {
    const world = new GroupWorld(options);
    await world.settle();
    return world;
  }

  constructor(options: GroupWorldOptions) {
    this.random = seededRandom(options.seed ?? 1);
    this.settings = { ...TEST_SETTINGS, ...options.settings };
    this.#config = { ...defaultLogConfig, compactPolicy: true, deletePolicy: false, ...options.log };
    this.disk = new SimulatedDisk({
      random: seededRandom((options.seed ?? 1) + 1),
      holdsAsync: options.holdsDisk ?? false,
    });
    this.image = applyRecords(emptyImage('test'), topicRecords(), 1, 0).image;
    this.#host(this.#create(this.disk.boot()));
  }

  #create(fileSystem: FileSystem): Log {
    fileSystem.makeDirectory('/data');
    const { clock, random } = this;
    return createLog(
      { directory: DIRECTORY, topic: OFFSETS_TOPIC, partition: 0, topicId: TOPIC_ID, config: this.#config },
      { fileSystem, clock, logger: silentLogger, random },
    );
  }

  #host(log: Log): void {
    this.log = log;
    const state = { leader: 1, leaderEpoch: 0, partitionEpoch: 0, replicas: [1], inSyncReplicas: [1] };
    this.partition = new Partition({ topicId: TOPIC_ID, log, brokerId: 1, state, minInSyncReplicas: 1 });
    this.#lead();
  }

  #lead(): void {
    this.coordinator = new GroupCoordinator(
      {
        brokerId: 1,
        settings: () => this.settings,
        consumerSettings: (own) => consumerGroupSettings(BROKER_CONFIG, own),
        partitions: () => 1,
        codec: () => 0,
        loadChunkBytes: () => 4096,
        commitTimeoutMs: () => 5000,
      },
      {
        clock: this.clock,
        random: this.random,
        logger: silentLogger,
        image: () => this.image,
        find: () => this.partition,
      },
    );
    this.coordinator.start();
  }

  /** The broker goes in this manner, and is back at once, loading. */
  async restart(how: Restart): Promise<void> {
    this.coordinator.close();
    if (how === 'unload') {
      this.#lead();
      return;
    }
    if (how === 'kill') this.disk.kill();
    else this.disk.losePower();
    await this.settle();
    this.log.abandon();
    const fileSystem = this.disk.boot();
    if (!fileSystem.exists(DIRECTORY)) {
      // Nothing was ever durable.
      this.#host(this.#create(fileSystem));
      return;
    }
    const opening = openLog(
      { directory: DIRECTORY, topic: OFFSETS_TOPIC, partition: 0, config: this.#config },
      { fileSystem, clock: this.clock, logger: silentLogger, random: this.random },
    );
    await this.settle();
    this.#host(await opening);
  }

  /** Restarts and waits until groups are loaded. */
  async reload(how: Restart = 'unload'): Promise<void> {
    await this.restart(how);
    await this.settle();
  }

  /** Lets everything happen that needs no time. */
  async settle(): Promise<void> {
    for (let idle = 0; idle < 3; ) {
      await new Promise((resolve) => setImmediate(resolve));
      idle = this.clock.endTurn() ? 0 : idle + 1;
    }
  }

  /** Lets time pass in small steps, so that what timers begin is finished before the next. */
  async pass(ms: number): Promise<void> {
    for (let left = ms; left > 0; left -= 500) {
      this.clock.advance(Math.min(500, left));
      await this.settle();
    }
  }

  /** The reply, which must come without that time passes. */
  async now<T>(reply: Promise<T>): Promise<T> {
    const none = Symbol('none');
    let result: T | typeof none = none;
    void reply.then((value) => {
      result = value;
    });
    await this.settle();
    assert.notEqual(result, none, 'the reply is there at once');
    return result as T;
  }
}

function topicRecords() {
  const partition = { replicas: [1], isr: [1], leader: 1, leaderEpoch: 0, partitionEpoch: 0 };
  const empty = { removingReplicas: [], addingReplicas: [], directories: [] };
  return [
    newRecord('topic', { name: OFFSETS_TOPIC, topicId: TOPIC_ID }),
    newRecord('partition', { partitionId: 0, topicId: TOPIC_ID, ...partition, ...empty }),
    newRecord('topic', { name: READ_TOPIC, topicId: READ_TOPIC_ID }),
    newRecord('partition', { partitionId: 0, topicId: READ_TOPIC_ID, ...partition, ...empty }),
  ];
}

export const CLIENT: GroupClient = { clientId: 'client', clientHost: '/127.0.0.1', apiVersion: 9 };

/** A subscription as consumers send it: version 0, topics, no user data. */
export function subscription(topics: readonly string[]): Buffer {
  const parts = [Buffer.from([0, 0, 0, 0, 0, topics.length])];
  for (const topic of topics) parts.push(Buffer.from([0, topic.length]), Buffer.from(topic));
  return Buffer.concat([...parts, Buffer.from([0xff, 0xff, 0xff, 0xff])]);
}

export function joinRequest(change: Partial<JoinGroupRequest> = {}): JoinGroupRequest {
  return {
    groupId: 'g',
    sessionTimeoutMs: 10_000,
    rebalanceTimeoutMs: 30_000,
    memberId: '',
    groupInstanceId: null,
    protocolType: 'consumer',
    protocols: [{ name: 'range', metadata: subscription([READ_TOPIC]) }],
    reason: null,
    ...change,
  };
}

export function syncRequest(
  change: Partial<SyncGroupRequest> & Pick<SyncGroupRequest, 'memberId' | 'generationId'>,
): SyncGroupRequest {
  return {
    groupId: 'g',
    groupInstanceId: null,
    protocolType: 'consumer',
    protocolName: 'range',
    assignments: [],
    ...change,
  };
}

export function commitRequest(offset: number, change: Partial<OffsetCommitRequest> = {}): OffsetCommitRequest {
  const partition = { partitionIndex: 0, committedOffset: offset, committedLeaderEpoch: -1, committedMetadata: null };
  return {
    groupId: 'g',
    generationIdOrMemberEpoch: -1,
    memberId: '',
    groupInstanceId: null,
    retentionTimeMs: -1,
    topics: [{ name: READ_TOPIC, topicId: READ_TOPIC_ID, partitions: [partition] }],
    ...change,
  };
}

/** The committed offset of the one partition; -1 for none. */
export async function committedOffset(world: GroupWorld, groupId = 'g'): Promise<number> {
  const topics = [{ name: READ_TOPIC, topicId: READ_TOPIC_ID, partitionIndexes: [0] }];
  const fetched = await world.now(
    world.coordinator.fetchOffsets({ groupId, memberId: null, memberEpoch: -1, topics }, { requireStable: false }),
  );
  assert.equal(fetched.errorCode ?? 0, 0);
  return fetched.topics[0]!.partitions[0]!.committedOffset!;
}
