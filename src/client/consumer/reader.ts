/**
 * Reads partitions that the caller names, without a group: `for await` over records, or over batches where speed counts.
 * Commits nothing. Iterate once, by one of the two.
 */
import { SluiceError } from '../../base/errors.ts';
import type { Offset, TopicPartition } from '../../base/units.ts';
import { CorruptRecords } from '../../records/corrupt-records.ts';
import { onAbort } from '../abort.ts';
import type { Cluster } from '../cluster.ts';
import { aborted } from '../errors.ts';
import type { ConsumedRecord, FetchedBatch } from './fetched-batch.ts';
import { corruptBatch, Fetcher } from './fetcher.ts';
import { type ReaderOptions, resolveFetchOptions } from './options.ts';
import { type ReadPosition, readPosition } from './read-position.ts';
import { resolveBounds } from './start-position.ts';

export class PartitionReader implements AsyncIterable<ConsumedRecord>, AsyncDisposable {
  readonly #fetcher: Fetcher;
  readonly #positions: readonly ReadPosition[];
  readonly #detach: () => void;

  private constructor(fetcher: Fetcher, positions: readonly ReadPosition[], signal: AbortSignal | undefined) {
    this.#fetcher = fetcher;
    this.#positions = positions;
    this.#detach = signal === undefined ? () => undefined : onAbort(signal, () => fetcher.stop(aborted(signal)));
  }

  /** Finds the partitions and where to begin. The cluster is shared and stays open when the reader is closed. */
  static async open(cluster: Cluster, options: ReaderOptions): Promise<PartitionReader> {
    const { signal, from = 'earliest', until = 'forever' } = options;
    const fetchOptions = resolveFetchOptions(options);
    const partitions = (await partitionsOf(cluster, options)).map((each) => ({
      ...each,
      from: typeof from === 'function' ? from(each) : from,
    }));
    const bounds = await resolveBounds(cluster, partitions, { isolation: fetchOptions.isolation, signal });
    const positions = partitions.map((each, index) => {
      const { start, end } = bounds[index]!;
      return readPosition(each, start, typeof until === 'function' ? until(each) : until === 'end' ? end : Infinity);
    });
    return new PartitionReader(new Fetcher(cluster, fetchOptions, positions), positions, signal);
  }

  /** The partitions with the offset that is fetched next and the end as last heard of (-1 before the first answer). */
  progress(): readonly (TopicPartition & { readonly next: Offset; readonly highWatermark: Offset })[] {
    return this.#positions.map(({ topic, partition, next, highWatermark }) => ({
      topic,
      partition,
      next,
      highWatermark,
    }));
  }

  /** Batches in the order of arrival; those of one partition by offset. Rejects with a SluiceError. */
  async *batches(): AsyncGenerator<FetchedBatch, void, void> {
    try {
      for (let batch = await this.#fetcher.next(); batch !== undefined; batch = await this.#fetcher.next()) yield batch;
    } finally {
      await this.close();
    }
  }

  /** Records in the order of arrival; those of one partition by offset. Rejects with a SluiceError. */
  async *[Symbol.asyncIterator](): AsyncGenerator<ConsumedRecord, void, void> {
    for await (const batch of this.batches()) {
      try {
        for (const record of batch.records()) yield record;
      } catch (error) {
        throw error instanceof CorruptRecords ? corruptBatch(batch, error) : error;
      }
    }
  }

  /** Ends reading; an iteration under way ends as if all were read. */
  async close(): Promise<void> {
    this.#detach();
    this.#fetcher.stop();
    await this.#fetcher.closeSessions();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

async function partitionsOf(cluster: Cluster, { partitions, signal }: ReaderOptions): Promise<TopicPartition[]> {
  const found: TopicPartition[] = [];
  for (const each of partitions) {
    if (typeof each !== 'string') {
      found.push(each);
      continue;
    }
    const { partitions: all } = await cluster.topic(each, { signal });
    for (const { partition } of all) found.push({ topic: each, partition });
  }
  if (found.length > 0) return found;
  throw new SluiceError('NOTHING_TO_READ', 'no partition is named', { remedy: 'Name a topic or a partition.' });
}
