import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { silentLogger } from '../base/logger.ts';
import { SimulatedClock } from '../base/simulated-clock.ts';
import type { AlterPartitionRequest, AlterPartitionResponse } from '../protocol/apis/alter-partition.ts';
import { ErrorCode } from '../protocol/error-codes.ts';
import { IsrChangeQueue, type IsrOutcome, type IsrProposal } from './isr-changes.ts';

const TOPIC_ID = 'qqqqqqqqqqqqqqqqqqqqqg';

class Controller {
  readonly requests: AlterPartitionRequest[] = [];
  readonly answers: ((answer: AlterPartitionResponse | Error) => void)[] = [];

  alter(request: AlterPartitionRequest): Promise<AlterPartitionResponse> {
    this.requests.push(request);
    return new Promise((resolve, reject) => {
      this.answers.push((answer) => (answer instanceof Error ? reject(answer) : resolve(answer)));
    });
  }
}

function world() {
  const clock = new SimulatedClock();
  const controller = new Controller();
  let brokerEpoch = 50;
  const queue = new IsrChangeQueue(
    { brokerId: 1, brokerEpoch: () => brokerEpoch },
    { changes: controller, clock, logger: silentLogger },
  );
  const outcomes: IsrOutcome[] = [];
  const submit = (partition: number, isWanted = () => true): void => {
    const settle = (outcome: IsrOutcome): void => void outcomes.push(outcome);
    const members = [{ brokerId: 1, brokerEpoch: 50 }];
    const proposal: IsrProposal = {
      topicId: TOPIC_ID,
      partition,
      leaderEpoch: 3,
      partitionEpoch: 4,
      members,
      isWanted,
      settle,
    };
    queue.submit(proposal);
  };
  const turn = async (): Promise<void> => {
    for (let count = 0; count < 3; count++) {
      clock.endTurn();
      await new Promise(setImmediate);
    }
  };
  const partitionsAsked = (at: number): number[] =>
    controller.requests[at]!.topics.flatMap(({ partitions }) => partitions.map(({ partitionIndex }) => partitionIndex));
  return {
    clock,
    controller,
    queue,
    outcomes,
    submit,
    turn,
    partitionsAsked,
    register: (epoch: number) => (brokerEpoch = epoch),
  };
}

function told(partitionIndex: number, errorCode: number = ErrorCode.NONE): AlterPartitionResponse {
  const partition = { partitionIndex, errorCode, leaderId: 1, leaderEpoch: 3, isr: [1], partitionEpoch: 5 };
  return { throttleTimeMs: 0, errorCode: ErrorCode.NONE, topics: [{ topicId: TOPIC_ID, partitions: [partition] }] };
}

describe('changes of in-sync replicas', () => {
  it('of one turn go in one request, later ones in the next', async () => {
    const { controller, submit, turn, partitionsAsked } = world();
    submit(0);
    submit(1);
    await turn();
    submit(2);
    await turn();
    assert.deepEqual(controller.requests.length, 1);
    assert.deepEqual(partitionsAsked(0), [0, 1]);
    controller.answers[0]!({
      ...told(0),
      topics: [{ topicId: TOPIC_ID, partitions: [0, 1].map((p) => told(p).topics![0]!.partitions![0]!) }],
    });
    await turn();
    assert.deepEqual(partitionsAsked(1), [2]);
  });

  it('are sent again where it is not known what became of them', async () => {
    const { clock, controller, outcomes, submit, turn } = world();
    submit(0);
    await turn();
    controller.answers[0]!(new Error('connection lost'));
    await turn();
    assert.equal(controller.requests.length, 1);
    clock.advance(50);
    await turn();
    controller.answers[1]!(told(0));
    await turn();
    assert.equal(outcomes.length, 1);
    assert.equal(outcomes[0]!.errorCode, ErrorCode.NONE);
  });

  it('are sent again, as of its new registration, where the controller did not know the broker', async () => {
    const { clock, controller, submit, turn, register } = world();
    submit(0);
    await turn();
    controller.answers[0]!({ throttleTimeMs: 0, errorCode: ErrorCode.STALE_BROKER_EPOCH, topics: [] });
    register(51);
    await turn();
    clock.advance(50);
    await turn();
    assert.equal(controller.requests[1]!.brokerEpoch, 51);
  });

  it('are dropped once nobody wants them any more', async () => {
    const { clock, controller, outcomes, submit, turn } = world();
    let wanted = true;
    submit(0, () => wanted);
    await turn();
    controller.answers[0]!(new Error('connection lost'));
    wanted = false;
    await turn();
    clock.advance(5000);
    await turn();
    assert.equal(controller.requests.length, 1);
    assert.equal(outcomes.length, 0);
  });

  it('are told what is final, and tried again after what may pass', async () => {
    const { clock, controller, outcomes, submit, turn } = world();
    submit(0);
    await turn();
    controller.answers[0]!(told(0, ErrorCode.UNKNOWN_SERVER_ERROR));
    await turn();
    clock.advance(50);
    await turn();
    controller.answers[1]!(told(0, ErrorCode.FENCED_LEADER_EPOCH));
    await turn();
    assert.deepEqual(outcomes, [{ errorCode: ErrorCode.FENCED_LEADER_EPOCH }]);
    clock.advance(5000);
    await turn();
    assert.equal(controller.requests.length, 2);
  });
});
