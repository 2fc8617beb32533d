/** Who leads and where replicas lie: ElectLeaders, AlterPartitionReassignments, ListPartitionReassignments, UnregisterBroker. */
import { alterPartitionReassignments } from '../../../src/protocol/apis/alter-partition-reassignments.ts';
import { electLeaders } from '../../../src/protocol/apis/elect-leaders.ts';
import { listPartitionReassignments } from '../../../src/protocol/apis/list-partition-reassignments.ts';
import { unregisterBroker } from '../../../src/protocol/apis/unregister-broker.ts';
import type { Body } from '../../support/wire.ts';
import type { Pair } from '../harness/differential/pair.ts';
import type { Scenarios } from '../harness/differential/scenarios.ts';

const TOPIC = 'led';
const timeoutMs = 5_000;

async function elections(pair: Pair): Promise<void> {
  await pair.createTopics({ name: TOPIC, partitions: 2 });
  for (const electionType of [0, 1, 2, -1]) {
    const ask = (what: string, topicPartitions: unknown) =>
      pair.askAll(`${what}, type ${electionType}`, electLeaders, { electionType, topicPartitions, timeoutMs });
    await ask('partitions that have their leader', [{ topic: TOPIC, partitions: [0, 1] }]);
    await ask('a partition twice', [{ topic: TOPIC, partitions: [0, 0] }]);
    await ask('unknown partitions and topics', [
      { topic: TOPIC, partitions: [9, -1] },
      { topic: 'no-such-topic', partitions: [0] },
      { topic: '', partitions: [0] },
    ]);
    await ask('no partitions', [{ topic: TOPIC, partitions: [] }]);
    await ask('nothing', []);
    // The order of all topics is nobody's business.
    const pick = (body: Body): unknown => ({
      ...body,
      replicaElectionResults: (body['replicaElectionResults'] as { topic: string }[]).filter(
        ({ topic }) => topic === TOPIC,
      ),
    });
    const all = { electionType, topicPartitions: null, timeoutMs };
    await pair.askAll(`all, type ${electionType}`, electLeaders, all, { pick });
  }
}

async function reassignments(pair: Pair): Promise<void> {
  await pair.createTopics({ name: 'moved', partitions: 2 });
  const ask = (what: string, partitions: readonly Body[], name = 'moved', more: Body = {}) =>
    pair.askAll(what, alterPartitionReassignments, { timeoutMs, topics: [{ name, partitions }], ...more });
  await ask('where it lies', [{ partitionIndex: 0, replicas: [1] }]);
  await ask('an unknown broker', [{ partitionIndex: 0, replicas: [1, 9] }]);
  await ask('a negative broker', [{ partitionIndex: 0, replicas: [-1] }]);
  await ask('a broker twice', [{ partitionIndex: 0, replicas: [1, 1] }]);
  await ask('no brokers', [{ partitionIndex: 0, replicas: [] }]);
  await ask('nothing to cancel', [{ partitionIndex: 0, replicas: null }]);
  await ask('an unknown partition', [{ partitionIndex: 9, replicas: [1] }]);
  await ask('an unknown topic', [{ partitionIndex: 0, replicas: [1] }], 'no-such-topic');
  await ask('several, one wrong', [
    { partitionIndex: 0, replicas: [1] },
    { partitionIndex: 1, replicas: [7] },
  ]);
  await ask('a partition twice', [
    { partitionIndex: 0, replicas: [1] },
    { partitionIndex: 0, replicas: null },
  ]);
  const fixed = { allowReplicationFactorChange: false };
  await pair.ask('no other factor', alterPartitionReassignments, 1, {
    timeoutMs,
    ...fixed,
    topics: [{ name: 'moved', partitions: [{ partitionIndex: 0, replicas: [1] }] }],
  });
  await pair.ask('another factor and an unknown broker', alterPartitionReassignments, 1, {
    timeoutMs,
    ...fixed,
    topics: [{ name: 'moved', partitions: [{ partitionIndex: 0, replicas: [1, 9] }] }],
  });
  await pair.askAll('nothing', alterPartitionReassignments, { timeoutMs, topics: [] });
}

async function listing(pair: Pair): Promise<void> {
  const ask = (what: string, topics: unknown) => pair.askAll(what, listPartitionReassignments, { timeoutMs, topics });
  await ask('all', null);
  await ask('none', []);
  await ask('what is not moving', [{ name: 'moved', partitionIndexes: [0, 1, 9] }]);
  await ask('unknown topics', [{ name: 'no-such-topic', partitionIndexes: [0] }]);
}

async function unregistering(pair: Pair): Promise<void> {
  for (const brokerId of [99, -1, 0]) {
    await pair.askAll(`broker ${brokerId}`, unregisterBroker, { brokerId });
  }
}

export const reassignmentScenarios: Scenarios = {
  ElectLeaders: elections,
  AlterPartitionReassignments: reassignments,
  ListPartitionReassignments: listing,
  UnregisterBroker: unregistering,
};
