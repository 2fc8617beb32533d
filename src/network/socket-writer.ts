/**
 * Writes replies to one socket in the order they come: buffers gathered into few system calls, file regions through
 * send-file.ts once nothing is queued before them. Small regions are read and join what stands before them: whoever
 * reads the end of a log is woken once for its answer, not for the head and then for the records. Owns the parts from
 * `enqueue` until they left or `abort`.
 */
import { type FileRegion, isFileRegion, type ReplyPart } from '../base/file-region.ts';
import type { Libc } from '../base/libc.ts';
import { RegionSender, type RegionSenderOptions, type SendStatistics } from './send-file.ts';
import type { TransportSocket } from './transport.ts';

export interface SocketWriterOptions extends Omit<RegionSenderOptions, 'onReady'> {
  /** Something left, and the queue may have become short or empty. */
  onProgress(): void;
}

/** To read so much costs less than a second system call and packet. */
const SMALL_REGION_BYTES = 16 * 1024;
/** Read for one write, whose socket may not take it all. */
const MOST_READ_BYTES = 256 * 1024;

export class SocketWriter {
  readonly #socket: TransportSocket;
  readonly #libc: Libc | undefined;
  readonly #statistics: SendStatistics;
  readonly #regions: RegionSender;
  readonly #onProgress: () => void;
  readonly #advance = (): void => this.#continue();
  readonly #written = (): void => {
    this.#announced--;
    this.#continue();
  };
  #parts: ReplyPart[] = [];
  #head = 0;
  #waitingBytes = 0;
  #running = false;
  #aborted = false;
  /** Writes in the socket whose end calls `#written`. */
  #announced = 0;

  constructor(options: SocketWriterOptions) {
    this.#socket = options.socket;
    this.#libc = options.libc;
    this.#statistics = options.statistics;
    this.#onProgress = options.onProgress;
    this.#regions = new RegionSender({
      socket: options.socket,
      libc: options.libc,
      statistics: options.statistics,
      onReady: this.#advance,
      onFailure: options.onFailure,
    });
  }

  /** Bytes that were enqueued and that the kernel did not take yet. */
  get queuedBytes(): number {
    return this.#waitingBytes + this.#regions.remainingBytes + this.#socket.writableLength;
  }

  /** Whether everything was handed to the socket (which may still hold bytes). */
  get idle(): boolean {
    return this.#head === this.#parts.length && !this.#regions.busy;
  }

  /** Queues a reply; nothing is written before `flush`. */
  enqueue(parts: readonly ReplyPart[]): void {
    for (const part of parts) {
      this.#waitingBytes += part.length;
      this.#parts.push(part);
    }
  }

  flush(): void {
    if (this.#running || this.#aborted) return;
    this.#running = true;
    while (!this.#aborted) {
      if (this.#regions.busy) {
        if (this.#regions.step() === 'waiting') break;
      } else if (this.#head === this.#parts.length) {
        break;
      } else this.#next();
    }
    this.#running = false;
  }

  /** The socket is gone: releases every region that was not sent. */
  abort(): void {
    if (this.#aborted) return;
    this.#aborted = true;
    this.#regions.abort();
    for (let index = this.#head; index < this.#parts.length; index++) {
      const part = this.#parts[index]!;
      if (isFileRegion(part)) part.release();
    }
    this.#parts = [];
    this.#head = 0;
    this.#waitingBytes = 0;
  }

  #continue(): void {
    this.flush();
    if (!this.#aborted) this.#onProgress();
  }

  /** Starts the region at the head of the queue, or writes all buffers up to the next region that stays one. */
  #next(): void {
    let end = this.#head;
    for (let readBytes = 0; end < this.#parts.length; end++) {
      const part = this.#parts[end]!;
      if (!isFileRegion(part)) continue;
      readBytes += part.length;
      if (readBytes > MOST_READ_BYTES) break;
      const bytes = this.#readSmall(part);
      if (bytes === undefined) break;
      this.#parts[end] = bytes;
    }
    if (end > this.#head) this.#writeBuffers(end);
    else this.#startRegion(this.#parts[end] as FileRegion);
  }

  #startRegion(region: FileRegion): void {
    this.#head++;
    this.#waitingBytes -= region.length;
    this.#regions.start(region);
    this.#compact();
    // Bytes of an earlier flush are queued and nobody will say when they left: an empty write behind them does.
    if (this.#socket.writableLength > 0 && this.#announced === 0) this.#write(NOTHING, true);
  }

  /** The bytes of a small region that lies in the page cache, while the socket takes what it is given. Releases it then. */
  #readSmall(region: FileRegion): Uint8Array | undefined {
    const { file, position, length } = region;
    if (length > SMALL_REGION_BYTES || this.#libc === undefined || file.fd < 0) return undefined;
    if (this.#socket.writableLength > 0 || !this.#libc.isResident(file.fd, position, length)) return undefined;
    const bytes = Buffer.allocUnsafe(length);
    try {
      if (file.readSync(bytes, position) < length) return undefined;
    } catch {
      // Sent as a region it fails as well, and the connection with it.
      return undefined;
    }
    this.#statistics.copiedBytes += length;
    region.release();
    return bytes;
  }

  /**
   * The write before a region carries a callback: should the kernel not take all at once, that is what continues.
   * Without a region the socket's own queue suffices and nobody needs to hear.
   */
  #writeBuffers(end: number): void {
    const announced = end < this.#parts.length;
    const several = end - this.#head > 1;
    if (several) this.#socket.cork();
    for (let index = this.#head; index < end; index++) {
      const bytes = this.#parts[index] as Uint8Array;
      this.#waitingBytes -= bytes.length;
      this.#write(bytes, announced && index === end - 1);
    }
    this.#head = end;
    this.#compact();
    if (several) this.#socket.uncork();
  }

  #write(bytes: Uint8Array, announced: boolean): void {
    if (announced) this.#announced++;
    this.#socket.write(bytes, announced ? this.#written : undefined);
  }

  #compact(): void {
    if (this.#head < this.#parts.length && this.#head < COMPACT_AT) return;
    if (this.#head === this.#parts.length) this.#parts.length = 0;
    else this.#parts.splice(0, this.#head);
    this.#head = 0;
  }
}

const COMPACT_AT = 256;
const NOTHING = new Uint8Array(0);
