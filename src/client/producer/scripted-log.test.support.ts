/** Partitions for a scripted broker that check sequences as a real leader does, and fail in the ways a seed chooses. */
import type { Random } from '../../base/random.ts';
import { initProducerId } from '../../protocol/apis/init-producer-id.ts';
import { produce } from '../../protocol/apis/produce.ts';
import { ErrorCode } from '../../protocol/error-codes.ts';
import * as batch from '../../records/batch.ts';
import { readRecords } from '../../records/reader.ts';
import { validateBatches } from '../../records/validate.ts';
import type { ScriptedBroker } from '../scripted-broker.test.support.ts';

/** What befalls a request: nothing, a lost connection before or after the append, or a refusal for each partition. */
export type Mishap = 'none' | 'lost before' | 'lost after' | 'not leader' | 'too few replicas';

interface Seen {
  readonly epoch: number;
  readonly batches: { readonly first: number; readonly last: number; readonly offset: number }[];
}

const REMEMBERED_BATCHES = 5;
const RULES = {
  origin: 'client',
  segmentBytes: 1 << 30,
  timestampType: 'CreateTime',
  timestampBeforeMaxMs: -1,
  timestampAfterMaxMs: -1,
  nowMs: 0,
  compacted: false,
} as const;

export class ScriptedLog {
  /** Values by partition, as they were appended. */
  readonly partitions: string[][];
  /** Sizes in records of the batches, by partition. */
  readonly batchCounts: number[][];
  readonly codecs = new Set<number>();
  mishap: () => Mishap = () => 'none';
  /** Of a batch, as `max.message.bytes`. */
  maxMessageBytes = 1 << 20;
  readonly #producers: Map<number, Seen>[];
  #nextProducerId = 1000;

  constructor(broker: ScriptedBroker, partitions: number) {
    this.partitions = Array.from({ length: partitions }, () => []);
    this.batchCounts = Array.from({ length: partitions }, () => []);
    this.#producers = Array.from({ length: partitions }, () => new Map());
    broker.topics = [{ name: 'orders', leaders: Array.from({ length: partitions }, () => broker.nodeId) }];
    broker.serve(initProducerId, () => ({ errorCode: 0, producerId: this.#nextProducerId++, producerEpoch: 0 }));
    broker.serve(produce, ({ topicData, acks }) => {
      const mishap = this.mishap();
      if (mishap === 'lost before') return 'close';
      const responses = topicData.map(({ name, topicId, partitionData }) => ({
        name,
        topicId,
        partitionResponses: partitionData.map(({ index, records }) => ({
          index,
          recordErrors: [],
          ...this.#append(index, records!, mishap),
        })),
      }));
      if (acks === 0) return 'silence';
      return mishap === 'lost after' ? 'close' : { responses };
    });
  }

  #append(index: number, records: Buffer, mishap: Mishap): { errorCode: number; baseOffset: number } {
    if (mishap === 'not leader') return { errorCode: ErrorCode.NOT_LEADER_OR_FOLLOWER, baseOffset: -1 };
    if (mishap === 'too few replicas') return { errorCode: ErrorCode.NOT_ENOUGH_REPLICAS, baseOffset: -1 };
    const valid = validateBatches(records, { ...RULES, maxMessageBytes: this.maxMessageBytes });
    if (!valid.ok) return { errorCode: valid.errorCode, baseOffset: -1 };
    const log = this.partitions[index]!;
    const producerId = batch.producerId(records, 0);
    if (producerId !== batch.NO_PRODUCER_ID) {
      const answer = this.#checkSequence(index, records);
      if (answer !== undefined) return answer;
    }
    const baseOffset = log.length;
    for (const record of readRecords(records, 0)) log.push(String(record.value));
    this.batchCounts[index]!.push(batch.recordCount(records, 0));
    this.codecs.add(batch.codecOf(batch.attributes(records, 0)));
    return { errorCode: 0, baseOffset };
  }

  #checkSequence(index: number, records: Buffer): { errorCode: number; baseOffset: number } | undefined {
    const producerId = batch.producerId(records, 0);
    const epoch = batch.producerEpoch(records, 0);
    const first = batch.baseSequence(records, 0);
    const last = first + batch.recordCount(records, 0) - 1;
    const producers = this.#producers[index]!;
    let seen = producers.get(producerId);
    if (seen === undefined || seen.epoch !== epoch) {
      if (first !== 0) return { errorCode: ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER, baseOffset: -1 };
      seen = { epoch, batches: [] };
      producers.set(producerId, seen);
    }
    const repeated = seen.batches.find((each) => each.first === first && each.last === last);
    if (repeated !== undefined) return { errorCode: 0, baseOffset: repeated.offset };
    if (first !== (seen.batches.at(-1)?.last ?? -1) + 1) {
      return { errorCode: ErrorCode.OUT_OF_ORDER_SEQUENCE_NUMBER, baseOffset: -1 };
    }
    seen.batches.push({ first, last, offset: this.partitions[index]!.length });
    if (seen.batches.length > REMEMBERED_BATCHES) seen.batches.shift();
    return undefined;
  }

  /** The broker forgets all producers, as after their state has expired. */
  forgetProducers(): void {
    for (const each of this.#producers) each.clear();
  }
}

const MISHAPS: readonly Mishap[] = ['lost before', 'lost after', 'not leader', 'too few replicas'];

/** Something goes wrong with every third request, until `quiet` is called. */
export function mishapsFrom(random: Random): { readonly next: () => Mishap; quiet(): void } {
  let left = 200;
  return {
    next: () => {
      if (left <= 0 || random.below(3) > 0) return 'none';
      left--;
      return MISHAPS[random.below(MISHAPS.length)]!;
    },
    quiet: () => {
      left = 0;
    },
  };
}
