import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { MetadataImage } from '../metadata/image.ts';
import { ErrorCode } from '../protocol/error-codes.ts';
import { type BrokerState, brokerHeartbeat, type HeartbeatFacts } from './broker-heartbeat.ts';
import { assignReplicasToDirectories } from './directory-changes.ts';
import { after, config, directoryOfBroker, type ImageSpec, imageOf, partitionOf, TOPIC_ID } from './image.test-kit.ts';
import { isRefusal } from './refusal.ts';

const FACTS: HeartbeatFacts = { registeredAt: 100, shutdownAt: undefined, lowestActiveOffset: 0 };

interface Beat {
  readonly offset?: number;
  readonly wantFence?: boolean;
  readonly wantShutDown?: boolean;
  readonly offline?: readonly string[];
  readonly cordoned?: readonly string[];
  readonly facts?: Partial<HeartbeatFacts>;
}

function beat(image: MetadataImage, brokerId: number, options: Beat = {}) {
  const { offset = 100, wantFence = false, wantShutDown = false, offline = [], cordoned = null } = options;
  const { records, result } = brokerHeartbeat(
    image,
    {
      brokerId,
      brokerEpoch: brokerId * 10,
      currentMetadataOffset: offset,
      wantFence,
      wantShutDown,
      offlineLogDirs: [...offline],
      cordonedLogDirs: cordoned === null ? null : [...cordoned],
    },
    { ...FACTS, ...options.facts },
    config,
  );
  assert.ok(!isRefusal(result));
  return { ...result, records, image: after(image, records) };
}

const TWO: ImageSpec = { brokers: [1, 2], partitions: [{ replicas: [1, 2] }, { replicas: [2, 1] }] };
const FENCED: ImageSpec = { ...TWO, fenced: [1], partitions: [{ replicas: [1, 2], isr: [2] }] };
const STOPPING: ImageSpec = { ...TWO, stopping: [1], partitions: [{ replicas: [1, 2], isr: [2] }] };
/** Broker 1 is stopping and still leads. */
const LEADING: ImageSpec = { ...TWO, stopping: [1] };

const TABLE: readonly [name: string, spec: ImageSpec, options: Beat, next: BrokerState][] = [
  ['a fenced broker that is behind stays fenced', FENCED, { offset: 99 }, 'fenced'],
  ['a fenced broker that has caught up serves', FENCED, {}, 'serving'],
  ['a fenced broker that wants to stay so does', FENCED, { wantFence: true }, 'fenced'],
  ['a fenced broker may stop at once', FENCED, { wantShutDown: true }, 'stopped'],
  ['a broker goes on to serve', TWO, {}, 'serving'],
  ['a broker that wants to be fenced is', TWO, { wantFence: true }, 'fenced'],
  ['a broker that wants to be fenced and stop may', TWO, { wantFence: true, wantShutDown: true }, 'stopped'],
  ['a broker that leads hands over before it stops', TWO, { wantShutDown: true }, 'stopping'],
  ['a broker that leads nothing may stop', { ...TWO, partitions: [] }, { wantShutDown: true }, 'stopped'],
  ['a stopping broker that leads must wait', LEADING, { facts: { shutdownAt: 5, lowestActiveOffset: 9 } }, 'stopping'],
  [
    'a stopping broker waits for the others to know',
    STOPPING,
    { facts: { shutdownAt: 5, lowestActiveOffset: 4 } },
    'stopping',
  ],
  ['a stopping broker may go once they know', STOPPING, { facts: { shutdownAt: 5, lowestActiveOffset: 5 } }, 'stopped'],
  ['nobody knows what was not written yet', STOPPING, { facts: { lowestActiveOffset: Infinity } }, 'stopping'],
];

for (const [name, spec, options, next] of TABLE) {
  test(name, () => {
    const { state, image } = beat(imageOf(spec), 1, options);
    assert.equal(state, next);
    const { fenced, inControlledShutdown } = image.brokers.get(1)!;
    assert.equal(fenced, next === 'fenced' || next === 'stopped');
    if (!fenced) assert.equal(inControlledShutdown, next === 'stopping');
    for (const { leader, isr } of image.topics.byId.get(TOPIC_ID)?.partitions ?? []) {
      if (next === 'serving') continue;
      assert.equal(leader, 2);
      assert.deepEqual(isr, [2]);
    }
  });
}

test('a broker of the past is refused', () => {
  const image = imageOf(TWO);
  const request = {
    brokerId: 1,
    brokerEpoch: 9,
    currentMetadataOffset: 100,
    wantFence: false,
    wantShutDown: false,
    offlineLogDirs: [],
    cordonedLogDirs: null,
  };
  const { records, result } = brokerHeartbeat(image, request, FACTS, config);
  assert.deepEqual(records, []);
  assert.ok(isRefusal(result));
  assert.equal(result.errorCode, ErrorCode.STALE_BROKER_EPOCH);
});

const FIRST = directoryOfBroker(1);
const SECOND = directoryOfBroker(1, 1);

/** Broker 1 has two directories; partition 0 lies in its first, partition 1 in its second. */
function withTwoDirectories(): MetadataImage {
  const image = imageOf({
    ...TWO,
    partitions: [{ replicas: [1, 2] }, { replicas: [1, 2], directories: [SECOND, directoryOfBroker(2)] }],
  });
  const brokers = new Map(image.brokers);
  brokers.set(1, { ...image.brokers.get(1)!, logDirs: [FIRST, SECOND] });
  return { ...image, brokers };
}

test('a failed directory costs its replicas their place and nothing else', () => {
  const failed = beat(withTwoDirectories(), 1, { offline: [SECOND] });
  assert.deepEqual(failed.image.brokers.get(1)!.logDirs, [FIRST]);
  assert.deepEqual([partitionOf(failed.image, 0).leader, partitionOf(failed.image, 0).isr], [1, [1, 2]]);
  assert.deepEqual([partitionOf(failed.image, 1).leader, partitionOf(failed.image, 1).isr], [2, [2]]);
  assert.deepEqual(beat(failed.image, 1, { offline: [SECOND] }).records, [], 'told again, nothing changes');
});

test('a replica in a failed directory is not elected, even where nobody else is left', () => {
  let { image } = beat(withTwoDirectories(), 2, { wantFence: true });
  image = beat(image, 1, { offline: [SECOND] }).image;
  assert.deepEqual([partitionOf(image, 1).leader, partitionOf(image, 1).isr], [-1, [1]]);
  assert.equal(partitionOf(image, 0).leader, 1);
});

test('cordoned directories are noted when they change', () => {
  const cordoned = beat(withTwoDirectories(), 1, { cordoned: [SECOND] });
  assert.deepEqual(cordoned.image.brokers.get(1)!.cordonedLogDirs, [SECOND]);
  assert.deepEqual(beat(cordoned.image, 1, { cordoned: [SECOND] }).records, []);
});

test('a broker tells where a replica lies; in a directory that is gone it is out of sync', () => {
  const image = withTwoDirectories();
  const ask = (id: string, partitionIndex: number, brokerId = 1, topicId = TOPIC_ID) => {
    const directories = [{ id, topics: [{ topicId, partitions: [{ partitionIndex }] }] }];
    const request = { brokerId, brokerEpoch: brokerId * 10, directories };
    const { records, result } = assignReplicasToDirectories(image, request, config);
    return { image: after(image, records), code: result.directories[0]!.topics[0]!.partitions[0]!.errorCode };
  };
  const moved = ask(SECOND, 0);
  assert.equal(moved.code, ErrorCode.NONE);
  assert.deepEqual(partitionOf(moved.image, 0).directories, [SECOND, directoryOfBroker(2)]);
  assert.equal(partitionOf(moved.image, 0).leader, 1);
  const lost = ask(directoryOfBroker(1, 7), 0);
  assert.deepEqual([partitionOf(lost.image, 0).leader, partitionOf(lost.image, 0).isr], [2, [2]]);
  assert.equal(ask(FIRST, 9).code, ErrorCode.UNKNOWN_TOPIC_OR_PARTITION);
  assert.equal(ask(FIRST, 0, 1, directoryOfBroker(5)).code, ErrorCode.UNKNOWN_TOPIC_ID);
});
