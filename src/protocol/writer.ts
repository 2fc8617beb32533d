/**
 * Writes the protocol's primitives. Messages are laid one after another into a shared slab and handed out as views of
 * it, so that a small reply costs one view and no copy. Record bytes that are large or still in a file become parts
 * of their own: they are never copied.
 *
 * One message at a time: `begin`, writes, `finish` (or `abandon`), all in one synchronous run.
 */
import { assert } from '../base/assert.ts';
import { isFileRegion, type ReplyPart } from '../base/file-region.ts';
import { ZERO_UUID } from '../base/uuid.ts';
import { UnencodableMessage } from './malformed.ts';
import { INT64_MAX, type RecordsSource } from './schema.ts';
import { sizeOfUnsignedVarint, writeUnsignedVarint } from './varint.ts';

const SLAB_BYTES = 64 * 1024;
/** Record bytes in memory shorter than this are cheaper copied than sent as a part of their own. */
const COPY_BELOW_BYTES = 2048;
const MAX_STRING_BYTES = 0x7fff;
const SHORT_STRING = 64;
const UUID_BYTES = 16;
const HIGH_WORD = 0x1_0000_0000;

export class Writer {
  private bytes = Buffer.allocUnsafeSlow(SLAB_BYTES);
  private at = 0;
  /** Where the part being written starts in the slab. */
  private start = 0;
  private parts: ReplyPart[] = [];
  private closedBytes = 0;
  private open = false;

  begin(): void {
    assert(!this.open, 'one message is written at a time');
    this.open = true;
    // A slab that one large message needed would be kept alive by every small one after it.
    if (this.bytes.length > SLAB_BYTES || this.bytes.length - this.at < 256) {
      this.bytes = Buffer.allocUnsafeSlow(SLAB_BYTES);
      this.at = 0;
    }
    this.start = this.at;
    this.closedBytes = 0;
  }

  /** Bytes written since `begin`. */
  length(): number {
    return this.closedBytes + this.at - this.start;
  }

  /** Ends the message; its parts in the order of the wire. */
  finish(): ReplyPart[] {
    this.closePart();
    const parts = this.parts;
    this.parts = [];
    this.open = false;
    return parts;
  }

  /** As `finish`, and puts the message's length in front of it, into the 4 bytes that were written first. */
  finishFrame(): ReplyPart[] {
    const size = this.length() - 4;
    const parts = this.finish();
    (parts[0] as Buffer).writeInt32BE(size, 0);
    return parts;
  }

  /** Drops what was written since `begin`. */
  abandon(): void {
    this.at = this.start;
    this.parts = [];
    this.open = false;
  }

  bool(value: boolean): void {
    if (typeof value !== 'boolean') this.refuse(value, 'a boolean');
    this.room(1);
    this.bytes[this.at++] = value ? 1 : 0;
  }

  int8(value: number): void {
    if ((value << 24) >> 24 !== value) this.refuse(value, 'an int8');
    this.room(1);
    this.bytes[this.at++] = value;
  }

  int16(value: number): void {
    if ((value << 16) >> 16 !== value) this.refuse(value, 'an int16');
    this.put16(value);
  }

  uint16(value: number): void {
    if ((value & 0xffff) !== value) this.refuse(value, 'a uint16');
    this.put16(value);
  }

  int32(value: number): void {
    if ((value | 0) !== value) this.refuse(value, 'an int32');
    this.put32(value);
  }

  int64(value: number): void {
    if (Number.isSafeInteger(value)) {
      const high = Math.floor(value / HIGH_WORD);
      this.put32(high);
      this.put32(value - high * HIGH_WORD);
    } else if (value === INT64_MAX) {
      this.put32(0x7fff_ffff);
      this.put32(0xffff_ffff);
    } else {
      this.refuse(value, 'a safe int64');
    }
  }

  wideInt64(value: bigint): void {
    if (typeof value !== 'bigint' || BigInt.asIntN(64, value) !== value) this.refuse(value, 'a signed 64-bit bigint');
    this.room(8);
    this.at = this.bytes.writeBigInt64BE(value, this.at);
  }

  float64(value: number): void {
    if (typeof value !== 'number') this.refuse(value, 'a float64');
    this.room(8);
    this.at = this.bytes.writeDoubleBE(value, this.at);
  }

  uuid(value: string): void {
    this.room(UUID_BYTES);
    if (value === ZERO_UUID) {
      this.bytes.fill(0, this.at, this.at + UUID_BYTES);
    } else if (
      typeof value !== 'string' ||
      value.length !== ZERO_UUID.length ||
      this.bytes.write(value, this.at, UUID_BYTES, 'base64url') !== UUID_BYTES
    ) {
      this.refuse(value, 'a uuid');
    }
    this.at += UUID_BYTES;
  }

  unsignedVarint(value: number): void {
    this.room(5);
    this.at = writeUnsignedVarint(this.bytes, value, this.at);
  }

  string(value: string): void {
    this.text(value, false);
  }

  nullableString(value: string | null): void {
    if (value === null) this.put16(-1);
    else this.text(value, false);
  }

  compactString(value: string): void {
    this.text(value, true);
  }

  compactNullableString(value: string | null): void {
    if (value === null) this.unsignedVarint(0);
    else this.text(value, true);
  }

  byteField(value: Uint8Array): void {
    this.checkBytes(value);
    this.put32(value.length);
    this.copy(value);
  }

  nullableByteField(value: Uint8Array | null): void {
    if (value === null) this.put32(-1);
    else this.byteField(value);
  }

  compactByteField(value: Uint8Array): void {
    this.checkBytes(value);
    this.unsignedVarint(value.length + 1);
    this.copy(value);
  }

  compactNullableByteField(value: Uint8Array | null): void {
    if (value === null) this.unsignedVarint(0);
    else this.compactByteField(value);
  }

  records(value: RecordsSource): void {
    this.checkRecords(value);
    this.put32(value.length);
    this.attach(value);
  }

  nullableRecords(value: RecordsSource | null): void {
    if (value === null) this.put32(-1);
    else this.records(value);
  }

  compactRecords(value: RecordsSource): void {
    this.checkRecords(value);
    this.unsignedVarint(value.length + 1);
    this.attach(value);
  }

  compactNullableRecords(value: RecordsSource | null): void {
    if (value === null) this.unsignedVarint(0);
    else this.compactRecords(value);
  }

  /** The length of an array that follows. */
  count(value: readonly unknown[]): void {
    if (!Array.isArray(value)) this.refuse(value, 'an array');
    this.put32(value.length);
  }

  nullableCount(value: readonly unknown[] | null): void {
    if (value === null) this.put32(-1);
    else this.count(value);
  }

  compactCount(value: readonly unknown[]): void {
    if (!Array.isArray(value)) this.refuse(value, 'an array');
    this.unsignedVarint(value.length + 1);
  }

  compactNullableCount(value: readonly unknown[] | null): void {
    if (value === null) this.unsignedVarint(0);
    else this.compactCount(value);
  }

  /** Starts a tagged field; returns the mark that `closeTagged` takes. */
  openTagged(tag: number): number {
    this.unsignedVarint(tag);
    this.room(1);
    this.at++;
    return this.at - this.start;
  }

  /** Puts the size in front of what was written since the mark; one byte was kept for it, which nearly always does. */
  closeTagged(mark: number): void {
    const from = this.start + mark;
    const size = this.at - from;
    const extra = sizeOfUnsignedVarint(size) - 1;
    if (extra > 0) {
      this.room(extra);
      const moved = this.start + mark;
      this.bytes.copyWithin(moved + extra, moved, this.at);
      this.at += extra;
    }
    writeUnsignedVarint(this.bytes, size, this.start + mark - 1);
  }

  refuse(value: unknown, wanted: string): never {
    throw new UnencodableMessage(`${String(value)} is not ${wanted}`);
  }

  /** Reports a field whose value is not its default in a version that cannot carry it. */
  refuseField(name: string, version: number): never {
    throw new UnencodableMessage(`version ${version} cannot carry ${name}`);
  }

  private text(value: string, compact: boolean): void {
    if (typeof value !== 'string') this.refuse(value, 'a string');
    const length = value.length;
    if (length <= SHORT_STRING && this.ascii(value, length, compact)) return;
    const size = Buffer.byteLength(value);
    if (size > MAX_STRING_BYTES) this.refuse(`a string of ${size} bytes`, `at most ${MAX_STRING_BYTES} bytes long`);
    if (compact) this.unsignedVarint(size + 1);
    else this.put16(size);
    this.room(size);
    this.at += this.bytes.write(value, this.at, size, 'utf8');
  }

  /** Writes a short ASCII string without leaving JavaScript; false, and nothing written, if it has other characters. */
  private ascii(value: string, length: number, compact: boolean): boolean {
    this.room(length + 2);
    const { bytes } = this;
    let at = this.at;
    // At most 64 characters: the length takes one byte in either form.
    if (!compact) bytes[at++] = 0;
    bytes[at++] = compact ? length + 1 : length;
    for (let index = 0; index < length; index++) {
      const code = value.charCodeAt(index);
      if (code > 0x7f) return false;
      bytes[at++] = code;
    }
    this.at = at;
    return true;
  }

  private attach(value: RecordsSource): void {
    if (!isFileRegion(value) && value.length < COPY_BELOW_BYTES) {
      this.copy(value);
      return;
    }
    this.closePart();
    this.parts.push(value);
    this.closedBytes += value.length;
  }

  private closePart(): void {
    if (this.at === this.start) return;
    this.parts.push(this.bytes.subarray(this.start, this.at));
    this.closedBytes += this.at - this.start;
    this.start = this.at;
  }

  private copy(value: Uint8Array): void {
    this.room(value.length);
    this.bytes.set(value, this.at);
    this.at += value.length;
  }

  private checkBytes(value: Uint8Array): void {
    if (!(value instanceof Uint8Array)) this.refuse(value, 'bytes');
  }

  private checkRecords(value: RecordsSource): void {
    if (value === null || typeof value !== 'object' || !Number.isSafeInteger(value.length)) {
      this.refuse(value, 'bytes or a file region');
    }
  }

  private put16(value: number): void {
    this.room(2);
    this.bytes[this.at++] = value >> 8;
    this.bytes[this.at++] = value;
  }

  private put32(value: number): void {
    this.room(4);
    const { bytes, at } = this;
    bytes[at] = value >> 24;
    bytes[at + 1] = value >> 16;
    bytes[at + 2] = value >> 8;
    bytes[at + 3] = value;
    this.at = at + 4;
  }

  private room(length: number): void {
    if (this.at + length > this.bytes.length) this.grow(length);
  }

  /** Moves the part being written to a new slab; earlier parts keep the old one. */
  private grow(length: number): void {
    const open = this.at - this.start;
    const next = Buffer.allocUnsafeSlow(Math.max(SLAB_BYTES, (open + length) * 2));
    this.bytes.copy(next, 0, this.start, this.at);
    this.bytes = next;
    this.start = 0;
    this.at = open;
  }
}
