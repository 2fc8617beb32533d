/**
 * One compaction of one log, from reading the dirty segments to the last replaced one. All waiting happens between
 * pieces of a megabyte or less; the log is appended to, read and truncated meanwhile. Gives up, with nothing half done,
 * when the log ends, fails or is truncated.
 */
import { assert } from '../../base/assert.ts';
import { SluiceError, systemErrorCode } from '../../base/errors.ts';
import type { Random } from '../../base/random.ts';
import type { Offset, Timestamp } from '../../base/units.ts';
import { abortedTransactions } from '../aborted-transactions.ts';
import type { LogCore } from '../log-core.ts';
import { NO_OFFSET } from '../producer-entry.ts';
import type { Segment } from '../segment.ts';
import { type ChunkBuffers, ChunkReader } from './chunk-reader.ts';
import { CleanedSegment } from './cleaned-segment.ts';
import type { Chunk, CleaningEngine, PassSummary } from './cleaning-engine.ts';
import type { LastOfProducer } from './cleaning-pass.ts';
import { type DirtyRange, segmentsBetween } from './dirty-range.ts';
import { SECRET_WORDS } from './key-hash.ts';
import { groupSegments } from './segment-groups.ts';

export interface CompactionTools {
  readonly engine: CleaningEngine;
  readonly buffers: ChunkBuffers;
  readonly random: Random;
  /** Largest size of the key map, and how full it may get. */
  readonly slots: number;
  readonly loadFactor: number;
  /** Called with every byte that is read or written; resolves when more may be. */
  readonly spend: (bytes: number) => Promise<void> | undefined;
  /** The log shall not be worked on any more. */
  readonly isStopped: () => boolean;
}

export interface Compaction extends PassSummary {
  /** Everything below is compacted now. */
  readonly upTo: Offset;
  readonly bytesRead: number;
  readonly bytesWritten: number;
  readonly segmentsBefore: number;
  readonly segmentsAfter: number;
}

/** Not an error: the reason to compact has gone. */
class GivenUp extends Error {}

/** Fewest slots that are worth a key map. */
const LEAST_SLOTS = 1024;

/**
 * Compacts `range` of a log and everything below it. Undefined where that was given up. Rejects with CorruptRecords or
 * an AssertionError where the log cannot be compacted, and with the engine's SluiceError; an I/O error is noted in the
 * log, which may take it offline.
 */
export async function compact(
  core: LogCore,
  range: DirtyRange,
  tools: CompactionTools,
): Promise<Compaction | undefined> {
  assert(!core.compacting, 'a log is compacted once at a time');
  core.compacting = true;
  try {
    return await new CompactionRun(core, range, tools).run();
  } catch (error) {
    if (error instanceof GivenUp || !core.isUsable || tools.isStopped()) return undefined;
    // What ended the engine says nothing about the disk.
    if (systemErrorCode(error) === undefined || error instanceof SluiceError) throw error;
    core.noteError(error, 'compact the log');
    return undefined;
  } finally {
    core.compacting = false;
  }
}

class CompactionRun {
  readonly #core: LogCore;
  readonly #range: DirtyRange;
  readonly #tools: CompactionTools;
  readonly #nowMs: Timestamp;
  readonly #truncations: number;
  #bytesRead = 0;
  #bytesWritten = 0;

  constructor(core: LogCore, range: DirtyRange, tools: CompactionTools) {
    this.#core = core;
    this.#range = range;
    this.#tools = tools;
    this.#nowMs = core.clock.wallMs();
    this.#truncations = core.truncations;
  }

  async run(): Promise<Compaction> {
    const core = this.#core;
    const { engine } = this.#tools;
    const endOffset = await this.#indexKeys();
    const segments = segmentsBetween(core, core.segments[0]!.baseOffset, endOffset);
    await engine.beginFilter(abortedTransactions(core, segments[0]!.baseOffset, this.#range.upTo));
    const groups = groupSegments(segments, {
      segmentBytes: core.config.segmentBytes,
      indexMaxBytes: core.config.indexMaxBytes,
      upTo: this.#range.upTo,
    });
    for (const group of groups) await this.#replace(group);
    const summary = await engine.end();
    core.cleanedTo = endOffset;
    return {
      ...summary,
      upTo: endOffset,
      bytesRead: this.#bytesRead,
      bytesWritten: this.#bytesWritten,
      segmentsBefore: segments.length,
      segmentsAfter: groups.length,
    };
  }

  /** Fills the key map from the dirty segments; returns the first offset of which it knows nothing. */
  async #indexKeys(): Promise<Offset> {
    const core = this.#core;
    const { engine, random, loadFactor, slots } = this.#tools;
    const { from, upTo } = this.#range;
    const secret = random.bytes(4 * SECRET_WORDS);
    await engine.begin({
      // There are no more keys than offsets.
      slots: Math.min(slots, LEAST_SLOTS + Math.ceil((upTo - from) / loadFactor)),
      loadFactor,
      secret: Uint32Array.from({ length: SECRET_WORDS }, (_, word) => secret.readUInt32LE(4 * word)),
      from,
      upTo,
      nowMs: this.#nowMs,
      deleteRetentionMs: core.config.deleteRetentionMs,
      aborted: abortedTransactions(core, from, upTo),
    });
    const dirty = segmentsBetween(core, from, upTo);
    for (const [index, segment] of dirty.entries()) {
      const next = await this.#indexSegment(segment, from);
      if (next !== undefined) return next;
      await engine.indexedUpTo(dirty[index + 1]?.baseOffset ?? upTo);
    }
    return upTo;
  }

  /** Where the map got full, or undefined. */
  async #indexSegment(segment: Segment, from: Offset): Promise<Offset | undefined> {
    const { engine, buffers } = this.#tools;
    let next: Offset | undefined;
    await this.#eachChunk(segment, await this.#positionOf(segment, from), async (chunk) => {
      const { bytes, full, latest } = await engine.index(chunk);
      buffers.giveBack(bytes);
      if (!full) return true;
      assert(latest >= from, 'a key map takes one key at least');
      next = latest + 1;
      return false;
    });
    return next;
  }

  async #positionOf(segment: Segment, from: Offset): Promise<number> {
    if (segment.baseOffset >= from) return 0;
    await segment.offsetIndex.file.loadAsync();
    this.#goOn();
    segment.check();
    return segment.offsetIndex.positionFor(from);
  }

  /** Hands a segment's batches to `take`, as long as it returns true. */
  async #eachChunk(segment: Segment, from: number, take: (chunk: Chunk) => Promise<boolean>): Promise<void> {
    this.#goOn();
    const reader = new ChunkReader(segment, from, this.#tools.buffers);
    try {
      for (let chunk = await reader.next(); chunk !== undefined; chunk = await reader.next()) {
        this.#goOn();
        this.#bytesRead += chunk.length;
        await this.#tools.spend(chunk.length);
        if (!(await take(chunk))) return;
        this.#goOn();
      }
    } finally {
      await reader.close();
    }
  }

  async #replace(group: readonly Segment[]): Promise<void> {
    const core = this.#core;
    const { engine, buffers, spend } = this.#tools;
    this.#goOn();
    await engine.beginGroup(lastOfProducers(core));
    this.#goOn();
    const modifiedMs = core.fileSystem.modifiedMs(group.at(-1)!.file.path);
    const cleaned = new CleanedSegment(core, group);
    let begun = false;
    try {
      for (const segment of group) {
        await this.#eachChunk(segment, 0, async (chunk) => {
          const { bytes, kept, keptBytes, transactions } = await engine.filter(chunk);
          buffers.giveBack(bytes);
          this.#goOn();
          await cleaned.append(kept.subarray(0, keptBytes), transactions);
          this.#bytesWritten += keptBytes;
          await spend(keptBytes);
          return true;
        });
      }
      await cleaned.finish(modifiedMs);
      await cleaned.makeWay();
      this.#goOn();
      await cleaned.announce();
      this.#goOn();
      assert(
        group.every((segment) => core.segments.includes(segment)),
        'only truncation removes a segment meanwhile',
      );
      begun = true;
      cleaned.swapIn();
    } catch (error) {
      if (begun) core.fail(error, 'replace segments with a compacted one');
      else await this.#discard(cleaned);
      throw error;
    }
  }

  async #discard(cleaned: CleanedSegment): Promise<void> {
    try {
      await cleaned.discard();
    } catch (error) {
      // The next attempt, or the next start, removes them.
      this.#core.logger.warn('Files of an unfinished compaction stay behind', { error: String(error) });
    }
  }

  /** After every wait: what was decided before it may not hold any more. */
  #goOn(): void {
    const core = this.#core;
    if (!core.isUsable || core.truncations !== this.#truncations || this.#tools.isStopped()) throw new GivenUp();
  }
}

function lastOfProducers(core: LogCore): LastOfProducer[] {
  return Array.from(core.producers.entries.values(), ({ producerId, epoch, batches }) => ({
    producerId,
    epoch,
    lastDataOffset: batches.at(-1)?.lastOffset ?? NO_OFFSET,
  }));
}
