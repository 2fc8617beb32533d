/**
 * Proposes changes of in-sync sets to the controller (AlterPartition): one request at a time, what comes up meanwhile goes
 * into the next. A proposal whose outcome is not known is sent again, as long as it is wanted: the partition epoch in it
 * keeps it from taking effect twice. Never decides who is in sync.
 */
import type { Clock, Timer } from '../base/clock.ts';
import { messageOf } from '../base/errors.ts';
import type { Logger } from '../base/logger.ts';
import type { BrokerId, LeaderEpoch } from '../base/units.ts';
import type { Uuid } from '../base/uuid.ts';
import type { AlterPartitionRequest, AlterPartitionResponse } from '../protocol/apis/alter-partition.ts';
import { type ErrorCode as Code, ErrorCode, errorName } from '../protocol/error-codes.ts';

/** The way to the active controller. Rejects where it is not known whether the request took effect. */
export interface IsrChanges {
  alter(request: AlterPartitionRequest): Promise<AlterPartitionResponse>;
}

/** What became of a proposal: the partition as the controller has it now, or why it refused. */
export type IsrOutcome =
  | {
      readonly errorCode: typeof ErrorCode.NONE;
      readonly leaderEpoch: LeaderEpoch;
      readonly partitionEpoch: number;
      readonly inSyncReplicas: readonly BrokerId[];
    }
  | { readonly errorCode: Exclude<Code, typeof ErrorCode.NONE> };

export interface IsrProposal {
  readonly topicId: Uuid;
  readonly partition: number;
  readonly leaderEpoch: LeaderEpoch;
  readonly partitionEpoch: number;
  readonly members: readonly { readonly brokerId: BrokerId; readonly brokerEpoch: number }[];
  /** Whether the outcome still matters. */
  isWanted(): boolean;
  /** Called once, unless the proposal is no longer wanted. */
  settle(outcome: IsrOutcome): void;
}

/** What partitions need of this: tests count proposals instead of sending them. */
export interface IsrProposals {
  submit(proposal: IsrProposal): void;
}

const FIRST_RETRY_MS = 50;
const LAST_RETRY_MS = 1000;
/** LeaderRecoveryState: whoever leads has recovered. */
const RECOVERED = 0;

export class IsrChangeQueue implements IsrProposals {
  readonly #options: { readonly brokerId: BrokerId; readonly brokerEpoch: () => number };
  readonly #changes: IsrChanges;
  readonly #clock: Clock;
  readonly #logger: Logger;
  #waiting: IsrProposal[] = [];
  #inFlight = false;
  #scheduled = false;
  #retryMs = FIRST_RETRY_MS;
  #retry: Timer | undefined;
  #stopped = false;

  constructor(
    options: { readonly brokerId: BrokerId; readonly brokerEpoch: () => number },
    dependencies: { readonly changes: IsrChanges; readonly clock: Clock; readonly logger: Logger },
  ) {
    this.#options = options;
    this.#changes = dependencies.changes;
    this.#clock = dependencies.clock;
    this.#logger = dependencies.logger;
  }

  submit(proposal: IsrProposal): void {
    this.#waiting.push(proposal);
    if (this.#scheduled || this.#inFlight || this.#retry !== undefined) return;
    this.#scheduled = true;
    // Proposals of one turn go together.
    this.#clock.afterTurn(() => {
      this.#scheduled = false;
      void this.#send();
    });
  }

  stop(): void {
    this.#stopped = true;
    this.#waiting = [];
    this.#retry?.cancel();
  }

  async #send(): Promise<void> {
    if (this.#inFlight || this.#stopped) return;
    const proposals = this.#waiting.filter((proposal) => proposal.isWanted());
    this.#waiting = [];
    if (proposals.length === 0) return;
    this.#inFlight = true;
    let again: readonly IsrProposal[];
    try {
      const response = await this.#changes.alter(this.#request(proposals));
      again = this.#accept(proposals, response);
    } catch (error) {
      this.#logger.warn('the controller did not answer to a change of in-sync replicas', { reason: messageOf(error) });
      again = proposals;
    }
    this.#inFlight = false;
    if (this.#stopped) return;
    this.#waiting = [...again, ...this.#waiting];
    if (again.length > 0) this.#sendLater();
    else {
      this.#retryMs = FIRST_RETRY_MS;
      if (this.#waiting.length > 0) void this.#send();
    }
  }

  #sendLater(): void {
    this.#retry = this.#clock.after(this.#retryMs, () => {
      this.#retry = undefined;
      void this.#send();
    });
    this.#retryMs = Math.min(2 * this.#retryMs, LAST_RETRY_MS);
  }

  #request(proposals: readonly IsrProposal[]): AlterPartitionRequest {
    const topics = new Map<Uuid, AlterPartitionRequest['topics'][number]['partitions'][number][]>();
    for (const { topicId, partition, leaderEpoch, partitionEpoch, members } of proposals) {
      let partitions = topics.get(topicId);
      if (partitions === undefined) {
        partitions = [];
        topics.set(topicId, partitions);
      }
      partitions.push({
        partitionIndex: partition,
        leaderEpoch,
        newIsr: [],
        newIsrWithEpochs: [...members],
        leaderRecoveryState: RECOVERED,
        partitionEpoch,
      });
    }
    return {
      brokerId: this.#options.brokerId,
      brokerEpoch: this.#options.brokerEpoch(),
      topics: [...topics].map(([topicId, partitions]) => ({ topicId, partitions })),
    };
  }

  /** Tells the outcomes; returns what has to be sent again. */
  #accept(proposals: readonly IsrProposal[], response: AlterPartitionResponse): IsrProposal[] {
    const { errorCode } = response;
    if (errorCode !== ErrorCode.NONE) {
      // The controller moved, or does not know this registration yet: neither says anything of the partitions.
      this.#logger.info('the controller refused to change in-sync replicas', {
        error: errorName(errorCode as Code),
        topicId: proposals[0]?.topicId,
        partition: proposals[0]?.partition,
        proposals: proposals.length,
      });
      return [...proposals];
    }
    const answers = new Map<string, IsrOutcome>();
    for (const { topicId, partitions } of response.topics ?? []) {
      for (const answer of partitions ?? []) answers.set(`${topicId}/${answer.partitionIndex}`, outcomeOf(answer));
    }
    const again: IsrProposal[] = [];
    for (const proposal of proposals) {
      const outcome = answers.get(`${proposal.topicId}/${proposal.partition}`);
      if (outcome === undefined || (outcome.errorCode !== ErrorCode.NONE && !isFinal(outcome.errorCode))) {
        again.push(proposal);
      } else if (proposal.isWanted()) {
        proposal.settle(outcome);
      }
    }
    return again;
  }
}

type Answer = NonNullable<NonNullable<AlterPartitionResponse['topics']>[number]['partitions']>[number];

function outcomeOf(answer: Answer): IsrOutcome {
  const errorCode = (answer.errorCode ?? ErrorCode.NONE) as Code;
  if (errorCode !== ErrorCode.NONE) return { errorCode };
  const { leaderEpoch = -1, partitionEpoch = -1, isr = [] } = answer;
  return { errorCode, leaderEpoch, partitionEpoch, inSyncReplicas: isr };
}

const FINAL: ReadonlySet<Code> = new Set([
  ErrorCode.OPERATION_NOT_ATTEMPTED,
  ErrorCode.INELIGIBLE_REPLICA,
  ErrorCode.UNKNOWN_TOPIC_OR_PARTITION,
  ErrorCode.UNKNOWN_TOPIC_ID,
  ErrorCode.FENCED_LEADER_EPOCH,
  ErrorCode.INVALID_UPDATE_VERSION,
  ErrorCode.INVALID_REQUEST,
  ErrorCode.NEW_LEADER_ELECTED,
]);

/** Whether sending the same again cannot lead to anything else. */
function isFinal(errorCode: Code): boolean {
  return FINAL.has(errorCode);
}

/** Whether the refusal says for certain that the change did not happen and never will (KIP-841). */
export function isCertainlyNotApplied(errorCode: Code): boolean {
  return errorCode === ErrorCode.INELIGIBLE_REPLICA || errorCode === ErrorCode.OPERATION_NOT_ATTEMPTED;
}
