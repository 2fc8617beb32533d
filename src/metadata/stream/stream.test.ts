import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { SluiceError } from '../../base/errors.ts';
import { silentLogger } from '../../base/logger.ts';
import { SimulatedClock } from '../../base/simulated-clock.ts';
import type { Channel } from '../../network/channel.ts';
import { fetch } from '../../protocol/apis/fetch.ts';
import { fetchSnapshot } from '../../protocol/apis/fetch-snapshot.ts';
import { ErrorCode } from '../../protocol/error-codes.ts';
import type { MetadataDelta } from '../delta.ts';
import { applyRecords, emptyImage, type MetadataImage } from '../image.ts';
import { recordsOf } from '../image-records.ts';
import { packAtomic } from '../quorums/metadata-batches.ts';
import { type MetadataRecord, newRecord } from '../records.ts';
import { RecordStream } from './record-stream.ts';
import { StreamFollower } from './stream-follower.ts';

const FEW_BYTES = 1000;

function feature(name: string, featureLevel = 1): MetadataRecord {
  return newRecord('featureLevel', { name, featureLevel });
}

/** A controller: its state, its stream, and connections to it that answer as a broker's handlers do. */
class Controller {
  readonly clock = new SimulatedClock();
  readonly stream: RecordStream;
  image: MetadataImage;
  epoch = 1;
  /** Set where nobody listens. */
  unreachable: NodeJS.ErrnoException | undefined;
  snapshots = 0;

  constructor(options: { readonly keptBytes?: number } = {}) {
    this.stream = new RecordStream(options, this);
    this.image = applyRecords(emptyImage('cluster'), [feature('first')], 0, this.epoch).image;
    this.stream.open(this.image, this.epoch);
  }

  commit(records: readonly MetadataRecord[]): void {
    const baseOffset = this.image.offset + 1;
    const { bytes, records: taken } = packAtomic(records, { baseOffset, epoch: this.epoch, timestamp: 1 }, FEW_BYTES);
    this.image = applyRecords(this.image, records, baseOffset + taken - 1, this.epoch).image;
    this.stream.publish(bytes, this.image);
  }

  /** Another controller takes over with what this one had, and a change of its own. */
  succeed(): void {
    this.epoch++;
    this.image = applyRecords(this.image, [feature('of the new one')], this.image.offset + 10, this.epoch).image;
    this.stream.open(this.image, this.epoch);
  }

  connect(): Promise<Channel> {
    if (this.unreachable !== undefined) {
      return Promise.reject(new SluiceError('BROKER_UNREACHABLE', 'nobody', { cause: this.unreachable }));
    }
    let close = (): void => undefined;
    const closed = new Promise<never>((_, reject) => {
      close = () => reject(new SluiceError('CHANNEL_CLOSED', 'closed'));
    });
    closed.catch(() => undefined);
    const request = (api: { key: number }, _: number, body: never): Promise<unknown> =>
      Promise.race([this.#answer(api, body), closed]);
    return Promise.resolve({ request, close: async () => close() } as unknown as Channel);
  }

  async #answer(api: { key: number }, body: never): Promise<unknown> {
    if (api.key === fetch.key) return this.#answerFetch(body);
    assert.equal(api.key, fetchSnapshot.key);
    return this.#answerSnapshot(body);
  }

  async #answerFetch({ topics }: { topics: { partitions: { fetchOffset: number; lastFetchedEpoch: number }[] }[] }) {
    const { fetchOffset, lastFetchedEpoch } = topics[0]!.partitions[0]!;
    for (;;) {
      const found = this.stream.read(fetchOffset, lastFetchedEpoch, FEW_BYTES);
      const none = { endOffset: -1, epoch: -1 };
      const answer = (part: object) => ({
        errorCode: 0,
        responses: [{ partitions: [{ errorCode: 0, snapshotId: none, records: null, ...part }] }],
      });
      if (found.kind === 'closed') return answer({ errorCode: ErrorCode.NOT_LEADER_OR_FOLLOWER });
      if (found.kind === 'snapshot') {
        return answer({ snapshotId: { endOffset: found.id.offset, epoch: found.id.epoch } });
      }
      if (found.bytes.length > 0) return answer({ records: Buffer.concat(found.bytes) });
      await new Promise<void>((resolve) => {
        const stop = this.stream.onChange(() => {
          stop();
          resolve();
        });
      });
    }
  }

  async #answerSnapshot({ topics }: { topics: { partitions: { snapshotId: never; position: number }[] }[] }) {
    const { snapshotId, position } = topics[0]!.partitions[0]!;
    const { endOffset, epoch } = snapshotId as { endOffset: number; epoch: number };
    const encoding = this.stream.snapshot({ offset: endOffset, epoch });
    const whole = await this.#drain(encoding);
    if (position === 0) this.snapshots++;
    // In small pieces, so that several are needed.
    const unalignedRecords = whole.subarray(position, position + 100);
    const partition = { errorCode: 0, size: whole.length, position, unalignedRecords };
    return { errorCode: 0, topics: [{ partitions: [partition] }] };
  }

  async #drain(encoding: Promise<Buffer> | undefined): Promise<Buffer> {
    assert.ok(encoding !== undefined, 'the snapshot that was offered is kept');
    const turns = setInterval(() => this.clock.endTurn(), 1);
    return encoding.finally(() => clearInterval(turns));
  }

  stop(): void {
    this.stream.close();
  }
}

function followed(controller: Controller) {
  const told: { readonly image: MetadataImage; readonly delta: MetadataDelta }[] = [];
  const refusals: boolean[] = [];
  const follower = new StreamFollower(
    { brokerId: 2, brokerEpoch: () => 7, image: emptyImage('cluster') },
    {
      clock: controller.clock,
      logger: silentLogger,
      connect: () => controller.connect(),
      onChange: (image, delta) => told.push({ image, delta }),
      onUnreachable: (refused) => refusals.push(refused),
    },
  );
  follower.start();
  return { follower, told, refusals };
}

async function until(condition: () => boolean, clock?: SimulatedClock): Promise<void> {
  for (let turn = 0; turn < 2000 && !condition(); turn++) {
    await new Promise(setImmediate);
    clock?.advance(1);
  }
  assert.ok(condition(), 'it happens');
}

const same = (left: MetadataImage, right: MetadataImage): void => {
  assert.equal(left.offset, right.offset);
  assert.equal(left.epoch, right.epoch);
  assert.deepEqual([...recordsOf(left)], [...recordsOf(right)]);
};

describe('the metadata stream', () => {
  it('begins with a snapshot and goes on with records, one state for each read', async () => {
    const controller = new Controller();
    const { follower, told } = followed(controller);
    await until(() => told.length === 1);
    same(follower.image, controller.image);
    assert.equal(told[0]!.delta.featuresChanged, true);
    controller.commit([feature('second')]);
    await until(() => told.length === 2);
    controller.commit([feature('third'), feature('fourth')]);
    await until(() => told.length === 3);
    same(follower.image, controller.image);
    assert.equal(controller.snapshots, 1);
    controller.stop();
    await follower.stop();
  });

  it('takes a change that is larger than a read whole or not at all', async () => {
    const controller = new Controller();
    const { follower, told } = followed(controller);
    await until(() => told.length === 1);
    controller.commit(Array.from({ length: 100 }, (_, index) => feature(`f${index}`)));
    await until(() => told.length === 2);
    same(follower.image, controller.image);
    controller.stop();
    await follower.stop();
  });

  it('lets whoever fell too far behind start from a new snapshot', async () => {
    const controller = new Controller({ keptBytes: 500 });
    const { follower, told } = followed(controller);
    await until(() => told.length === 1);
    for (let index = 0; index < 50; index++) controller.commit([feature(`f${index}`)]);
    await until(() => follower.image.offset === controller.image.offset);
    same(follower.image, controller.image);
    assert.equal(controller.snapshots, 2);
    controller.stop();
    await follower.stop();
  });

  it('follows the next controller from a snapshot, and never one of the past', async () => {
    const controller = new Controller();
    const { follower, told } = followed(controller);
    await until(() => told.length === 1);
    controller.succeed();
    await until(() => follower.image.epoch === 2, controller.clock);
    same(follower.image, controller.image);
    assert.equal(told.at(-1)!.delta.featuresChanged, true);

    const past = new Controller();
    const behind = followed(past);
    await until(() => behind.told.length === 1);
    await behind.follower.stop();
    const stale = new StreamFollower(
      { brokerId: 2, brokerEpoch: () => 7, image: follower.image },
      {
        clock: past.clock,
        logger: silentLogger,
        connect: () => past.connect(),
        onChange: () => assert.fail('an older epoch was followed'),
      },
    );
    stale.start();
    for (let turn = 0; turn < 50; turn++) {
      await new Promise(setImmediate);
      past.clock.advance(20);
    }
    assert.equal(stale.image, follower.image);
    controller.stop();
    past.stop();
    await Promise.all([follower.stop(), stale.stop()]);
  });

  it('says when nobody listens any more at the address of the controller', async () => {
    const controller = new Controller();
    controller.unreachable = Object.assign(new Error('refused'), { code: 'ECONNREFUSED' });
    const { follower, refusals, told } = followed(controller);
    await until(() => refusals.length > 1, controller.clock);
    assert.ok(refusals.every(Boolean));
    controller.unreachable = Object.assign(new Error('no route'), { code: 'EHOSTUNREACH' });
    await until(() => refusals.at(-1) === false, controller.clock);
    controller.unreachable = undefined;
    await until(() => told.length === 1, controller.clock);
    controller.stop();
    await follower.stop();
  });
});
