/**
 * The few system calls that Node lacks, through the optional package koffi. `libc` is undefined where koffi is not
 * installed, off 64-bit Linux, and where SLUICE_NO_FFI=1 asks for the portable path. No call here throws for what the
 * system answers: failures are negative errno values. One call costs about 0.3 µs, a page probe 0.5 µs.
 */
import { createRequire } from 'node:module';
import { endianness, release } from 'node:os';

export interface Libc {
  /**
   * Moves up to `count` bytes at `position` of a file to a socket inside the kernel. Returns how many were taken (0
   * only at the end of the file) or a negative errno, `-Errno.EAGAIN` when the socket's buffer is full.
   */
  sendfile(socketFd: number, fileFd: number, position: number, count: number): number;
  /**
   * Whether a range of a file can be read without a disk, judged from one byte in every 128 KiB and the last one.
   * Never waits. A file system that cannot tell (EOPNOTSUPP: tmpfs before Linux 6.6, some network mounts) counts as
   * resident: tmpfs always is, and the other answer would take zero copy from every read to spare a rare stall.
   */
  isResident(fileFd: number, position: number, length: number): boolean;
  /** Sets what the kernel holds of a socket's unsent bytes (SO_SNDBUF; it takes twice as much): 0 or a negative errno. */
  setSendBuffer(socketFd: number, bytes: number): number;
  /** Asks the kernel to start reading a range; returns at once. */
  readAhead(fileFd: number, position: number, length: number): void;
  /** Drops the clean pages of a range from the page cache. */
  dropCache(fileFd: number, position: number, length: number): void;
  /** Takes an exclusive fcntl lock on a whole file, as Java's `FileChannel.tryLock` does: 0 or a negative errno. */
  lockFile(fileFd: number): number;
  /** Gives an fcntl lock back; closing any descriptor of the file in this process does so as well. */
  unlockFile(fileFd: number): void;
  /**
   * Makes everything that was written to the file system of `fileFd` durable, on the thread pool: 0 or a negative errno.
   * Absent before Linux 5.8, which does not tell of writes that failed.
   */
  syncVolume?(fileFd: number): Promise<number>;
  /** The process that keeps others from locking a file, or undefined when none does. */
  lockHolder(fileFd: number): number | undefined;
}

/** The errno values that callers tell apart (identical on all Linux ports that we load). */
export const Errno = {
  EINTR: 4,
  EIO: 5,
  EBADF: 9,
  EAGAIN: 11,
  EACCES: 13,
  EINVAL: 22,
  EPIPE: 32,
  ENOSYS: 38,
  ECONNRESET: 104,
} as const;

const PROBE_STEP_BYTES = 128 * 1024;
const RWF_NOWAIT = 8;
const POSIX_FADV_WILLNEED = 3;
const POSIX_FADV_DONTNEED = 4;
const SOL_SOCKET = 1;
const SO_SNDBUF = 7;
const INT_BYTES = 4;
const F_GETLK = 5;
const F_SETLK = 6;
const F_WRLCK = 1;
const F_UNLCK = 2;

/**
 * Scratch memory at a fixed address, one for the process: every call is synchronous.
 *
 *     0  off_t of sendfile, int of setsockopt      16  struct iovec {base, length}, pointing to 32
 *     32 the probed byte                           64  struct flock {short type, short whence, off_t start, off_t length, pid_t}
 */
const SCRATCH_BYTES = 128;
const IOVEC_AT = 16;
const PROBED_BYTE_AT = 32;
const FLOCK_AT = 64;
const FLOCK_PID_AT = FLOCK_AT + 24;
const WORD = 0x1_0000_0000;

/** The part of koffi that is used here; its own types are `any`. */
interface Koffi {
  load(path: null): { func(name: string, result: string, parameters: readonly string[]): NativeFunction };
  alloc(type: string, length: number): unknown;
  address(pointer: unknown): bigint;
  view(pointer: unknown, length: number): ArrayBuffer;
  errno(): number;
}
interface NativeFunction {
  (...values: number[]): number | bigint;
  async(value: number, done: (error: unknown, result: number) => void): void;
}

/** Binds the calls, or says undefined where that is impossible; `ffi: false` forces that. */
export function openLibc(options: { ffi?: boolean } = {}): Libc | undefined {
  if (options.ffi === false || process.platform !== 'linux' || endianness() !== 'LE') return undefined;
  if (!['x64', 'arm64', 'riscv64', 'loong64'].includes(process.arch)) return undefined;
  try {
    return bind(createRequire(import.meta.url)('koffi') as Koffi);
  } catch {
    // Absent package or a build for another C library: the caller's portable path is complete, and the broker's
    // start line says which one is in use.
    return undefined;
  }
}

function bind(koffi: Koffi): Libc {
  const library = koffi.load(null);
  const sendfile = library.func('sendfile', 'int64_t', ['int', 'int', 'uintptr_t', 'size_t']);
  const preadv2 = library.func('preadv2', 'int64_t', ['int', 'uintptr_t', 'int', 'int64_t', 'int']);
  const fadvise = library.func('posix_fadvise', 'int', ['int', 'int64_t', 'int64_t', 'int']);
  const setsockopt = library.func('setsockopt', 'int', ['int', 'int', 'int', 'uintptr_t', 'uint32_t']);

  const pointer = koffi.alloc('uint8_t', SCRATCH_BYTES);
  const address = Number(koffi.address(pointer));
  const scratch = new DataView(koffi.view(pointer, SCRATCH_BYTES));
  scratch.setBigUint64(IOVEC_AT, BigInt(address + PROBED_BYTE_AT), true);
  scratch.setBigUint64(IOVEC_AT + 8, 1n, true);

  const failure = (): number => -(koffi.errno() || Errno.EIO);

  const probe = (fileFd: number, position: number): boolean => {
    for (;;) {
      if (Number(preadv2(fileFd, address + IOVEC_AT, 1, position, RWF_NOWAIT)) >= 0) return true;
      const error = failure();
      if (error !== -Errno.EINTR) return error !== -Errno.EAGAIN;
    }
  };

  return {
    sendfile: (socketFd, fileFd, position, count) => {
      for (;;) {
        const high = Math.floor(position / WORD);
        scratch.setUint32(0, position - high * WORD, true);
        scratch.setUint32(4, high, true);
        const sent = Number(sendfile(socketFd, fileFd, address, count));
        if (sent >= 0) return sent;
        const error = failure();
        if (error !== -Errno.EINTR) return error;
      }
    },
    isResident: (fileFd, position, length) => {
      const last = position + length - 1;
      for (let at = position; at < last; at += PROBE_STEP_BYTES) {
        if (!probe(fileFd, at)) return false;
      }
      return length <= 0 || probe(fileFd, last);
    },
    setSendBuffer: (socketFd, bytes) => {
      scratch.setInt32(0, bytes, true);
      return Number(setsockopt(socketFd, SOL_SOCKET, SO_SNDBUF, address, INT_BYTES)) === 0 ? 0 : failure();
    },
    readAhead: (fileFd, position, length) => void fadvise(fileFd, position, length, POSIX_FADV_WILLNEED),
    dropCache: (fileFd, position, length) => void fadvise(fileFd, position, length, POSIX_FADV_DONTNEED),
    ...fileLocks(library, { address, scratch }, failure),
    ...volumeSync(library),
  };
}

function fileLocks(
  library: ReturnType<Koffi['load']>,
  { address, scratch }: { readonly address: number; readonly scratch: DataView },
  failure: () => number,
): Pick<Libc, 'lockFile' | 'unlockFile' | 'lockHolder'> {
  const fcntl = library.func('fcntl', 'int', ['int', 'int', 'uintptr_t']);
  const call = (command: number, fileFd: number, type: number): number => {
    for (let at = FLOCK_AT; at < FLOCK_AT + 32; at += 4) scratch.setInt32(at, 0, true);
    scratch.setInt16(FLOCK_AT, type, true);
    return Number(fcntl(fileFd, command, address + FLOCK_AT)) === 0 ? 0 : failure();
  };
  return {
    lockFile: (fileFd) => call(F_SETLK, fileFd, F_WRLCK),
    unlockFile: (fileFd) => void call(F_SETLK, fileFd, F_UNLCK),
    lockHolder: (fileFd) => {
      if (call(F_GETLK, fileFd, F_WRLCK) !== 0) return undefined;
      return scratch.getInt16(FLOCK_AT, true) === F_UNLCK ? undefined : scratch.getInt32(FLOCK_PID_AT, true);
    },
  };
}

function volumeSync(library: ReturnType<Koffi['load']>): Pick<Libc, 'syncVolume'> {
  if (!tellsOfFailedWrites(release())) return {};
  const syncfs = library.func('syncfs', 'int', ['int']);
  const syncVolume = (fileFd: number): Promise<number> =>
    new Promise((resolve, reject) => {
      // What errno was belongs to a thread of the pool: that the call failed is all that can be told.
      syncfs.async(fileFd, (error, result) => {
        if (error === null || error === undefined) resolve(result === 0 ? 0 : -Errno.EIO);
        else reject(error);
      });
    });
  return { syncVolume };
}

/** syncfs(2) does so from Linux 5.8 on. */
function tellsOfFailedWrites(kernel: string): boolean {
  const [major = 0, minor = 0] = kernel.split('.').map(Number);
  return major > 5 || (major === 5 && minor >= 8);
}

export const libc: Libc | undefined = openLibc({ ffi: process.env['SLUICE_NO_FFI'] !== '1' });
