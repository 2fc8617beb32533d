import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SluiceError } from '../base/errors.ts';
import { silentLogger } from '../base/logger.ts';
import { seededRandom } from '../base/random.ts';
import { SimulatedClock } from '../base/simulated-clock.ts';
import { type BrokerConfig, loadBrokerConfig } from '../config/broker-config.ts';
import { isActiveBroker, type MetadataImage } from '../metadata/image.ts';
import type { MetadataQuorum } from '../metadata/quorum.ts';
import { Controller } from './controller.ts';
import { after, directoryOfBroker, type ImageSpec, imageOf, partitionOf } from './image.test-kit.ts';

/** A quorum in memory that commits at once, unless it is told to refuse. */
class MemoryQuorum {
  current: MetadataImage;
  refusing = false;

  constructor(image: MetadataImage) {
    this.current = image;
  }

  readonly image = (): MetadataImage => this.current;
  readonly isActiveController = (): boolean => true;
  readonly controllerId = (): number => 1;

  readonly append: MetadataQuorum['append'] = async (records) => {
    if (this.refusing) throw new SluiceError('METADATA_WRITE_FAILED', 'no');
    this.current = after(this.current, records);
    return this.current.offset;
  };
}

interface World {
  readonly clock: SimulatedClock;
  readonly quorum: MemoryQuorum;
  readonly controller: Controller;
  pass(ms: number): Promise<void>;
  beat(brokerId: number, offset?: number, wantShutDown?: boolean): ReturnType<Controller['brokerHeartbeat']>;
}

const SESSION = { 'broker.session.timeout.ms': '3000' };

function worldOf(spec: ImageSpec, overrides: Record<string, string> = SESSION, heartbeatsCount = true): World {
  const clock = new SimulatedClock();
  const quorum = new MemoryQuorum(imageOf(spec));
  const config: BrokerConfig = loadBrokerConfig({ overrides });
  const controller = new Controller(
    { config: () => config, heartbeatsCount },
    { quorum: quorum as unknown as MetadataQuorum, clock, random: seededRandom(1), logger: silentLogger },
  );
  const pass = async (ms: number): Promise<void> => {
    // In steps, so that what timers began goes on in between.
    for (let step = 0; step < 10; step++) {
      clock.advance(ms / 10);
      for (let turn = 0; turn < 20; turn++) await Promise.resolve();
    }
  };
  const beat: World['beat'] = (brokerId, offset = 1000, wantShutDown = false) =>
    controller.brokerHeartbeat({
      brokerId,
      brokerEpoch: quorum.current.brokers.get(brokerId)!.epoch,
      currentMetadataOffset: offset,
      wantFence: false,
      wantShutDown,
      offlineLogDirs: [],
      cordonedLogDirs: null,
    });
  return { clock, quorum, controller, pass, beat };
}

const THREE: ImageSpec = { brokers: [1, 2, 3], partitions: [{ replicas: [2, 3, 1] }] };

test('a broker that is silent for a session is fenced, others are not; the controller itself sends no heartbeats', async () => {
  const { controller, quorum, pass, beat } = worldOf(THREE);
  controller.roleChanged(true);
  for (let second = 0; second < 4; second++) {
    await pass(1000);
    await beat(3);
  }
  assert.deepEqual(
    [1, 2, 3].map((id) => isActiveBroker(quorum.current, id)),
    [true, false, true],
  );
  assert.equal(partitionOf(quorum.current).leader, 3);
  controller.close();
});

test('a new controller gives everybody a full session first', async () => {
  const { controller, quorum, pass } = worldOf(THREE);
  await pass(60_000);
  controller.roleChanged(true);
  await pass(2900);
  assert.equal(isActiveBroker(quorum.current, 2), true);
  await pass(1000);
  assert.equal(isActiveBroker(quorum.current, 2), false);
  controller.close();
});

test('once it has resigned it fences nobody', async () => {
  const { controller, quorum, pass } = worldOf(THREE);
  controller.roleChanged(true);
  controller.roleChanged(false);
  await pass(60_000);
  assert.equal(isActiveBroker(quorum.current, 2), true);
});

test('where something else tells who lives, silence fences nobody', async () => {
  const { controller, quorum, pass } = worldOf(THREE, SESSION, false);
  controller.roleChanged(true);
  await pass(60_000);
  assert.equal(isActiveBroker(quorum.current, 2), true);
  controller.close();
});

test('a controller that was stopped for a while does not take its own silence for that of others', async () => {
  const { controller, quorum, clock, pass, beat } = worldOf(THREE);
  let stalledMs = 0;
  const monotonicMs = clock.monotonicMs.bind(clock);
  clock.monotonicMs = () => monotonicMs() + stalledMs;
  controller.roleChanged(true);
  await pass(500);
  await Promise.all([beat(2), beat(3)]);
  stalledMs = 20_000;
  await pass(1000);
  assert.equal(isActiveBroker(quorum.current, 2), true);
  await pass(3000);
  assert.equal(isActiveBroker(quorum.current, 2), false, 'silence after that counts');
  controller.close();
});

test('a broker that was fenced serves again once a heartbeat says that it has caught up', async () => {
  const { controller, quorum, beat } = worldOf(THREE);
  controller.roleChanged(true);
  await controller.suspect({ brokerId: 2, brokerEpoch: 20 });
  assert.deepEqual([partitionOf(quorum.current).leader, partitionOf(quorum.current).isr], [3, [3, 1]]);
  assert.equal((await beat(2)).isFenced, false);
  assert.equal(isActiveBroker(quorum.current, 2), true);
  await controller.suspect({ brokerId: 2, brokerEpoch: 19 }).then(
    () => assert.fail('word of an earlier life must not fence'),
    () => undefined,
  );
  controller.close();
});

const registration = (brokerId: number, incarnation: number) => ({
  brokerId,
  clusterId: 'cluster',
  incarnationId: directoryOfBroker(brokerId, incarnation),
  listeners: [],
  features: [],
  rack: null,
  isMigratingZkBroker: false,
  logDirs: [directoryOfBroker(brokerId)],
  previousBrokerEpoch: -1,
});

test('a broker registers, catches up, serves, hands over and goes', async () => {
  const { controller, quorum, beat, pass } = worldOf({ brokers: [1, 2], partitions: [{ replicas: [2, 1] }] });
  controller.roleChanged(true);
  const { brokerEpoch, errorCode } = await controller.brokerRegistration(registration(3, 1));
  assert.equal(errorCode, 0);
  const behind = await beat(3, quorum.current.offset - 1);
  assert.deepEqual([behind.isCaughtUp, behind.isFenced], [false, true]);
  assert.equal((await beat(3, quorum.current.offset)).isFenced, false);
  const stopping = await beat(2, quorum.current.offset, true);
  assert.equal(stopping.shouldShutDown, false);
  assert.equal(partitionOf(quorum.current).leader, 1);
  assert.equal((await beat(2, 0, true)).shouldShutDown, false, 'broker 3 does not know yet');
  controller.followerReached({ brokerId: 3, brokerEpoch: brokerEpoch ?? -1 }, quorum.current.offset);
  assert.equal((await beat(2, 0, true)).shouldShutDown, true);
  assert.equal(quorum.current.brokers.get(2)!.fenced, true);
  await pass(100);
  controller.close();
});

test('a second broker of the same id is kept out as long as the first is heard of, but not its successor', async () => {
  const { controller, beat, pass } = worldOf(THREE);
  controller.roleChanged(true);
  await beat(2);
  const stranger = { ...registration(2, 5), logDirs: [directoryOfBroker(2, 5)] };
  assert.equal((await controller.brokerRegistration(stranger)).errorCode, 101);
  assert.equal((await controller.brokerRegistration(registration(2, 6))).errorCode, 0);
  await pass(4000);
  assert.equal((await controller.brokerRegistration(stranger)).errorCode, 0);
  controller.close();
});

test('when it takes over, leaders are elected for what has none', async () => {
  const { controller, quorum, pass } = worldOf({ brokers: [1, 2], partitions: [{ replicas: [2, 1], leader: -1 }] });
  controller.roleChanged(true);
  await pass(1);
  assert.equal(partitionOf(quorum.current).leader, 2);
  controller.close();
});

test('preferred leaders are restored at their pace', async () => {
  const overrides = { ...SESSION, 'leader.imbalance.check.interval.seconds': '2' };
  const partitions = [{ replicas: [1, 2], isr: [2, 1], leader: 2 }];
  const { controller, quorum, pass } = worldOf({ brokers: [1, 2], partitions }, overrides);
  controller.roleChanged(true);
  await pass(1900);
  assert.equal(partitionOf(quorum.current).leader, 2);
  await pass(200);
  assert.equal(partitionOf(quorum.current).leader, 1);
  controller.close();
});

test('who lives is written even where the first attempt fails', async () => {
  const { controller, quorum, pass } = worldOf(THREE, SESSION, false);
  controller.roleChanged(true);
  quorum.refusing = true;
  const live = [1, 3].map((brokerId) => ({
    registration: { ...registration(brokerId, 99), endpoints: [], unfenced: true },
    brokerEpoch: brokerId * 10,
  }));
  controller.followMembers(live);
  await pass(100);
  assert.equal(isActiveBroker(quorum.current, 2), true);
  quorum.refusing = false;
  await pass(1000);
  assert.equal(isActiveBroker(quorum.current, 2), false);
  controller.close();
});
