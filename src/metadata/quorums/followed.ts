/**
 * The metadata quorum of a broker that has no part in it: one other node leads for good, at a known address, and this one
 * follows its stream. For several brokers on one machine around a local quorum.
 */
import { assert } from '../../base/assert.ts';
import type { Clock } from '../../base/clock.ts';
import { messageOf, SluiceError } from '../../base/errors.ts';
import type { Logger } from '../../base/logger.ts';
import type { BrokerId, LeaderEpoch, Offset } from '../../base/units.ts';
import type { Channel } from '../../network/channel.ts';
import { describeCluster } from '../../protocol/apis/describe-cluster.ts';
import type { MetadataDelta } from '../delta.ts';
import { emptyImage, type MetadataImage } from '../image.ts';
import type { MetadataListener, MetadataQuorum } from '../quorum.ts';
import { RecordStream } from '../stream/record-stream.ts';
import { StreamFollower } from '../stream/stream-follower.ts';
import { subscribeTo } from './subscriptions.ts';

export interface FollowedQuorumOptions {
  readonly brokerId: BrokerId;
  readonly brokerEpoch: () => number;
  readonly controller: { readonly id: BrokerId; readonly host: string; readonly port: number };
}

export interface FollowedQuorumDependencies {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly connect: (address: { readonly host: string; readonly port: number }) => Promise<Channel>;
}

const RETRY_MS = 200;
/** How often a start that waits for the controller says so. */
const TELL_MS = 5000;

export class FollowedQuorum implements MetadataQuorum {
  /** Never open: this node does not lead. */
  readonly stream: RecordStream;
  readonly #options: FollowedQuorumOptions;
  readonly #dependencies: FollowedQuorumDependencies;
  readonly #listeners = new Set<MetadataListener>();
  #follower: StreamFollower | undefined;
  #image: MetadataImage = emptyImage('');
  #closed = false;
  #onFirstImage: () => void = () => undefined;

  constructor(options: FollowedQuorumOptions, dependencies: FollowedQuorumDependencies) {
    this.#options = options;
    this.#dependencies = dependencies;
    this.stream = new RecordStream({}, dependencies);
  }

  /** The id of the controller's cluster. Waits until the controller answers. */
  async clusterId(): Promise<string> {
    const { clock, logger } = this.#dependencies;
    let toldMs = clock.monotonicMs();
    for (;;) {
      try {
        return await this.#askClusterId();
      } catch (error) {
        if (this.#closed) throw error;
        if (clock.monotonicMs() - toldMs >= TELL_MS) {
          toldMs = clock.monotonicMs();
          logger.warn('waiting for the controller', { reason: messageOf(error) });
        }
      }
      await new Promise<void>((resolve) => clock.after(RETRY_MS, resolve, { holdsProcess: true }));
    }
  }

  async #askClusterId(): Promise<string> {
    const channel = await this.#dependencies.connect(this.#options.controller);
    try {
      return (await channel.request(describeCluster, describeCluster.request.versions.to, {})).clusterId;
    } finally {
      void channel.close();
    }
  }

  /** Needs `clusterId` first, for a follower of another cluster must not begin. */
  async start(clusterId?: string): Promise<void> {
    assert(clusterId !== undefined, 'the cluster is known');
    this.#image = emptyImage(clusterId);
    const { clock, logger, connect } = this.#dependencies;
    const { brokerId, brokerEpoch, controller } = this.#options;
    const first = new Promise<void>((resolve) => {
      this.#onFirstImage = resolve;
    });
    this.#follower = new StreamFollower(
      { brokerId, brokerEpoch, image: this.#image },
      { clock, logger, connect: () => connect(controller), onChange: (image, delta) => this.#changed(image, delta) },
    );
    this.#follower.start();
    await first;
  }

  #changed(image: MetadataImage, delta: MetadataDelta): void {
    const first = this.#image.offset < 0;
    this.#image = image;
    if (first) this.#onFirstImage();
    else for (const listener of this.#listeners) listener(delta, image);
  }

  image(): MetadataImage {
    return this.#image;
  }

  isActiveController(): boolean {
    return false;
  }

  controllerId(): BrokerId {
    return this.#options.controller.id;
  }

  controllerEpoch(): LeaderEpoch {
    return this.#image.epoch;
  }

  controllerAddress(): { readonly host: string; readonly port: number } {
    return this.#options.controller;
  }

  onRole(): () => void {
    return () => undefined;
  }

  append(): Promise<Offset> {
    return Promise.reject(
      new SluiceError('NOT_CONTROLLER', 'this node is not the active controller', { retriable: true }),
    );
  }

  subscribe(listener: MetadataListener): () => void {
    return subscribeTo(this.#listeners, listener);
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#onFirstImage();
    await this.#follower?.stop();
  }
}
