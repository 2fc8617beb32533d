/**
 * Sends one file region at a time to a socket. The kernel moves the bytes where it can (`sendfile`); TLS, simulated
 * disks and hosts without libc copy through a bounded chunk. Releases every region exactly once, never before the
 * last use of its file. Decides nothing about order: socket-writer.ts does.
 */
import { SluiceError } from '../base/errors.ts';
import type { FileRegion } from '../base/file-region.ts';
import { Errno, type Libc } from '../base/libc.ts';
import { forgetCopyBuffer, giveCopyBuffer, takeCopyBuffer } from './copy-buffers.ts';
import { readAhead } from './read-ahead.ts';
import type { TransportSocket } from './transport.ts';

/** How the bytes of file regions left; for metrics and tests. Counts only grow. */
export interface SendStatistics {
  /** Bytes that never entered this process. */
  sendfileBytes: number;
  /** Bytes that were read and written. */
  copiedBytes: number;
  sendfileCalls: number;
  /** How often a full socket buffer ended a run of sendfile. */
  fullSockets: number;
  /** How often bytes had to come from a disk first. */
  coldReads: number;
}

export function createSendStatistics(): SendStatistics {
  return { sendfileBytes: 0, copiedBytes: 0, sendfileCalls: 0, fullSockets: 0, coldReads: 0 };
}

/** After so many bytes in one turn of the event loop the other connections get theirs. */
const TURN_BYTES = 2 * 1024 * 1024;
/** The page cache is asked about so many bytes at a time. */
const RESIDENCY_STEP_BYTES = 1024 * 1024;
/**
 * When the socket is full, so many bytes are written the ordinary way: libuv waits for room and its callback resumes
 * sendfile. Waiting in any other way was two to three times slower. From 1 to 4096 bytes all are equally fast; few
 * keep the copied share under 0.1 % for slow readers too, whose sockets fill every few hundred KiB.
 */
const WAIT_COPY_BYTES = 64;

/** The peer closed the connection while it was being sent to. */
export class PeerGone extends Error {
  override readonly name = 'PeerGone';

  constructor() {
    super('the peer closed the connection');
  }
}

export interface RegionSenderOptions {
  readonly socket: TransportSocket;
  readonly libc: Libc | undefined;
  readonly statistics: SendStatistics;
  /** The sender may go on: call `step` again. */
  onReady(): void;
  /** The bytes cannot be had; the connection must be closed. */
  onFailure(error: unknown): void;
}

export class RegionSender {
  readonly #options: RegionSenderOptions;
  readonly #resume = (): void => this.#wake();
  #region: FileRegion | undefined;
  #position = 0;
  #end = 0;
  #sendfile: boolean;
  /** Up to here the bytes were found in the page cache, or just brought there. */
  #residentUntil = 0;
  /** A thread of the pool reads the region's file, so it must stay open. */
  #reading = false;
  /** Set while something that was started will call `#wake`. */
  #asleep = false;
  #aborted = false;
  #waitCopy: Buffer | undefined;
  #chunk: Buffer | undefined;

  constructor(options: RegionSenderOptions) {
    this.#options = options;
    this.#sendfile = options.libc !== undefined;
  }

  get busy(): boolean {
    return this.#region !== undefined;
  }

  /** Bytes of the region under way that were not handed to the socket. */
  get remainingBytes(): number {
    return this.#end - this.#position;
  }

  /** Takes a region over; only when the one before is done. */
  start(region: FileRegion): void {
    this.#region = region;
    this.#position = this.#residentUntil = region.position;
    this.#end = region.position + region.length;
  }

  /**
   * Sends what can go now. `done` releases the region; `waiting` means that `onReady` follows, or the callback of a
   * write that is still queued in the socket.
   */
  step(): 'done' | 'waiting' {
    const { socket } = this.#options;
    if (this.#asleep || socket.writableLength > 0 || socket.destroyed) return 'waiting';
    const region = this.#region!;
    const descriptor = this.#sendfile && region.file.fd >= 0 ? socket.descriptor() : -1;
    const outcome = descriptor >= 0 ? this.#stepSendfile(region, descriptor) : this.#stepCopy(region);
    if (outcome === 'done') this.#finish();
    return outcome;
  }

  /** The socket is gone: nothing is sent any more, and the region is released as soon as no thread reads its file. */
  abort(): void {
    this.#aborted = true;
    if (this.#region !== undefined && !this.#reading) this.#finish();
    if (this.#chunk !== undefined && !this.#reading) this.#dropChunk();
  }

  #finish(): void {
    const region = this.#region!;
    this.#region = undefined;
    this.#position = this.#end = 0;
    region.release();
  }

  #stepSendfile(region: FileRegion, descriptor: number): 'done' | 'waiting' {
    const libc = this.#options.libc!;
    const { statistics } = this.#options;
    const turnEnd = this.#position + TURN_BYTES;
    while (this.#position < this.#end) {
      if (this.#position >= turnEnd) return this.#yieldTurn();
      if (this.#position >= this.#residentUntil) {
        const length = Math.min(this.#end - this.#position, RESIDENCY_STEP_BYTES);
        if (!libc.isResident(region.file.fd, this.#position, length)) return this.#warm(region, length);
        this.#residentUntil = this.#position + length;
      }
      const count = Math.min(this.#residentUntil, turnEnd) - this.#position;
      const sent = libc.sendfile(descriptor, region.file.fd, this.#position, count);
      statistics.sendfileCalls++;
      if (sent > 0) {
        statistics.sendfileBytes += sent;
        this.#position += sent;
      } else if (sent === -Errno.EAGAIN) return this.#waitForRoom(region);
      else if (sent === 0) return this.#fail(endedEarly(region));
      else if (sent === -Errno.EINVAL || sent === -Errno.ENOSYS) {
        // This file system cannot: the connection copies from here on.
        this.#sendfile = false;
        return this.#stepCopy(region);
      } else return this.#fail(sendError(-sent));
    }
    return 'done';
  }

  #yieldTurn(): 'waiting' {
    this.#asleep = true;
    setImmediate(this.#resume);
    return 'waiting';
  }

  /** Reads on the thread pool what `sendfile` would have waited for. */
  #warm(region: FileRegion, length: number): 'waiting' {
    this.#asleep = this.#reading = true;
    this.#options.statistics.coldReads++;
    const until = this.#position + length;
    const settle = (error?: unknown): void => {
      this.#residentUntil = until;
      this.#endOfRead(error);
    };
    readAhead(region.file, this.#position, length).then(() => settle(), settle);
    return 'waiting';
  }

  #waitForRoom(region: FileRegion): 'waiting' {
    const { socket, statistics } = this.#options;
    this.#waitCopy ??= Buffer.allocUnsafe(WAIT_COPY_BYTES);
    const wanted = Math.min(WAIT_COPY_BYTES, this.#end - this.#position);
    const count = region.file.readSync(this.#waitCopy.subarray(0, wanted), this.#position);
    if (count === 0) return this.#fail(endedEarly(region));
    statistics.fullSockets++;
    statistics.copiedBytes += count;
    this.#position += count;
    // The chunk is free again when the callback runs: no region is touched while the socket holds bytes.
    this.#asleep = true;
    socket.write(this.#waitCopy.subarray(0, count), this.#resume);
    return 'waiting';
  }

  #stepCopy(region: FileRegion): 'done' | 'waiting' {
    if (this.#position >= this.#end) {
      this.#returnChunk();
      return 'done';
    }
    this.#chunk ??= takeCopyBuffer();
    const target = this.#chunk.subarray(0, Math.min(this.#chunk.length, this.#end - this.#position));
    const { libc } = this.#options;
    this.#asleep = true;
    if (libc !== undefined && region.file.fd >= 0 && libc.isResident(region.file.fd, this.#position, target.length)) {
      this.#writeChunk(region, target, region.file.readSync(target, this.#position));
      return 'waiting';
    }
    this.#reading = true;
    region.file.read(target, this.#position).then(
      (count) => {
        this.#reading = false;
        if (this.#aborted) this.abort();
        else this.#writeChunk(region, target, count);
      },
      (error: unknown) => this.#endOfRead(error),
    );
    return 'waiting';
  }

  #writeChunk(region: FileRegion, target: Buffer, count: number): void {
    if (count === 0) {
      this.#fail(endedEarly(region));
      return;
    }
    this.#position += count;
    this.#options.statistics.copiedBytes += count;
    this.#options.socket.write(count === target.length ? target : target.subarray(0, count), this.#resume);
  }

  #endOfRead(error: unknown): void {
    this.#reading = false;
    if (this.#aborted) this.abort();
    else if (error !== undefined) this.#fail(error);
    else this.#wake();
  }

  #wake(): void {
    this.#asleep = false;
    if (!this.#aborted) this.#options.onReady();
  }

  #fail(error: unknown): 'waiting' {
    this.#asleep = true;
    this.#options.onFailure(error);
    return 'waiting';
  }

  #returnChunk(): void {
    if (this.#chunk === undefined) return;
    giveCopyBuffer(this.#chunk);
    this.#chunk = undefined;
  }

  #dropChunk(): void {
    forgetCopyBuffer(this.#chunk!);
    this.#chunk = undefined;
  }
}

/** A peer that went is told apart from a disk that cannot be read: one is a consumer that has enough, the other a fault. */
function sendError(errno: number): Error {
  if (errno === Errno.EPIPE || errno === Errno.ECONNRESET) return new PeerGone();
  return new Error(`sendfile failed with errno ${errno}`);
}

function endedEarly(region: FileRegion): SluiceError {
  return new SluiceError('FILE_TRUNCATED', `${region.file.path} is shorter than a reply that was promised from it`, {
    remedy: 'Check the disk and whether another program changes files in the data directory.',
  });
}
