/**
 * Holds the three indexes of a segment against its batches, which pass by in order: every entry of the offset index must
 * name a batch, of the time index the largest timestamp so far, of the transaction index a marker that aborted.
 */
import type { FileSystem } from '../../base/file-system.ts';
import { readInt64 } from '../../base/int64.ts';
import type { Offset, Timestamp } from '../../base/units.ts';
import { NO_TIMESTAMP } from '../../records/batch.ts';
import { OFFSET_INDEX_SUFFIX, offsetFileName, TIME_INDEX_SUFFIX, TRANSACTION_INDEX_SUFFIX } from '../log-files.ts';
import { OFFSET_ENTRY_BYTES } from '../offset-index.ts';
import type { CompletedTransaction } from '../producer-state.ts';
import { TIME_ENTRY_BYTES } from '../time-index.ts';
import { decodeAbortedTransaction, TRANSACTION_ENTRY_BYTES, TRANSACTION_INDEX_VERSION } from '../transaction-index.ts';
import { EntryReader } from './entry-reader.ts';
import type { Findings, Severity } from './finding.ts';

export const REMOVE_FILE = 'nobody notices by itself: remove the file, and the next start builds it again';
export const REBUILT = 'the next start, or the first search, builds it again from the batches';
export const CHECK_ALL =
  'nobody notices by itself: remove .kafka_cleanshutdown and recovery-point-offset-checkpoint, ' +
  'and the next start checks everything and builds it again';

/** A batch as indexes see it. */
export interface PassingBatch {
  readonly position: number;
  readonly baseOffset: Offset;
  readonly lastOffset: Offset;
  readonly maxTimestamp: Timestamp;
  readonly isControl: boolean;
  readonly completed: CompletedTransaction | undefined;
}

export interface IndexCheckOptions {
  readonly directory: string;
  readonly baseOffset: Offset;
  /** Whether the next start builds the indexes of this segment again anyway. */
  readonly rebuiltAtStart: boolean;
  /** Offsets are missing from the log, or its first ones are gone: transactions cannot all be told from the batches. */
  readonly isIncomplete: () => boolean;
}

export class IndexChecks {
  readonly #base: Offset;
  readonly #options: IndexCheckOptions;
  readonly #findings: Findings;
  readonly #offsets: EntryReader;
  readonly #times: EntryReader;
  readonly #transactions: EntryReader;
  #largest: Timestamp = NO_TIMESTAMP;
  #lastOffset = -1;
  #lastPosition = -1;
  #lastTimeOffset = -1;
  #lastTimestamp: Timestamp = NO_TIMESTAMP;
  #lastMarker: Offset = -1;

  constructor(options: IndexCheckOptions, findings: Findings, fileSystem: FileSystem) {
    const { directory, baseOffset } = options;
    const open = (suffix: string, entryBytes: number): EntryReader =>
      new EntryReader(`${directory}/${offsetFileName(baseOffset, suffix)}`, entryBytes, fileSystem);
    this.#base = baseOffset;
    this.#options = options;
    this.#findings = findings;
    this.#offsets = open(OFFSET_INDEX_SUFFIX, OFFSET_ENTRY_BYTES);
    this.#times = open(TIME_INDEX_SUFFIX, TIME_ENTRY_BYTES);
    this.#transactions = open(TRANSACTION_INDEX_SUFFIX, TRANSACTION_ENTRY_BYTES);
  }

  async begin(): Promise<void> {
    for (const reader of [this.#offsets, this.#times]) {
      if (!reader.exists) this.#tell(reader, 'warning', 'the index is missing', REBUILT);
      if (reader.excessBytes > 0) this.#tell(reader, 'warning', 'the file ends inside an entry', REBUILT);
    }
    if (this.#transactions.excessBytes > 0) {
      this.#tell(this.#transactions, 'warning', 'the file ends inside an entry', REBUILT);
    }
    await this.#offsets.next();
    await this.#times.next();
    await this.#transactions.next();
  }

  /** The next batch of the segment. */
  async pass(batch: PassingBatch): Promise<void> {
    await this.#passOffsets(batch);
    this.#largest = Math.max(this.#largest, batch.maxTimestamp);
    await this.#passTimes(batch);
    if (batch.isControl) await this.#passTransactions(batch);
  }

  async #passOffsets({ position, baseOffset, lastOffset }: PassingBatch): Promise<void> {
    const reader = this.#offsets;
    while (reader.bytes !== undefined && !reader.isZero) {
      const offset = this.#base + reader.bytes.readInt32BE(reader.at);
      const place = reader.bytes.readInt32BE(reader.at + 4);
      if (place > position) return;
      if (offset <= this.#lastOffset || place <= this.#lastPosition) {
        this.#tell(reader, 'warning', `entry (${offset}, ${place}) does not rise`, REBUILT);
      } else if (place < position) {
        this.#tell(reader, 'error', `entry (${offset}, ${place}) points into the midst of a batch`, REMOVE_FILE);
      } else if (offset < baseOffset || offset > lastOffset) {
        this.#tell(reader, 'error', `entry (${offset}, ${place}) points at offsets ${baseOffset}..`, REMOVE_FILE);
      }
      this.#lastOffset = offset;
      this.#lastPosition = place;
      await reader.next();
    }
  }

  async #passTimes({ lastOffset }: PassingBatch): Promise<void> {
    const reader = this.#times;
    while (reader.bytes !== undefined && !reader.isZero) {
      const timestamp = readInt64(reader.bytes, reader.at);
      const offset = this.#base + reader.bytes.readInt32BE(reader.at + 8);
      if (offset > lastOffset) return;
      if (timestamp <= this.#lastTimestamp || offset < this.#lastTimeOffset) {
        this.#tell(reader, 'warning', `entry (${timestamp}, ${offset}) does not rise`, REBUILT);
      } else if (timestamp !== this.#largest && timestamp >= 0) {
        const what = `the largest timestamp up to offset ${offset} is ${this.#largest}, not ${timestamp}`;
        this.#tell(reader, 'error', what, REMOVE_FILE);
      }
      this.#lastTimestamp = timestamp;
      this.#lastTimeOffset = offset;
      await reader.next();
    }
  }

  async #passTransactions({ lastOffset, completed }: PassingBatch): Promise<void> {
    const reader = this.#transactions;
    let matched = false;
    while (reader.bytes !== undefined) {
      const entry = decodeAbortedTransaction(reader.bytes, reader.at);
      if (entry.lastOffset > lastOffset) break;
      if (entry.version !== TRANSACTION_INDEX_VERSION || entry.lastOffset <= this.#lastMarker) {
        this.#tell(reader, 'warning', `entry at byte ${reader.position} cannot be of this segment`, REBUILT);
      } else if (entry.lastOffset < lastOffset) this.#tellStranger(entry.lastOffset);
      else {
        matched = true;
        this.#compare(entry, completed);
      }
      this.#lastMarker = entry.lastOffset;
      await reader.next();
    }
    if (completed?.aborted !== true || matched) return;
    const what = `the transaction of producer ${completed.producerId} at ${completed.firstOffset}..${lastOffset} is missing`;
    this.#tell(reader, 'error', `${what}: readers of committed records see it`, CHECK_ALL);
  }

  #compare(
    entry: { readonly producerId: number; readonly firstOffset: Offset; readonly lastOffset: Offset },
    completed: CompletedTransaction | undefined,
  ): void {
    if (completed === undefined) {
      this.#tellStranger(entry.lastOffset);
      return;
    }
    const { producerId, firstOffset, lastOffset, aborted } = completed;
    const same = producerId === entry.producerId && aborted;
    const begins =
      firstOffset === entry.firstOffset || (this.#options.isIncomplete() && entry.firstOffset < firstOffset);
    if (same && begins) return;
    const told = `producer ${entry.producerId} from ${entry.firstOffset}`;
    const what = `the marker at ${lastOffset} ended producer ${producerId} from ${firstOffset}, the index says ${told}`;
    this.#tell(this.#transactions, 'error', what, CHECK_ALL);
  }

  #tellStranger(offset: Offset): void {
    // Its records, or the marker itself, may be gone: by compaction or with the log's start.
    if (this.#options.isIncomplete()) return;
    this.#tell(
      this.#transactions,
      'error',
      `there is no marker at offset ${offset} that aborts a transaction`,
      CHECK_ALL,
    );
  }

  /** All batches have passed. */
  async end(): Promise<void> {
    for (const reader of [this.#offsets, this.#times]) {
      if (reader.isZero) {
        this.#tell(reader, 'warning', `${reader.bytesLeft} bytes were preallocated and hold nothing`, REBUILT);
      } else if (reader.bytes !== undefined) {
        this.#tell(reader, 'warning', 'entries point behind the last batch', REBUILT);
      }
    }
    if (this.#transactions.bytes !== undefined) {
      this.#tell(this.#transactions, 'warning', 'entries lie behind the last marker', REBUILT);
    }
  }

  #tell(reader: EntryReader, severity: Severity, problem: string, otherwise: string): void {
    const recovery = this.#options.rebuiltAtStart ? 'the next start builds it again from the batches' : otherwise;
    this.#findings.add({ severity, path: reader.path, position: reader.position, problem, recovery });
  }

  close(): void {
    for (const reader of [this.#offsets, this.#times, this.#transactions]) reader.close();
  }
}
