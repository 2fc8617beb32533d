/** Who stays eligible to lead when a broker registers: what it may have lost decides, not how often it registered. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { applyRecords } from '../metadata/image.ts';
import { config, directoryOfBroker, imageOf } from './image.test-kit.ts';
import { registerBroker } from './registration.ts';

const INCARNATION = directoryOfBroker(2, 99);
const OTHER_INCARNATION = directoryOfBroker(2, 98);
/** Of broker 2, as the image has it. */
const KNOWN_EPOCH = 20;

/** The eligible replicas of a partition that nobody leads, after broker 2 has registered. */
function eligibleAfter(registration: { readonly incarnationId: string; readonly previousBrokerEpoch: number }) {
  const image = imageOf({
    brokers: [1, 2, 3],
    fenced: [2, 3],
    eligibleLeaders: true,
    minInSync: 2,
    partitions: [{ replicas: [2, 3], isr: [], leader: -1, eligibleLeaderReplicas: [2, 3] }],
  });
  const endpoints = [{ name: 'PLAINTEXT', host: 'b2', port: 9092, securityProtocol: 0 }];
  const { records } = registerBroker(
    image,
    {
      brokerId: 2,
      clusterId: image.clusterId,
      endpoints,
      rack: null,
      logDirs: [directoryOfBroker(2)],
      unfenced: false,
      ...registration,
    },
    config,
    { brokerEpoch: 50 },
  );
  assert.notEqual(records.length, 0);
  const { image: next } = applyRecords(image, records, image.offset + records.length, image.epoch);
  return [...next.topics.byName.values()][0]!.partitions[0]!.eligibleLeaderReplicas;
}

test('a broker that was killed is no longer eligible', () => {
  assert.deepEqual(eligibleAfter({ incarnationId: OTHER_INCARNATION, previousBrokerEpoch: -1 }), [3]);
});

test('a broker that stopped cleanly stays eligible', () => {
  assert.deepEqual(eligibleAfter({ incarnationId: OTHER_INCARNATION, previousBrokerEpoch: KNOWN_EPOCH }), [2, 3]);
});

test('a broker that lives stays eligible, also where the controller has missed a registration of it', () => {
  assert.deepEqual(eligibleAfter({ incarnationId: INCARNATION, previousBrokerEpoch: 40 }), [2, 3]);
});
