/**
 * Takes partitions and gives them up, one change after the other: stops delivery, waits for the reader, commits, calls
 * the user back. Decides nothing: a membership does, or whoever assigns by hand.
 */
import { SluiceError } from '../../base/errors.ts';
import type { TopicPartition } from '../../base/units.ts';
import type { Cluster } from '../cluster.ts';
import { backoffMs, sleep } from '../retry.ts';
import { tell } from './consumer-events.ts';
import type { RebalanceCallback, ResolvedConsumerOptions } from './consumer-options.ts';
import type { Fetcher } from './fetcher.ts';
import { type HeldPartition, type HeldPartitions, moveTo } from './held-partitions.ts';
import { asSluiceError, maySearchAgain, type OffsetKeeper, type Start } from './offset-keeper.ts';
import { readPosition } from './read-position.ts';
import type { RecordDelivery } from './record-delivery.ts';

/** A callback that does not end holds a consumer that is closed up no longer: it may itself wait for that. */
const LAST_CALLBACK_MS = 5000;

export interface HoldingsParts {
  readonly held: HeldPartitions;
  readonly fetcher: Fetcher;
  readonly delivery: Pick<RecordDelivery<unknown>, 'freed' | 'passGaps' | 'forget'>;
  readonly keeper: OffsetKeeper;
  readonly stop: AbortSignal;
  readonly fail: (error: SluiceError) => void;
}

/** Refusals of a member that has to learn something first: what it holds may be somebody else's by then. */
const OF_MEMBERS = new Set([
  'UNKNOWN_MEMBER_ID',
  'STALE_MEMBER_EPOCH',
  'ILLEGAL_GENERATION',
  'FENCED_MEMBER_EPOCH',
  'GROUP_ID_NOT_FOUND',
]);

export class Holdings {
  readonly #cluster: Cluster;
  readonly #options: ResolvedConsumerOptions;
  readonly #parts: HoldingsParts;
  #changes: Promise<void> = Promise.resolve();
  /** Whether the user's callback runs in this very turn. */
  #isCalling = false;
  /** Stops waiting for the callback that runs. */
  #letCallbackGo: () => void = () => undefined;

  constructor(cluster: Cluster, options: ResolvedConsumerOptions, parts: HoldingsParts) {
    this.#cluster = cluster;
    this.#options = options;
    this.#parts = parts;
  }

  /** The consumer is being closed, perhaps by a callback that waits for that: who waited for each other would for ever. */
  closing(): void {
    if (this.#isCalling) this.#letCallbackGo();
    else this.#cluster.dependencies.clock.after(LAST_CALLBACK_MS, this.#letCallbackGo);
  }

  get #groupId(): string | undefined {
    return this.#options.group?.groupId;
  }

  take(partitions: readonly TopicPartition[]): Promise<void> {
    return this.#inOrder(async () => {
      const added = partitions.map((each) => this.#parts.held.add(each));
      const places = partitions.map(({ topic, partition }) => ({ topic, partition }));
      await this.#callBack('onAssigned', this.#options.onAssigned, places);
      tell('assigned', { groupId: this.#groupId, partitions: places });
      void this.#findStarts(added);
    });
  }

  addByHand(partitions: readonly TopicPartition[]): void {
    void this.#findStarts(partitions.map((each) => this.#parts.held.add(each)));
  }

  dropByHand(gone: readonly HeldPartition[]): void {
    this.#stopReading(gone);
    for (const each of gone) this.#parts.held.remove(each);
  }

  /** Resolves when the reader has moved past them, what it processed is committed, and the user knows. */
  revoke(partitions: readonly TopicPartition[]): Promise<void> {
    const { delivery, keeper } = this.#parts;
    const leaving = this.#find(partitions);
    for (const each of leaving) this.#holdBack(each);
    return this.#inOrder(async () => {
      await delivery.freed(leaving);
      // Meanwhile they may have been lost.
      const still = leaving.filter((each) => this.#parts.held.get(each) === each && !each.lost);
      if (still.length === 0) return;
      delivery.passGaps(still);
      await keeper.commitParting(still);
      await this.#leave(still, 'revoked');
    });
  }

  /** At once: they are somebody else's. */
  lose(partitions: readonly TopicPartition[]): Promise<void> {
    const lost = this.#find(partitions);
    for (const each of lost) each.lost = true;
    this.#stopReading(lost);
    return this.#inOrder(() =>
      this.#leave(
        lost.filter((each) => this.#parts.held.get(each) === each),
        'lost',
      ),
    );
  }

  /** Delivers nothing more of anything; what is held is as good as lost. */
  freeze(): void {
    for (const each of this.#parts.held.all) each.lost = true;
    this.#stopReading(this.#parts.held.all);
  }

  tellFailure(error: SluiceError): void {
    tell('failed', { groupId: this.#groupId, error });
  }

  #find(partitions: readonly TopicPartition[]): HeldPartition[] {
    return partitions.map((each) => this.#parts.held.get(each)).filter((each) => each !== undefined);
  }

  #holdBack(held: HeldPartition): void {
    held.leaving = true;
    if (held.position !== undefined) held.position.paused = true;
  }

  #stopReading(gone: readonly HeldPartition[]): void {
    for (const each of gone) {
      this.#holdBack(each);
      this.#parts.delivery.forget(each);
    }
    this.#parts.fetcher.drop(gone.map(({ position }) => position).filter((each) => each !== undefined));
  }

  async #leave(gone: readonly HeldPartition[], how: 'revoked' | 'lost'): Promise<void> {
    if (gone.length === 0) return;
    const places = gone.map(({ topic, partition }) => ({ topic, partition }));
    const { onRevoked, onLost } = this.#options;
    await this.#callBack(how === 'lost' ? 'onLost' : 'onRevoked', how === 'lost' ? onLost : onRevoked, places);
    this.#stopReading(gone);
    for (const each of gone) if (this.#parts.held.get(each) === each) this.#parts.held.remove(each);
    tell(how, { groupId: this.#groupId, partitions: places });
  }

  async #callBack(
    name: string,
    callback: RebalanceCallback | undefined,
    partitions: readonly TopicPartition[],
  ): Promise<void> {
    if (callback === undefined) return;
    const late = new Promise<void>((resolve) => {
      this.#letCallbackGo = resolve;
    });
    try {
      this.#isCalling = true;
      const called = callback(partitions);
      this.#isCalling = false;
      await Promise.race([called, late]);
    } catch (cause) {
      this.#isCalling = false;
      const remedy = 'Look at the cause.';
      this.#parts.fail(new SluiceError('REBALANCE_CALLBACK_FAILED', `${name} has failed`, { cause, remedy }));
    }
  }

  #inOrder(change: () => Promise<void>): Promise<void> {
    this.#changes = this.#changes.then(change).catch((error: unknown) => this.#parts.fail(asSluiceError(error)));
    return this.#changes;
  }

  /** Begins reading as soon as it is known where; until then as often as it takes. */
  async #findStarts(added: readonly HeldPartition[]): Promise<void> {
    const { held, keeper, stop, fail } = this.#parts;
    const { clock, random } = this.#cluster.dependencies;
    const isOpen = (each: HeldPartition): boolean =>
      held.get(each) === each && !each.leaving && each.position === undefined;
    for (let failures = 1; !stop.aborted; failures++) {
      const open = added.filter(isOpen);
      if (open.length === 0) return;
      try {
        const starts = await keeper.starts(open, stop);
        for (const [index, each] of open.entries()) {
          each.committed = starts[index]!.committed;
          if (isOpen(each)) this.#startAt(each, starts[index]!);
        }
        return;
      } catch (error) {
        if (stop.aborted) return;
        const isPassing = maySearchAgain(error) || (error instanceof SluiceError && OF_MEMBERS.has(error.code));
        if (!isPassing) return fail(asSluiceError(error));
        await sleep(clock, backoffMs(this.#cluster.options.backoff, failures, random), [stop]).catch(() => undefined);
      }
    }
  }

  #startAt(held: HeldPartition, { offset, leaderEpoch }: Start): void {
    const position = readPosition(held, offset, Number.POSITIVE_INFINITY, leaderEpoch);
    moveTo(held, position);
    this.#parts.fetcher.add([position]);
  }
}
