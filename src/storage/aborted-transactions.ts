/** Which aborted transactions a range of offsets meets: what a reader of committed records must skip. */
import type { Offset } from '../base/units.ts';
import type { LogCore } from './log-core.ts';
import type { AbortedTransaction } from './transaction-index.ts';

const NONE: readonly AbortedTransaction[] = [];

/**
 * The aborted transactions with records in `from` .. `to` (exclusive), by rising marker, as Kafka's
 * collectAbortedTransactions: those whose marker is in the log. `to` must not be above the last stable offset.
 */
export function abortedTransactions(core: LogCore, from: Offset, to: Offset): readonly AbortedTransaction[] {
  const { segments } = core;
  let found: AbortedTransaction[] | undefined;
  for (let index = Math.max(0, core.segmentIndexOf(from)); index < segments.length; index++) {
    const { transactionIndex } = segments[index]!;
    if (transactionIndex.count === 0) continue;
    found ??= [];
    if (transactionIndex.collect(from, to, found)) break;
  }
  return found ?? NONE;
}

/** Those that the bytes up to `position` of the segment at `index` meet, of which nothing at or above `limit` counts. */
export function abortedBefore(
  core: LogCore,
  { index, position }: { readonly index: number; readonly position: number },
  { from, limit }: { readonly from: Offset; readonly limit: Offset },
): readonly AbortedTransaction[] {
  const { segments } = core;
  // Most logs have none: then the offset index need not be asked.
  if (!segments.some((segment, at) => at >= index && segment.transactionIndex.count > 0)) return NONE;
  const segment = segments[index]!;
  let to = Math.min(limit, segments[index + 1]?.baseOffset ?? limit);
  if (position < segment.size) to = Math.min(to, segment.offsetIndex.offsetFrom(position) ?? to);
  return abortedTransactions(core, from, to);
}
