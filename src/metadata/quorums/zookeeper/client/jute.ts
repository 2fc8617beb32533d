/**
 * Jute, the encoding of ZooKeeper's protocol: big-endian integers, buffers and strings behind a 32-bit length (-1 for
 * none), vectors behind a 32-bit count. Knows no message.
 */
import { readInt64, writeInt64 } from '../../../../base/int64.ts';

const FIRST_CAPACITY = 256;

/** Bytes that are no message. */
export class MalformedJute extends Error {
  override readonly name = 'MalformedJute';
}

export class JuteWriter {
  #bytes = Buffer.allocUnsafe(FIRST_CAPACITY);
  #at = 0;

  #room(count: number): number {
    const at = this.#at;
    this.#at += count;
    if (this.#at > this.#bytes.length) {
      const grown = Buffer.allocUnsafe(Math.max(this.#at, 2 * this.#bytes.length));
      this.#bytes.copy(grown, 0, 0, at);
      this.#bytes = grown;
    }
    return at;
  }

  int(value: number): this {
    const at = this.#room(4);
    this.#bytes.writeInt32BE(value, at);
    return this;
  }

  /** A safe integer. */
  long(value: number): this {
    const at = this.#room(8);
    writeInt64(this.#bytes, value, at);
    return this;
  }

  bigLong(value: bigint): this {
    const at = this.#room(8);
    this.#bytes.writeBigInt64BE(value, at);
    return this;
  }

  bool(value: boolean): this {
    const at = this.#room(1);
    this.#bytes[at] = value ? 1 : 0;
    return this;
  }

  buffer(value: Uint8Array): this {
    this.int(value.length);
    const at = this.#room(value.length);
    this.#bytes.set(value, at);
    return this;
  }

  string(value: string): this {
    const length = Buffer.byteLength(value);
    this.int(length);
    const at = this.#room(length);
    this.#bytes.write(value, at);
    return this;
  }

  vector<T>(values: readonly T[], write: (value: T) => void): this {
    this.int(values.length);
    for (const value of values) write(value);
    return this;
  }

  /** What was written, behind its length. */
  frame(): Buffer {
    const framed = Buffer.allocUnsafe(4 + this.#at);
    framed.writeInt32BE(this.#at, 0);
    this.#bytes.copy(framed, 4, 0, this.#at);
    return framed;
  }
}

/** Throws MalformedJute where the bytes end too early or a length is impossible. */
export class JuteReader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  get left(): number {
    return this.#bytes.length - this.#at;
  }

  #take(count: number): number {
    if (count < 0 || count > this.left) throw new MalformedJute(`${count} bytes wanted, ${this.left} are left`);
    const at = this.#at;
    this.#at += count;
    return at;
  }

  int(): number {
    return this.#bytes.readInt32BE(this.#take(4));
  }

  long(): number {
    const value = readInt64(this.#bytes, this.#take(8));
    if (!Number.isSafeInteger(value)) throw new MalformedJute(`${value} is too large`);
    return value;
  }

  bigLong(): bigint {
    return this.#bytes.readBigInt64BE(this.#take(8));
  }

  bool(): boolean {
    return this.#bytes[this.#take(1)] !== 0;
  }

  /** A copy; empty where there is none. */
  buffer(): Buffer {
    const length = this.int();
    if (length === -1) return Buffer.alloc(0);
    const at = this.#take(length);
    return Buffer.from(this.#bytes.subarray(at, at + length));
  }

  string(): string {
    const length = this.int();
    if (length === -1) return '';
    const at = this.#take(length);
    return this.#bytes.toString('utf8', at, at + length);
  }

  vector<T>(read: () => T): T[] {
    const count = this.int();
    if (count === -1) return [];
    // Each element takes a byte at least, so that a count alone allocates nothing.
    if (count < 0 || count > this.left) throw new MalformedJute(`a vector of ${count} elements`);
    const values: T[] = [];
    for (let index = 0; index < count; index++) values.push(read());
    return values;
  }
}
