/**
 * The writes of one time in office, pipelined: each is decided in sight of those before it, and commits after them. The
 * first that fails ends the time in office, for nothing is certain any more.
 */
import { assert } from '../../../base/assert.ts';
import type { Clock } from '../../../base/clock.ts';
import { SluiceError } from '../../../base/errors.ts';
import type { Offset } from '../../../base/units.ts';
import type { MetadataDelta } from '../../delta.ts';
import { applyRecords, type MetadataImage } from '../../image.ts';
import type { MetadataRecord } from '../../records.ts';
import { packAtomic } from '../metadata-batches.ts';
import { ZooKeeperError } from './client/errors.ts';
import { isContradiction, type Office } from './office.ts';
import { type MultiLimits, planWrites } from './store/plan-writes.ts';

export interface Committed {
  readonly image: MetadataImage;
  readonly delta: MetadataDelta;
  /** As batches for the metadata stream. */
  readonly bytes: Buffer;
}

export interface OfficeWritesOwner {
  /** In order. */
  onCommit(committed: Committed): void;
  /** Once: no later write commits. */
  onFailure(why: string): void;
}

interface InFlight {
  readonly committed: Committed;
  readonly lastOffset: Offset;
  readonly resolve: (offset: Offset) => void;
  readonly reject: (error: SluiceError) => void;
  written: boolean;
}

export class OfficeWrites {
  readonly #office: Office;
  readonly #clock: Clock;
  readonly #limits: MultiLimits;
  readonly #owner: OfficeWritesOwner;
  /** The state once all that is in flight has committed. */
  #pending: MetadataImage;
  #inFlight: InFlight[] = [];
  #ended = false;
  /** Set in passing when a write could not even be planned. */
  #refusal: SluiceError | undefined;
  #lastCommit: Promise<unknown> = Promise.resolve();

  constructor(
    options: { readonly office: Office; readonly image: MetadataImage; readonly limits: MultiLimits },
    dependencies: { readonly clock: Clock },
    owner: OfficeWritesOwner,
  ) {
    this.#office = options.office;
    this.#limits = options.limits;
    this.#pending = options.image;
    this.#clock = dependencies.clock;
    this.#owner = owner;
  }

  append(records: readonly MetadataRecord[]): Promise<Offset> {
    assert(records.length > 0, 'an append has records');
    if (this.#ended) return Promise.reject(notController());
    if (this.#refusal !== undefined) return this.#rejectInOrder(this.#refusal);
    const before = this.#pending;
    const { epoch } = this.#office;
    const place = { baseOffset: before.offset + 1, epoch, timestamp: this.#clock.wallMs() };
    const packed = packAtomic(records, place);
    const lastOffset = before.offset + packed.records;
    const { image, delta } = applyRecords(before, records, lastOffset, epoch);
    let groups: ReturnType<typeof planWrites>;
    try {
      groups = planWrites({ before, after: image, delta }, epoch, this.#limits);
    } catch (error) {
      if (!(error instanceof SluiceError)) throw error;
      return this.#refuseUntilTold(error);
    }
    this.#pending = image;
    const writes = groups.map((operations) => this.#office.write(operations, lastOffset));
    const commit = new Promise<Offset>((resolve, reject) => {
      const committed = { image, delta, bytes: packed.bytes };
      const entry: InFlight = { committed, lastOffset, resolve, reject, written: false };
      this.#inFlight.push(entry);
      void this.#settle(entry, writes);
    });
    this.#lastCommit = commit.catch(() => undefined);
    return commit;
  }

  /** Nothing commits any more; what is in flight is rejected as its outcome becomes known. */
  end(): void {
    this.#ended = true;
  }

  /** As `end`, where nobody will tell the outcome for long. */
  giveUp(): void {
    this.end();
    for (const entry of this.#inFlight.splice(0)) entry.reject(rejection(undefined, true));
  }

  async #settle(entry: InFlight, writes: readonly Promise<unknown>[]): Promise<void> {
    const outcomes = await Promise.allSettled(writes);
    const failure = outcomes.find((outcome) => outcome.status === 'rejected');
    if (failure === undefined && !this.#ended) {
      entry.written = true;
      this.#commit();
      return;
    }
    this.#inFlight = this.#inFlight.filter((other) => other !== entry);
    const partly = outcomes.some((outcome) => outcome.status === 'fulfilled');
    const error = failure?.reason as unknown;
    if (error !== undefined && !(error instanceof ZooKeeperError)) throw error;
    entry.reject(rejection(error, partly));
    if (this.#ended) return;
    this.#ended = true;
    this.#owner.onFailure(whyInWords(error));
  }

  #commit(): void {
    while (!this.#ended && this.#inFlight[0]?.written === true) {
      const { committed, lastOffset, resolve } = this.#inFlight.shift()!;
      this.#owner.onCommit(committed);
      resolve(lastOffset);
    }
  }

  /**
   * Nothing was written. Until its caller knows, whatever else is appended was decided in sight of it and is refused
   * too.
   */
  #refuseUntilTold(error: SluiceError): Promise<never> {
    this.#refusal = error;
    const told = this.#rejectInOrder(error);
    told.catch(() =>
      this.#clock.after(0, () => {
        this.#refusal = undefined;
      }),
    );
    return told;
  }

  #rejectInOrder(error: SluiceError): Promise<never> {
    return this.#lastCommit.then(() => {
      throw error;
    });
  }
}

function whyInWords(error: ZooKeeperError | undefined): string {
  if (error === undefined) return 'a write failed';
  if (error.outcomeUnknown) return 'ZooKeeper could not be reached: a write was not answered';
  if (isContradiction(error)) return `somebody else has changed what this controller wrote: ${error.message}`;
  const { reason } = error;
  return reason === 'BAD_VERSION' || reason === 'NO_NODE' ? 'another controller has taken office' : error.message;
}

export function notController(why = 'this node is not the active controller'): SluiceError {
  return new SluiceError('NOT_CONTROLLER', why, { retriable: true });
}

function rejection(error: ZooKeeperError | undefined, partly: boolean): SluiceError {
  if (error !== undefined && isContradiction(error)) {
    const what = `the znodes are not what this controller takes them for: ${error.message}`;
    return new SluiceError('METADATA_WRITE_FAILED', what, { cause: error });
  }
  const unknown = partly || error === undefined || error.outcomeUnknown;
  const what = unknown ? 'it is not known whether the change was made' : 'the change was not made';
  const why = error === undefined ? 'this node lost its office meanwhile' : error.message;
  return new SluiceError('NOT_CONTROLLER', `${what}: ${why}`, {
    retriable: true,
    cause: unknown ? new ZooKeeperError('CONNECTION_LOSS', 'write', { cause: error }) : error,
  });
}

/** Whether a rejected append may have been made all the same. */
export function isOutcomeUnknown(error: unknown): boolean {
  return error instanceof SluiceError && error.cause instanceof ZooKeeperError && error.cause.outcomeUnknown;
}
