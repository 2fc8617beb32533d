/**
 * Consumers that behave like real ones and worse, on simulated time: join, lead, sync, commit, leave, fall silent without a
 * word, come back as somebody else or as the same static member. Everything that they are told goes to a `Judge`.
 */
import type { Random } from '../../../base/random.ts';
import type { JoinGroupResponse } from '../../../protocol/apis/join-group.ts';
import type { SyncGroupResponse } from '../../../protocol/apis/sync-group.ts';
import { ErrorCode } from '../../../protocol/error-codes.ts';
import {
  CLIENT,
  commitRequest,
  type GroupWorld,
  joinRequest,
  READ_TOPIC,
  subscription,
  syncRequest,
} from '../group-world.test.support.ts';
import type { Judge } from './judge.test.support.ts';

export const PARTITIONS = 6;
const HEARTBEAT_MS = 3000;
export const SESSION_MS = 10_000;
export const REBALANCE_MS = 15_000;

/**
 * `lazy` hangs in its own work while its heartbeats go on: it neither joins nor syncs, hears nothing, and may commit what it
 * believes to own.
 */
type Phase = 'out' | 'asking' | 'in' | 'lazy';

export class WanderingConsumer {
  readonly name: string;
  readonly instanceId: string | null;
  phase: Phase = 'out';
  memberId = '';
  generation = -1;
  owned: readonly number[] = [];
  mayHang = true;
  readonly #world: GroupWorld;
  readonly #judge: Judge;
  readonly #random: Random;
  /** Replies to an earlier self are not heard. */
  #life = 0;
  #lastBeatMs = 0;
  #commits = 0;
  #metadata = 0;

  constructor(name: string, instanceId: string | null, world: GroupWorld, judge: Judge) {
    this.name = name;
    this.instanceId = instanceId;
    this.#world = world;
    this.#judge = judge;
    this.#random = world.random;
  }

  /** One random step. */
  act(): void {
    const dice = this.#random.fraction();
    if (this.phase === 'out') {
      if (dice < 0.7) this.join();
    } else if (dice < 0.04) {
      this.vanish();
    } else if (this.phase === 'lazy') {
      if (dice < 0.12) this.wake();
      else if (dice < 0.5) this.commit();
    } else if (this.phase === 'in') {
      if (dice < 0.08) this.leave();
      else if (dice < 0.11) this.hang();
      else if (dice < 0.16) this.join();
      else if (dice < 0.5) this.commit();
    }
  }

  hang(): void {
    this.#life++;
    this.phase = 'lazy';
  }

  wake(): void {
    this.phase = 'out';
    this.owned = [];
  }

  /** What a consumer does by itself as time passes. */
  live(): void {
    if (this.phase === 'out') this.join();
    else if (this.phase !== 'asking' && this.#world.clock.monotonicMs() - this.#lastBeatMs >= HEARTBEAT_MS) this.beat();
  }

  join(): void {
    const life = this.#begin();
    const { memberId, instanceId: groupInstanceId } = this;
    const times = { sessionTimeoutMs: SESSION_MS, rebalanceTimeoutMs: REBALANCE_MS };
    if (this.#random.below(5) === 0) this.#metadata++;
    const metadata = Buffer.concat([subscription([READ_TOPIC]), Buffer.from(String(this.#metadata))]);
    const request = joinRequest({ memberId, groupInstanceId, ...times, protocols: [{ name: 'range', metadata }] });
    this.#judge.asked();
    void this.#world.coordinator.joinGroup(request, CLIENT).then((response) => {
      this.#judge.answered();
      if (this.#life === life) this.#joined(response);
    });
  }

  #joined(response: JoinGroupResponse): void {
    switch (response.errorCode) {
      case ErrorCode.NONE: {
        const generation = response.generationId!;
        this.#judge.joined(this.name, response.memberId, generation);
        this.memberId = response.memberId;
        this.generation = generation;
        if (this.#random.below(15) === 0 && this.mayHang) this.hang();
        else this.#sync(response);
        return;
      }
      case ErrorCode.MEMBER_ID_REQUIRED:
        this.memberId = response.memberId;
        this.join();
        return;
      default:
        this.#refused(response.errorCode!);
    }
  }

  #sync({ leader, memberId, members }: JoinGroupResponse): void {
    const life = this.#life;
    const { generation } = this;
    const assignments = leader === memberId ? this.#assign(members.map((member) => member.memberId)) : [];
    if (assignments.length > 0) this.#judge.assigned(generation, assignments);
    const request = syncRequest({ memberId, generationId: generation, groupInstanceId: this.instanceId, assignments });
    this.#judge.asked();
    void this.#world.coordinator.syncGroup(request).then((response) => {
      this.#judge.answered();
      if (this.#life === life) this.#synced(response);
    });
  }

  #assign(memberIds: readonly string[]): { memberId: string; assignment: Buffer }[] {
    const shift = this.#random.below(memberIds.length);
    return memberIds.map((memberId, at) => {
      const mine = [];
      for (let partition = 0; partition < PARTITIONS; partition++) {
        if ((partition + shift) % memberIds.length === at) mine.push(partition);
      }
      return { memberId, assignment: Buffer.from(mine.join(',')) };
    });
  }

  #synced(response: SyncGroupResponse): void {
    if (response.errorCode !== ErrorCode.NONE) {
      this.#refused(response.errorCode!);
      return;
    }
    const text = String(Buffer.from(response.assignment));
    this.owned = text === '' ? [] : text.split(',').map(Number);
    this.phase = 'in';
    this.#lastBeatMs = this.#world.clock.monotonicMs();
    this.#judge.owns({ name: this.name, memberId: this.memberId, generation: this.generation, assignment: text });
  }

  beat(): void {
    const life = this.#life;
    const { memberId, generation: generationId, instanceId: groupInstanceId } = this;
    this.#lastBeatMs = this.#world.clock.monotonicMs();
    this.#judge.asked();
    void this.#world.coordinator.heartbeat({ groupId: 'g', memberId, generationId, groupInstanceId }).then((answer) => {
      this.#judge.answered();
      if (this.#life === life && answer.errorCode !== ErrorCode.NONE) this.#refused(answer.errorCode!);
    });
  }

  commit(): void {
    const life = this.#life;
    const { memberId, generation, instanceId: groupInstanceId } = this;
    const offset = this.#judge.committing(generation, ++this.#commits);
    const claim = { memberId, groupInstanceId, generationIdOrMemberEpoch: generation };
    this.#judge.asked();
    void this.#world.coordinator.commitOffsets(commitRequest(offset, claim), 9).then((answer) => {
      this.#judge.answered();
      const { errorCode } = answer.topics[0]!.partitions[0]!;
      this.#judge.committed(offset, errorCode!);
      if (this.#life === life && errorCode !== ErrorCode.NONE) this.#refused(errorCode!);
    });
  }

  leave(): void {
    const { memberId, instanceId: groupInstanceId } = this;
    this.#judge.asked();
    void this.#world.coordinator.leaveGroup('g', [{ memberId, groupInstanceId }]).then(() => this.#judge.answered());
    this.#forget();
  }

  /** The process dies: nobody is told. */
  vanish(): void {
    this.#forget();
  }

  #refused(errorCode: number): void {
    this.#judge.refused(this.name, errorCode);
    if (this.phase === 'lazy') return;
    this.owned = [];
    this.phase = 'out';
    const isForgotten = errorCode === ErrorCode.UNKNOWN_MEMBER_ID || errorCode === ErrorCode.FENCED_INSTANCE_ID;
    if (isForgotten) this.memberId = '';
  }

  #begin(): number {
    this.phase = 'asking';
    this.owned = [];
    return ++this.#life;
  }

  #forget(): void {
    this.#life++;
    this.phase = 'out';
    this.memberId = '';
    this.owned = [];
  }
}
