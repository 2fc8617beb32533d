/**
 * Every value that was sent, by number: to where, by whom, when, and what became of it. Columns of numbers instead of
 * objects, so that millions fit.
 */
import { UNTOLD } from './deferred-records.ts';
import type { OperationLine, Partition } from './history.ts';

export const PENDING = 0;
export const ACKNOWLEDGED = 1;
export const FAILED = 2;
export const UNKNOWN = 3;

export interface Transaction {
  readonly name: string;
  /** The earliest; Infinity where no commit was asked for. */
  commitInvokedAt: number;
  abortInvoked: boolean;
  /** 'ok' or 'fail' of the commit, where known. */
  commit: 'ok' | 'fail' | undefined;
}

export class Writes {
  readonly #rows = new Map<number, number>();
  readonly #processes = new Map<string, number>();
  readonly #transactionsByName = new Map<string, number>();
  readonly values: number[] = [];
  readonly partitions: Partition[] = [];
  /** Index of the process. */
  readonly process: number[] = [];
  readonly invokedAt: number[] = [];
  readonly state: number[] = [];
  readonly acknowledgedAt: number[] = [];
  /** UNTOLD where the client was not told. */
  readonly acknowledgedOffset: number[] = [];
  /** Index in `transactions`, or -1. */
  readonly transaction: number[] = [];
  /** When the value was first read; Infinity where never. */
  readonly firstReadAt: number[] = [];
  /** A bit for each fresh reader that found it. */
  readonly readFresh: number[] = [];
  readonly transactions: Transaction[] = [];
  readonly processNames: string[] = [];

  /** The row of a value, or undefined where nobody sent it. */
  rowOf(value: number): number | undefined {
    return this.#rows.get(value);
  }

  get count(): number {
    return this.values.length;
  }

  invoke(line: OperationLine): void {
    const process = this.#indexOfProcess(line.process);
    const transaction = line.transaction === undefined ? -1 : this.#indexOfTransaction(line);
    for (const [partition, , value] of line.sends ?? []) {
      if (this.#rows.has(value)) throw new Error(`the value ${value} was sent twice: values must be unique`);
      this.#rows.set(value, this.values.length);
      this.values.push(value);
      this.partitions.push(partition);
      this.process.push(process);
      this.invokedAt.push(line.at);
      this.state.push(PENDING);
      this.acknowledgedAt.push(Number.POSITIVE_INFINITY);
      this.acknowledgedOffset.push(UNTOLD);
      this.transaction.push(transaction);
      this.firstReadAt.push(Number.POSITIVE_INFINITY);
      this.readFresh.push(0);
    }
  }

  complete(row: number, type: 'ok' | 'fail' | 'info', at: number, offset: number): void {
    this.state[row] = type === 'ok' ? ACKNOWLEDGED : type === 'fail' ? FAILED : UNKNOWN;
    if (type !== 'ok') return;
    this.acknowledgedAt[row] = at;
    this.acknowledgedOffset[row] = offset;
  }

  endTransaction(line: OperationLine): void {
    const transaction = this.transactions[this.#indexOfTransaction(line)]!;
    if (line.end === 'abort') {
      if (line.type === 'invoke') transaction.abortInvoked = true;
    } else if (line.type === 'invoke') {
      transaction.commitInvokedAt = Math.min(transaction.commitInvokedAt, line.at);
    } else if (line.type !== 'info') transaction.commit = line.type;
  }

  /** Must be readable for ever: acknowledged and, in a transaction, committed. */
  isPromised(row: number): boolean {
    if (this.state[row] !== ACKNOWLEDGED) return false;
    const transaction = this.transaction[row]!;
    return transaction === -1 || this.transactions[transaction]!.commit === 'ok';
  }

  /** Must never be readable. */
  isRefused(row: number): boolean {
    if (this.state[row] === FAILED) return true;
    const transaction = this.transactions[this.transaction[row]!];
    if (transaction === undefined) return false;
    if (transaction.commit === 'fail') return true;
    return transaction.abortInvoked && transaction.commitInvokedAt === Number.POSITIVE_INFINITY;
  }

  #indexOfProcess(name: string): number {
    let index = this.#processes.get(name);
    if (index === undefined) {
      index = this.processNames.push(name) - 1;
      this.#processes.set(name, index);
    }
    return index;
  }

  #indexOfTransaction({ process, transaction }: OperationLine): number {
    const name = `${process}/${transaction}`;
    let index = this.#transactionsByName.get(name);
    if (index === undefined) {
      const fresh: Transaction = {
        name,
        commitInvokedAt: Number.POSITIVE_INFINITY,
        abortInvoked: false,
        commit: undefined,
      };
      index = this.transactions.push(fresh) - 1;
      this.#transactionsByName.set(name, index);
    }
    return index;
  }
}
