/**
 * Runs the controller's decisions one after the other against the image as it will be once all earlier decisions have
 * committed. A decision sees records that are still being written, so of two requests for one name the second is
 * refused at once; and it waits for none of them, so many requests share one sync of the disk. Nothing is answered
 * before what it was decided on is committed.
 */
import { SluiceError } from '../base/errors.ts';
import { applyRecords, type MetadataImage } from '../metadata/image.ts';
import type { MetadataQuorum } from '../metadata/quorum.ts';
import type { MetadataRecord } from '../metadata/records.ts';

/** What a decision comes to: records to write, and what to answer once they are committed. */
export interface Decision<Result> {
  readonly records: readonly MetadataRecord[];
  readonly result: Result;
}

/** What the controller needs of the quorum to decide and to write. */
export type DecisionQuorum = Pick<MetadataQuorum, 'image' | 'isActiveController' | 'append'>;

export class PendingImage {
  readonly #quorum: DecisionQuorum;
  /** Committed state and all records in flight; undefined while none are. */
  #image: MetadataImage | undefined;
  #inFlight = 0;
  /** Changes when a write fails: what was in flight then no longer counts. */
  #generation = 0;
  #lastCommit: Promise<unknown> = Promise.resolve();

  constructor(quorum: DecisionQuorum) {
    this.#quorum = quorum;
  }

  /**
   * `decide` runs in this turn. Rejects with SluiceError NOT_CONTROLLER or METADATA_WRITE_FAILED; an outcome is then
   * either unknown or none.
   */
  async run<Result>(decide: (image: MetadataImage) => Decision<Result>): Promise<Result> {
    if (!this.#quorum.isActiveController()) {
      throw new SluiceError('NOT_CONTROLLER', 'this node is not the active controller', { retriable: true });
    }
    const image = this.#image ?? this.#quorum.image();
    const { records, result } = decide(image);
    if (records.length > 0) this.#write(image, records);
    await this.#lastCommit;
    return result;
  }

  #write(image: MetadataImage, records: readonly MetadataRecord[]): void {
    this.#image = applyRecords(image, records, image.offset + records.length, image.epoch).image;
    this.#inFlight++;
    const generation = this.#generation;
    const commit = this.#quorum.append(records).then(
      () => this.#settled(generation, true),
      (error: unknown) => {
        this.#settled(generation, false);
        throw error;
      },
    );
    // Who waits gets the rejection; with nobody waiting it must not end the process.
    commit.catch(() => undefined);
    this.#lastCommit = commit;
  }

  #settled(generation: number, committed: boolean): void {
    if (generation !== this.#generation) return;
    this.#inFlight--;
    if (committed && this.#inFlight > 0) return;
    // All is committed, or all that is in flight fails with this: either way the quorum's image is the state again.
    this.#image = undefined;
    if (committed) return;
    this.#generation++;
    this.#inFlight = 0;
    this.#lastCommit = Promise.resolve();
  }
}
