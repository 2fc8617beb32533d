/**
 * What versions the znodes have that a controller read or wrote. Its writes are made on condition of them, so that what
 * anybody else wrote meanwhile is found out instead of overwritten. Versions are known before a write is answered: should
 * it fail, the time in office is over, and these versions with it.
 */
import { ANY_VERSION, type Operation } from '../client/zookeeper.ts';

export class ZnodeVersions {
  readonly #versions = new Map<string, number>();

  /** A znode was read. */
  note(path: string, version: number): void {
    this.#versions.set(path, version);
  }

  /** The same operations on condition of what is known, in the order in which they will be made. */
  guard(operations: readonly Operation[]): Operation[] {
    return operations.map((operation) => this.#guardOne(operation));
  }

  #guardOne(operation: Operation): Operation {
    const { kind, path } = operation;
    const known = this.#versions.get(path);
    if (kind === 'create') this.#versions.set(path, 0);
    if (kind === 'delete') this.#versions.delete(path);
    if (kind !== 'setData' && kind !== 'delete') return operation;
    const version = operation.version ?? known ?? ANY_VERSION;
    if (kind === 'setData' && version !== ANY_VERSION) this.#versions.set(path, version + 1);
    return { ...operation, version };
  }
}
