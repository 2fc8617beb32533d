/*
 * A machine that fails a program, loaded into it with LD_PRELOAD: writes and syncs below one directory fail, come up short or
 * take their time, and the wall clock is another. What it does is read from a file of 32-bit numbers in shared memory,
 * so that it is switched while the program runs:
 *
 *   0  what is wrong: bits WRITE_FAILS, SYNC_FAILS, SHORT_WRITES, SLOW
 *   1  how long a slow write or sync takes, in ms
 *   2  how far the wall clock is ahead, in seconds
 *
 * FAULTY_MACHINE_SWITCHES names that file, FAULTY_MACHINE_DIRECTORY the directory.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum { WRITE_FAILS = 1, SYNC_FAILS = 2, SHORT_WRITES = 4, SLOW = 8 };
enum { SWITCHES = 3 };

static const volatile int32_t none[SWITCHES];
static const volatile int32_t *switches = none;
static const char *directory = "";

/* The function that is stood in for. */
#define REAL(name)                                            \
  ({                                                          \
    static __typeof__(&name) real;                            \
    if (real == NULL) real = dlsym(RTLD_NEXT, #name);         \
    real;                                                     \
  })

__attribute__((constructor)) static void begin(void) {
  const char *path = getenv("FAULTY_MACHINE_SWITCHES");
  const char *below = getenv("FAULTY_MACHINE_DIRECTORY");
  if (path == NULL || below == NULL) return;
  int file = open(path, O_RDONLY | O_CLOEXEC);
  if (file < 0) return;
  void *shared = mmap(NULL, SWITCHES * sizeof(int32_t), PROT_READ, MAP_SHARED, file, 0);
  close(file);
  if (shared == MAP_FAILED) return;
  directory = below;
  switches = shared;
}

/* What is wrong with the disk that a file is on; nothing where it is another one. */
static int32_t wrong_with(int file) {
  int32_t wrong = switches[0];
  if (wrong == 0) return 0;
  char link[64];
  char path[PATH_MAX];
  snprintf(link, sizeof(link), "/proc/self/fd/%d", file);
  ssize_t length = readlink(link, path, sizeof(path) - 1);
  if (length <= 0) return 0;
  path[length] = 0;
  if (strncmp(path, directory, strlen(directory)) != 0) return 0;
  if (wrong & SLOW) usleep((useconds_t)switches[1] * 1000);
  return wrong;
}

static int fails(int file, int32_t kind) {
  if (!(wrong_with(file) & kind)) return 0;
  errno = EIO;
  return 1;
}

/* One byte less than asked for, or half of it. */
static size_t shortened(size_t length) {
  return length > 1 ? (length & 1 ? length / 2 + 1 : length - 1) : length;
}

#define WRITE_ONE(name, position_type)                                                    \
  ssize_t name(int file, const void *bytes, size_t length, position_type position) {     \
    int32_t wrong = wrong_with(file);                                                     \
    if (wrong & WRITE_FAILS) return errno = EIO, -1;                                      \
    size_t taken = wrong & SHORT_WRITES ? shortened(length) : length;                     \
    return REAL(name)(file, bytes, taken, position);                                      \
  }

WRITE_ONE(pwrite, off_t)
WRITE_ONE(pwrite64, off64_t)

ssize_t write(int file, const void *bytes, size_t length) {
  int32_t wrong = wrong_with(file);
  if (wrong & WRITE_FAILS) return errno = EIO, -1;
  return REAL(write)(file, bytes, wrong & SHORT_WRITES ? shortened(length) : length);
}

/* Of several pieces, the first alone and not all of it. */
ssize_t writev(int file, const struct iovec *pieces, int count) {
  int32_t wrong = wrong_with(file);
  if (wrong & WRITE_FAILS) return errno = EIO, -1;
  if (!(wrong & SHORT_WRITES) || count == 0) return REAL(writev)(file, pieces, count);
  return REAL(write)(file, pieces[0].iov_base, shortened(pieces[0].iov_len));
}

#define WRITE_PIECES(name, single, position_type)                                               \
  ssize_t name(int file, const struct iovec *pieces, int count, position_type position) {      \
    int32_t wrong = wrong_with(file);                                                           \
    if (wrong & WRITE_FAILS) return errno = EIO, -1;                                            \
    if (!(wrong & SHORT_WRITES) || count == 0) return REAL(name)(file, pieces, count, position); \
    return REAL(single)(file, pieces[0].iov_base, shortened(pieces[0].iov_len), position);      \
  }

WRITE_PIECES(pwritev, pwrite, off_t)
WRITE_PIECES(pwritev64, pwrite64, off64_t)

int fsync(int file) {
  return fails(file, SYNC_FAILS) ? -1 : REAL(fsync)(file);
}

int fdatasync(int file) {
  return fails(file, SYNC_FAILS) ? -1 : REAL(fdatasync)(file);
}

int syncfs(int file) {
  return fails(file, SYNC_FAILS) ? -1 : REAL(syncfs)(file);
}

int clock_gettime(clockid_t clock, struct timespec *now) {
  int result = REAL(clock_gettime)(clock, now);
  if (result == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) now->tv_sec += switches[2];
  return result;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
  int result = REAL(gettimeofday)(now, zone);
  if (result == 0) now->tv_sec += switches[2];
  return result;
}

time_t time(time_t *kept) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  if (kept != NULL) *kept = now.tv_sec;
  return now.tv_sec;
}
