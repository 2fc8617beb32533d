/**
 * Judges a history. Lines are taken one by one; `report` then says every anomaly that they prove, and nothing that a
 * correct log could have shown. Pure: knows neither Kafka nor files. Memory grows with the values sent, about 200 bytes each.
 */
import { type Anomaly, type AnomalyKind, AnomalyList } from './anomalies.ts';
import { DeferredRecords, describeLine, type LineHead, UNTOLD } from './deferred-records.ts';
import type {
  AssignLine,
  FreshLine,
  HistoryLine,
  LeaderLine,
  OperationLine,
  Partition,
  ReplicaLine,
} from './history.ts';
import { PartitionLog } from './partition-log.ts';
import { compareReplicas } from './replicas.ts';
import { ACKNOWLEDGED, Writes } from './writes.ts';

export interface CheckReport {
  readonly anomalies: readonly Anomaly[];
  readonly counts: ReadonlyMap<AnomalyKind, number>;
  readonly sent: number;
  readonly acknowledged: number;
  readonly failed: number;
  /** Neither acknowledged nor failed. */
  readonly unknown: number;
  /** Records in all polls. */
  readonly read: number;
  /** Sent without acknowledgement, found by a reader. */
  readonly recovered: number;
}

/** Marks the start of an assignment in a trail of offsets. */
const ASSIGNED = -1;

export class HistoryChecker {
  readonly #writes = new Writes();
  readonly #logs = new Map<Partition, PartitionLog>();
  /** Completions and reads may stand in the file before the send that they belong to. */
  readonly #completions = new DeferredRecords();
  readonly #reads = new DeferredRecords();
  /** What each process read of each partition, in its order. */
  readonly #trails = new Map<string, Map<Partition, number[]>>();
  /** At most 31: each is a bit of what a value was read by. */
  readonly #fresh: { readonly name: string; readonly partitions: ReadonlySet<Partition> }[] = [];
  readonly #freshBits = new Map<string, number>();
  readonly #leaders = new Map<string, number>();
  readonly #owners = new Map<string, string>();
  readonly #replicas = new Map<Partition, ReplicaLine[]>();
  readonly #anomalies = new AnomalyList();
  #read = 0;
  #reported: CheckReport | undefined;

  take(line: HistoryLine): void {
    switch (line.type) {
      case 'invoke':
        if (line.end !== undefined) this.#writes.endTransaction(line);
        else this.#writes.invoke(line);
        break;
      case 'ok':
      case 'fail':
      case 'info':
        this.#takeCompletion(line);
        break;
      case 'assign':
        this.#takeAssignment(line);
        break;
      case 'fresh':
        this.#takeFresh(line);
        break;
      case 'leader':
        this.#takeLeader(line);
        break;
      case 'replica': {
        const replicas = this.#replicas.get(line.partition);
        if (replicas === undefined) this.#replicas.set(line.partition, [line]);
        else replicas.push(line);
        break;
      }
      case 'note':
        break;
    }
  }

  /** Ends the history. */
  report(): CheckReport {
    this.#reported ??= this.#judge();
    return this.#reported;
  }

  #judge(): CheckReport {
    this.#completions.visit((partition, offset, value, line) => this.#complete(partition, offset, value, line));
    this.#reads.visit((partition, offset, value, line) => this.#readRecord(partition, offset, value, line));
    this.#judgeWrites();
    this.#judgeOrder();
    this.#judgeTrails();
    for (const [partition, replicas] of this.#replicas) compareReplicas(partition, replicas, this.#anomalies);
    return this.#summary();
  }

  #summary(): CheckReport {
    const states = [0, 0, 0, 0];
    let recovered = 0;
    for (let row = 0; row < this.#writes.count; row++) {
      const state = this.#writes.state[row]!;
      states[state]!++;
      if (state !== ACKNOWLEDGED && this.#writes.firstReadAt[row] !== Number.POSITIVE_INFINITY) recovered++;
    }
    return {
      anomalies: this.#anomalies.found,
      counts: this.#anomalies.counts,
      sent: this.#writes.count,
      acknowledged: states[1]!,
      failed: states[2]!,
      unknown: states[0]! + states[3]!,
      read: this.#read,
      recovered,
    };
  }

  #takeCompletion(line: OperationLine): void {
    if (line.end !== undefined) this.#writes.endTransaction(line);
    if (line.sends !== undefined) this.#completions.add(line, line.sends);
    if (line.polls === undefined) return;
    this.#reads.add(line, line.polls);
    for (const [partition, offset] of line.polls) this.#trailOf(line.process, partition).push(offset);
  }

  #takeAssignment(line: AssignLine): void {
    for (const partition of line.partitions) {
      this.#trailOf(line.process, partition).push(ASSIGNED);
      if (line.group === undefined || line.generation === undefined) continue;
      const key = JSON.stringify([line.group, line.generation, partition]);
      const owner = this.#owners.get(key);
      if (owner === undefined) this.#owners.set(key, line.process);
      else if (owner !== line.process) {
        const where = `generation ${line.generation} of group ${line.group}`;
        this.#anomalies.add('two owners', partition, `${owner} and ${line.process} in ${where}`);
      }
    }
  }

  #takeFresh({ process, processes = [process], partitions }: FreshLine): void {
    const bit = 1 << (this.#fresh.push({ name: process, partitions: new Set(partitions) }) - 1);
    for (const reader of processes) this.#freshBits.set(reader, (this.#freshBits.get(reader) ?? 0) | bit);
  }

  #takeLeader({ partition, epoch, leader }: LeaderLine): void {
    const key = `${epoch}/${partition}`;
    const seen = this.#leaders.get(key);
    if (seen === undefined) this.#leaders.set(key, leader);
    else if (seen !== leader) this.#anomalies.add('two leaders', partition, `${seen} and ${leader} in epoch ${epoch}`);
  }

  #logOf(partition: Partition): PartitionLog {
    let log = this.#logs.get(partition);
    if (log === undefined) {
      log = new PartitionLog(partition);
      this.#logs.set(partition, log);
    }
    return log;
  }

  #trailOf(process: string, partition: Partition): number[] {
    let trails = this.#trails.get(process);
    if (trails === undefined) {
      trails = new Map();
      this.#trails.set(process, trails);
    }
    let trail = trails.get(partition);
    if (trail === undefined) {
      trail = [];
      trails.set(partition, trail);
    }
    return trail;
  }

  #complete(partition: Partition, offset: number, value: number, line: LineHead): void {
    const row = this.#writes.rowOf(value);
    if (row === undefined) {
      this.#anomalies.add('unwritten acknowledged', partition, `${value}, told to ${line.process}`);
      return;
    }
    this.#writes.complete(row, line.type as 'ok' | 'fail' | 'info', line.at, offset);
    const sentTo = this.#writes.partitions[row]!;
    if (sentTo !== partition) {
      this.#anomalies.add('two partitions', partition, `${value} was sent to ${sentTo} and acknowledged here`);
    } else if (line.type === 'ok' && offset !== UNTOLD) {
      this.#logOf(partition).place(offset, value, line, this.#anomalies);
    }
  }

  #readRecord(partition: Partition, offset: number, value: number, line: LineHead): void {
    this.#read++;
    const log = this.#logOf(partition);
    log.place(offset, value, line, this.#anomalies);
    log.makeVisible(offset);
    if (offset > log.highestRead) log.highestRead = offset;
    const row = this.#writes.rowOf(value);
    if (row === undefined) {
      this.#anomalies.add('unwritten', partition, `${value} at offset ${offset}, ${describeLine(line)}`);
      return;
    }
    const sentTo = this.#writes.partitions[row]!;
    if (sentTo !== partition) {
      this.#anomalies.add(
        'two partitions',
        partition,
        `${value}, sent to ${sentTo}, is here at ${offset}, ${describeLine(line)}`,
      );
    }
    if (line.at < this.#writes.firstReadAt[row]!) this.#writes.firstReadAt[row] = line.at;
    this.#writes.readFresh[row]! |= this.#freshBits.get(line.process) ?? 0;
  }

  #judgeWrites(): void {
    const writes = this.#writes;
    for (let row = 0; row < writes.count; row++) {
      const partition = writes.partitions[row]!;
      const readAt = writes.firstReadAt[row]!;
      const wasRead = readAt !== Number.POSITIVE_INFINITY;
      if (wasRead && writes.isRefused(row)) {
        this.#anomalies.add('failed read', partition, `${this.#describe(row)} was read at ${readAt}`);
      } else if (wasRead && readAt < (writes.transactions[writes.transaction[row]!]?.commitInvokedAt ?? 0)) {
        this.#anomalies.add('uncommitted read', partition, `${this.#describe(row)} was read at ${readAt}`);
      }
      if (!writes.isPromised(row)) continue;
      const offset = writes.acknowledgedOffset[row]!;
      if (offset !== UNTOLD) this.#logOf(partition).makeVisible(offset);
      if (!wasRead && offset !== UNTOLD && offset <= this.#logOf(partition).highestRead) {
        this.#anomalies.add('lost', partition, this.#describe(row));
      }
      for (const [index, { name, partitions }] of this.#fresh.entries()) {
        if (!partitions.has(partition) || (writes.readFresh[row]! & (1 << index)) !== 0) continue;
        this.#anomalies.add('unseen', partition, `${this.#describe(row)}; ${name} did not find it`);
      }
    }
  }

  #describe(row: number): string {
    const { values, processNames, process, invokedAt, acknowledgedAt, acknowledgedOffset } = this.#writes;
    const value = `${values[row]} of ${processNames[process[row]!]}, invoked at ${invokedAt[row]}`;
    if (this.#writes.state[row] !== ACKNOWLEDGED) return value;
    return `${value}, acknowledged at ${acknowledgedAt[row]} with offset ${acknowledgedOffset[row]}`;
  }

  #judgeOrder(): void {
    const byPartition = new Map<Partition, number[]>();
    for (let row = 0; row < this.#writes.count; row++) {
      const partition = this.#writes.partitions[row]!;
      const rows = byPartition.get(partition);
      if (rows === undefined) byPartition.set(partition, [row]);
      else rows.push(row);
    }
    for (const rows of byPartition.values()) {
      this.#judgeRealTime(rows.filter((row) => this.#writes.acknowledgedOffset[row] !== UNTOLD));
      this.#judgeProducers(rows);
    }
  }

  /** An offset must be above all that were acknowledged before its send was invoked. */
  #judgeRealTime(rows: readonly number[]): void {
    const { invokedAt, acknowledgedAt, acknowledgedOffset, partitions } = this.#writes;
    const byAcknowledgement = rows.toSorted((left, right) => acknowledgedAt[left]! - acknowledgedAt[right]!);
    const byInvocation = rows.toSorted((left, right) => invokedAt[left]! - invokedAt[right]!);
    let highest = -1;
    let next = 0;
    for (const row of byInvocation) {
      for (; next < byAcknowledgement.length; next++) {
        const acknowledged = byAcknowledgement[next]!;
        if (acknowledgedAt[acknowledged]! >= invokedAt[row]!) break;
        if (highest === -1 || acknowledgedOffset[acknowledged]! > acknowledgedOffset[highest]!) highest = acknowledged;
      }
      if (highest === -1 || acknowledgedOffset[row]! > acknowledgedOffset[highest]!) continue;
      const detail = `${this.#describe(row)}, after ${this.#describe(highest)}`;
      this.#anomalies.add('stale offset', partitions[row], detail);
    }
  }

  /** What one process sent to one partition lies there in the order of sending. */
  #judgeProducers(rows: readonly number[]): void {
    const latest = new Map<number, { row: number; offset: number }>();
    for (const row of rows) {
      const process = this.#writes.process[row]!;
      const partition = this.#writes.partitions[row]!;
      const offset = this.#logOf(partition).offsetOf(this.#writes.values[row]!);
      if (offset === undefined) continue;
      const before = latest.get(process);
      if (before !== undefined && offset < before.offset) {
        const detail = `${this.#describe(row)} at ${offset}, sent after ${this.#describe(before.row)} at ${before.offset}`;
        this.#anomalies.add('reordered', partition, detail);
      } else latest.set(process, { row, offset });
    }
  }

  #judgeTrails(): void {
    for (const [process, trails] of this.#trails) {
      for (const [partition, trail] of trails) this.#judgeTrail(process, this.#logOf(partition), trail);
    }
  }

  #judgeTrail(process: string, log: PartitionLog, trail: readonly number[]): void {
    let last = ASSIGNED;
    for (const offset of trail) {
      if (offset !== ASSIGNED && last !== ASSIGNED) {
        if (offset <= last) {
          this.#anomalies.add('backward poll', log.partition, `${process} read ${offset} after ${last}`);
        } else {
          const skipped = log.firstVisibleBetween(last, offset);
          if (skipped !== undefined) {
            const detail = `${process} read ${offset} after ${last}; ${skipped} holds ${log.valueAt(skipped)}`;
            this.#anomalies.add('skipped poll', log.partition, detail);
          }
        }
      }
      last = offset;
    }
  }
}

export function checkHistory(lines: Iterable<HistoryLine>): CheckReport {
  const checker = new HistoryChecker();
  for (const line of lines) checker.take(line);
  return checker.report();
}
