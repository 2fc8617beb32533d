/**
 * What the metadata log tells of its own quorum: the version of the protocol and who votes (KIP-853), in control records.
 * A single node needs neither; but a Kafka that wrote them cannot start again without, so that they are kept as bytes.
 */
import * as batch from '../../records/batch.ts';
import { ControlType, controlTypeOf } from '../../records/control.ts';
import { readRecords } from '../../records/reader.ts';

/** Values of the newest record of each type. */
export type QuorumFacts = ReadonlyMap<ControlType, Buffer>;

export const NO_FACTS: QuorumFacts = new Map();

/** In the order in which Kafka writes them. */
const KEPT: readonly ControlType[] = [ControlType.KRAFT_VERSION, ControlType.KRAFT_VOTERS];

/** The facts as they are after the batch at `at`. */
export function learnFacts(known: QuorumFacts, bytes: Buffer, at: number): QuorumFacts {
  if (!batch.isControl(batch.attributes(bytes, at))) return known;
  let facts = known;
  for (const { key, value } of readRecords(bytes, at)) {
    const type = KEPT.find((each) => each === controlTypeOf(key));
    if (type !== undefined && value !== null) facts = new Map([...facts, [type, Buffer.from(value)]]);
  }
  return facts;
}

/** In the order in which they are written. */
export function factsInOrder(facts: QuorumFacts): { readonly type: ControlType; readonly value: Buffer }[] {
  return KEPT.flatMap((type) => {
    const value = facts.get(type);
    return value === undefined ? [] : [{ type, value }];
  });
}
