/** What the runtime needs of a coordinator: state that records build, and how its records lie in a log. */
import type { Offset, ProducerId } from '../../base/units.ts';
import type { Result } from './result.ts';

/** Where a replayed record lies. */
export interface RecordPlace {
  readonly offset: Offset;
  /** Of the transaction that the record belongs to; NO_PRODUCER_ID outside of transactions. */
  readonly producerId: ProducerId;
}

/** State of one shard. Every method runs within one turn. */
export interface ShardState<Rec> {
  /** Takes over one record. Buffers in it may be views of something large: copy what is kept. */
  replay(record: Rec, place: RecordPlace): void;
  /** The transaction of a producer ended: its records count from now on, or never did. */
  endTransaction(producerId: ProducerId, committed: boolean): void;
  /** All of the log has been replayed; requests come from now on. */
  loaded(): void;
  /** This broker is the coordinator no longer: whoever waits must be told. Nothing is called afterwards. */
  unloaded(): void;
}

/** Key and value of a log record from a coordinator's record, and back. */
export interface RecordFormat<Rec> {
  encode(record: Rec): { readonly key: Buffer; readonly value: Buffer | null };
  /** Undefined for a kind of record that this program does not know. Throws CorruptRecords. */
  decode(key: Buffer | null, value: Buffer | null): Rec | undefined;
}

/** Timers of a shard: what they run is a request like any other, and none runs once the shard is closed. */
export interface ShardTimers<Rec> {
  /** Runs `operation` once after `delayMs`, in place of what was scheduled under `key` before. */
  schedule(key: string, delayMs: number, operation: () => Result<unknown, Rec>): void;
  cancel(key: string): void;
  /** Whether something is scheduled under the key. */
  has(key: string): boolean;
}
