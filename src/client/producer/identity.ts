/** The producer id under which a broker recognizes repeated batches; asked for once, and anew after a gap. */
import { initProducerId } from '../../protocol/apis/init-producer-id.ts';
import { ErrorCode } from '../../protocol/error-codes.ts';
import type { Cluster } from '../cluster.ts';
import { refusedBy } from '../errors.ts';
import type { ProducerIdentity } from './pending-batch.ts';

/** Kafka ignores the transaction timeout of a producer without transactions. */
const NO_TRANSACTION_TIMEOUT_MS = 2 ** 31 - 1;

/** A fresh id with epoch 0. Tries again while the cluster is not ready to give one. */
export function requestIdentity(cluster: Cluster): Promise<ProducerIdentity> {
  return cluster.retrying(undefined, async () => {
    const connection = await cluster.connection('any');
    const answer = await connection.request(initProducerId, {
      transactionalId: null,
      transactionTimeoutMs: NO_TRANSACTION_TIMEOUT_MS,
    });
    if (answer.errorCode !== ErrorCode.NONE) throw refusedBy(answer.errorCode, 'the request for a producer id');
    return { id: answer.producerId, epoch: answer.producerEpoch };
  });
}
