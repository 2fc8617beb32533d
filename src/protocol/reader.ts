/**
 * Reads the protocol's primitives from one frame. Every read is bounded by the frame's end; whatever does not fit
 * throws MalformedMessage. Byte fields are views into the frame: they live as long as it does and are never copied.
 *
 * Bound on what decoding allocates. An array's count must fit into the bytes that remain (times the least size of an
 * element), and all arrays of a message together may hold `maxElements` elements; unknown tagged fields allocate
 * nothing. So the decoded value takes at most DECODED_BYTES_PER_FRAME_BYTE × frame bytes, and a frame whose bytes are
 * all counts and lengths is refused before anything of its claimed size is allocated.
 */
import { ZERO_UUID } from '../base/uuid.ts';
import { MalformedMessage } from './malformed.ts';
import { INT64_MAX } from './schema.ts';
import { type Cursor, readUnsignedVarint, readVarint, readVarlong } from './varint.ts';

/**
 * Heap bytes that a decoded value may take for each byte of its frame, plus DECODED_BYTES_AT_LEAST for any frame. The
 * worst case is an array of structs whose fields are all empty strings and arrays, at one byte each.
 */
export const DECODED_BYTES_PER_FRAME_BYTE = 64;
export const DECODED_BYTES_AT_LEAST = 4096;
/** Elements in all arrays of one message together: enough for the metadata of some 300,000 partitions. */
export const MAX_ELEMENTS = 2 ** 21;
/** The same for a request: no honest client names a quarter of a million things at once. */
export const MAX_REQUEST_ELEMENTS = 2 ** 18;
/** Tagged fields in one struct. */
export const MAX_TAGGED_FIELDS = 1024;
const MAX_STRING_BYTES = 0x7fff;
const HIGH_WORD = 0x1_0000_0000;
const NO_BYTES = Buffer.alloc(0);

export class Reader implements Cursor {
  readonly bytes: Buffer;
  at: number;
  readonly end: number;
  private elementsLeft: number;

  constructor(bytes: Buffer, at = 0, end = bytes.length, maxElements = MAX_ELEMENTS) {
    this.bytes = bytes;
    this.at = at;
    this.end = end;
    this.elementsLeft = maxElements;
  }

  remaining(): number {
    return this.end - this.at;
  }

  bool(): boolean {
    return this.int8() !== 0;
  }

  int8(): number {
    const at = this.take(1);
    return (this.bytes[at]! << 24) >> 24;
  }

  int16(): number {
    const at = this.take(2);
    return ((this.bytes[at]! << 24) >> 16) | this.bytes[at + 1]!;
  }

  uint16(): number {
    const at = this.take(2);
    return (this.bytes[at]! << 8) | this.bytes[at + 1]!;
  }

  int32(): number {
    const { bytes } = this;
    const at = this.take(4);
    return (bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!;
  }

  /** A safe integer, or INT64_MAX for the wire's greatest value; any other value is malformed. */
  int64(): number {
    const high = this.int32();
    const low = this.int32() >>> 0;
    const value = high * HIGH_WORD + low;
    if (Number.isSafeInteger(value)) return value;
    if (high === 0x7fff_ffff && low === 0xffff_ffff) return INT64_MAX;
    return this.malformed('64-bit integer beyond 53 bits');
  }

  /** All 64 bits, signed. */
  wideInt64(): bigint {
    return this.bytes.readBigInt64BE(this.take(8));
  }

  float64(): number {
    return this.bytes.readDoubleBE(this.take(8));
  }

  uuid(): string {
    const { bytes } = this;
    const at = this.take(16);
    for (let index = at; index < at + 16; index++) {
      if (bytes[index] !== 0) return bytes.toString('base64url', at, at + 16);
    }
    return ZERO_UUID;
  }

  unsignedVarint(): number {
    return readUnsignedVarint(this);
  }

  varint(): number {
    return readVarint(this);
  }

  varlong(): number {
    return readVarlong(this);
  }

  string(): string {
    return this.text(this.int16());
  }

  nullableString(): string | null {
    const length = this.int16();
    return length === -1 ? null : this.text(length);
  }

  compactString(): string {
    return this.text(readUnsignedVarint(this) - 1);
  }

  compactNullableString(): string | null {
    const length = readUnsignedVarint(this) - 1;
    return length === -1 ? null : this.text(length);
  }

  byteView(): Buffer {
    return this.view(this.int32());
  }

  nullableByteView(): Buffer | null {
    const length = this.int32();
    return length === -1 ? null : this.view(length);
  }

  compactByteView(): Buffer {
    return this.view(readUnsignedVarint(this) - 1);
  }

  compactNullableByteView(): Buffer | null {
    const length = readUnsignedVarint(this) - 1;
    return length === -1 ? null : this.view(length);
  }

  /** The number of elements of an array whose elements take at least `elementBytes` each. */
  count(elementBytes: number): number {
    return this.checkedCount(this.int32(), elementBytes);
  }

  /** As `count`; -1 where the array is null. */
  nullableCount(elementBytes: number): number {
    const count = this.int32();
    return count === -1 ? -1 : this.checkedCount(count, elementBytes);
  }

  compactCount(elementBytes: number): number {
    return this.checkedCount(readUnsignedVarint(this) - 1, elementBytes);
  }

  compactNullableCount(elementBytes: number): number {
    const count = readUnsignedVarint(this) - 1;
    return count === -1 ? -1 : this.checkedCount(count, elementBytes);
  }

  /** Whether a nullable struct is there. */
  present(): boolean {
    return this.int8() >= 0;
  }

  /** The same for one that travels as a tagged field. */
  presentTagged(): boolean {
    return readUnsignedVarint(this) > 0;
  }

  /** The number of tagged fields that follow, each of at least a tag and a size. */
  taggedCount(): number {
    const count = readUnsignedVarint(this);
    if (count > MAX_TAGGED_FIELDS || count * 2 > this.end - this.at) return this.malformed(`${count} tagged fields`);
    return count;
  }

  /** Reads the size of a tagged field; returns where it ends. */
  taggedEnd(): number {
    const size = readUnsignedVarint(this);
    if (size > this.end - this.at) return this.malformed(`tagged field of ${size} bytes`);
    return this.at + size;
  }

  /** Checks that a known tagged field was as long as it said. */
  closeTagged(end: number): void {
    if (this.at !== end) this.malformed('tagged field of another size than announced');
  }

  /** Passes over all tagged fields of a struct that declares none for this version. */
  skipTagged(): void {
    for (let left = this.taggedCount(); left > 0; left--) {
      readUnsignedVarint(this);
      this.at = this.taggedEnd();
    }
  }

  malformed(what: string): never {
    throw new MalformedMessage(`${what} at byte ${this.at} of ${this.end}`);
  }

  private take(length: number): number {
    const at = this.at;
    if (at + length > this.end) this.malformed(`truncated: ${length} bytes wanted`);
    this.at = at + length;
    return at;
  }

  private text(length: number): string {
    if (length === 0) return '';
    if (length < 0 || length > MAX_STRING_BYTES) return this.malformed(`string of ${length} bytes`);
    const at = this.take(length);
    return this.bytes.toString('utf8', at, at + length);
  }

  private view(length: number): Buffer {
    if (length === 0) return NO_BYTES;
    if (length < 0) return this.malformed(`byte field of ${length} bytes`);
    const at = this.take(length);
    return this.bytes.subarray(at, at + length);
  }

  private checkedCount(count: number, elementBytes: number): number {
    if (count < 0) return this.malformed(`array of ${count} elements`);
    this.elementsLeft -= count;
    if (count * elementBytes > this.end - this.at || this.elementsLeft < 0) {
      return this.malformed(`array of ${count} elements`);
    }
    return count;
  }
}
