/** A member of a group with this package's own consumer: arguments and lines as of clients/python/group_member.py. */

import type { TopicPartition } from '../../../src/base/units.ts';
import { Cluster } from '../../../src/client/cluster.ts';
import { Consumer } from '../../../src/client/consumer/consumer.ts';
import { wallMs } from './wall-time.ts';

const [bootstrap, groupId, topic, groupProtocol] = process.argv.slice(2) as [string, string, string, string];
const assignors = process.env['SLUICE_MEMBER_ASSIGNORS']?.split(',') as ('range' | 'sticky')[] | undefined;
const COMMIT_MS = 100;

function tell(what: string, value: unknown): void {
  process.stdout.write(`${JSON.stringify({ at: wallMs(), [what]: value })}\n`);
}

const numbers = (partitions: readonly TopicPartition[]) => partitions.map(({ partition }) => partition);
const cluster = new Cluster({ bootstrapServers: bootstrap, clientId: 'member', metadataMaxAgeMs: 1000 });
/** Offset to read next of each partition, as far as it is not committed. */
const read = new Map<number, number>();

let committing: Promise<void> = Promise.resolve();

/** One after the other: who gives up a partition waits for the commit of it that is under way. */
function commitRead(partitions?: readonly number[]): Promise<void> {
  committing = committing.then(() => commitNow(partitions));
  return committing;
}

async function commitNow(partitions: readonly number[] = [...read.keys()]): Promise<void> {
  const next = partitions.filter((each) => read.has(each)).map((each) => [each, read.get(each)!] as const);
  for (const [partition] of next) read.delete(partition);
  if (next.length === 0) return;
  try {
    await consumer.commit(next.map(([partition, offset]) => ({ topic, partition, offset })));
    tell('committed', next);
  } catch (error) {
    tell('failed', String(error));
  }
}

const consumer = new Consumer(cluster, {
  groupId,
  groupProtocol: groupProtocol as 'classic' | 'consumer',
  sessionTimeoutMs: 6000,
  heartbeatIntervalMs: 500,
  maxPollIntervalMs: 10_000,
  maxWaitMs: 200,
  autoCommit: false,
  offsetReset: 'earliest',
  ...(assignors === undefined ? {} : { assignors }),
  onAssigned: (partitions) => tell('assigned', numbers(partitions)),
  onRevoked: async (partitions) => {
    await commitRead(numbers(partitions));
    tell('revoked', numbers(partitions));
  },
  onLost: (partitions) => {
    for (const partition of numbers(partitions)) read.delete(partition);
    tell('revoked', numbers(partitions));
  },
});

let ending: Promise<void> | undefined;
process.once('SIGTERM', () => {
  ending = consumer.close().catch((error: unknown) => tell('failed', String(error)));
});

consumer.subscribe(topic);
let committedMs = performance.now();
for await (const batch of consumer.batches()) {
  const { partition } = batch;
  const offsets = [...batch.records()].map(({ offset }) => offset);
  if (offsets.length > 0) {
    tell('read', [[partition, offsets[0], offsets.at(-1)]]);
    read.set(partition, offsets.at(-1)! + 1);
  }
  const isDue = performance.now() - committedMs > COMMIT_MS;
  if (isDue || consumer.lag({ topic, partition }) === 0) {
    await commitRead();
    committedMs = performance.now();
  }
}
await ending;
await cluster.close();
tell('closed', true);
