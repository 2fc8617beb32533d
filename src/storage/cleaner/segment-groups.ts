import type { Offset } from '../../base/units.ts';
import { MAX_RELATIVE_OFFSET, OFFSET_ENTRY_BYTES } from '../offset-index.ts';
import type { Segment } from '../segment.ts';
import { TIME_ENTRY_BYTES } from '../time-index.ts';

export interface GroupLimits {
  /** segment.bytes, segment.index.bytes */
  readonly segmentBytes: number;
  readonly indexMaxBytes: number;
  /** The pass looks at nothing from here on. */
  readonly upTo: Offset;
}

/**
 * Runs of neighbouring segments that become one each, so that compaction does not leave ever smaller files: together no
 * larger than one may be, in bytes, index entries and span of offsets (Kafka's groupSegmentsBySize).
 */
export function groupSegments(segments: readonly Segment[], limits: GroupLimits): Segment[][] {
  const groups: Segment[][] = [];
  for (let at = 0; at < segments.length; ) {
    const group = [segments[at]!];
    let bytes = sizesOf(segments[at++]!);
    for (; at < segments.length; at++) {
      const segment = segments[at]!;
      const sum = add(bytes, sizesOf(segment));
      const last = (segments[at + 1]?.baseOffset ?? limits.upTo) - 1;
      const tooFar = segment.size > 0 && last - group[0]!.baseOffset > MAX_RELATIVE_OFFSET;
      if (sum.log > limits.segmentBytes || Math.max(sum.offsets, sum.times) > limits.indexMaxBytes || tooFar) break;
      group.push(segment);
      bytes = sum;
    }
    groups.push(group);
  }
  return groups;
}

interface Sizes {
  readonly log: number;
  readonly offsets: number;
  readonly times: number;
}

function sizesOf({ size, offsetIndex, timeIndex }: Segment): Sizes {
  return { log: size, offsets: offsetIndex.count * OFFSET_ENTRY_BYTES, times: timeIndex.count * TIME_ENTRY_BYTES };
}

function add(left: Sizes, right: Sizes): Sizes {
  return { log: left.log + right.log, offsets: left.offsets + right.offsets, times: left.times + right.times };
}
