/** A growing buffer that batches are put into one after the other; its bytes can be given away. */
export class BatchOutput {
  bytes: Buffer;
  length = 0;

  constructor(capacityBytes: number) {
    this.bytes = Buffer.allocUnsafeSlow(capacityBytes);
  }

  /** Makes room for `more` bytes at the end; `length` stays. */
  ensure(more: number): void {
    const needed = this.length + more;
    if (needed <= this.bytes.length) return;
    const grown = Buffer.allocUnsafeSlow(Math.max(needed, this.bytes.length * 2));
    this.bytes.copy(grown, 0, 0, this.length);
    this.bytes = grown;
  }

  /** Appends a copy of `source` from `from` to `to`. */
  copy(source: Buffer, from: number, to: number): void {
    this.ensure(to - from);
    source.copy(this.bytes, this.length, from, to);
    this.length += to - from;
  }
}
