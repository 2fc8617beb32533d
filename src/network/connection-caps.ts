/**
 * How many connections may be open, in all and from one address; shared by all listeners of a process. Decides only:
 * the listener closes.
 */
import { assert } from '../base/assert.ts';

export interface ConnectionCapLimits {
  /** `max.connections` */
  readonly maxConnections: number;
  /** `max.connections.per.ip` */
  readonly maxPerAddress: number;
  /** `max.connections.per.ip.overrides`, by address. */
  readonly overrides: ReadonlyMap<string, number>;
}

export const NO_CONNECTION_CAPS: ConnectionCapLimits = {
  maxConnections: 2_147_483_647,
  maxPerAddress: 2_147_483_647,
  overrides: new Map(),
};

export class ConnectionCaps {
  #limits: ConnectionCapLimits;
  readonly #perAddress = new Map<string, number>();
  #total = 0;

  constructor(limits: ConnectionCapLimits) {
    this.#limits = limits;
  }

  get total(): number {
    return this.#total;
  }

  /** New limits hold for connections to come; those that are open stay. */
  setLimits(limits: ConnectionCapLimits): void {
    this.#limits = limits;
  }

  /** Counts a connection and answers undefined, or says why it must not stay. */
  admit(address: string): string | undefined {
    const { maxConnections, maxPerAddress, overrides } = this.#limits;
    if (this.#total >= maxConnections) return `limit of ${maxConnections} connections is reached`;
    const fromAddress = this.#perAddress.get(address) ?? 0;
    const allowed = overrides.get(address) ?? maxPerAddress;
    if (fromAddress >= allowed) return `limit of ${allowed} connections from one address is reached`;
    this.#perAddress.set(address, fromAddress + 1);
    this.#total++;
    return undefined;
  }

  /** An admitted connection is gone. */
  release(address: string): void {
    const fromAddress = this.#perAddress.get(address);
    assert(fromAddress !== undefined, 'only an admitted connection is released');
    if (fromAddress === 1) this.#perAddress.delete(address);
    else this.#perAddress.set(address, fromAddress - 1);
    this.#total--;
  }
}
