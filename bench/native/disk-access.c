/*
 * What access in sequence and at random costs on the disk that a file lies on, with the page cache warm and cold.
 * Every access is of the same size. Cold reads find the file dropped from the page cache (posix_fadvise) and not read
 * ahead where they are random; cold writes go past the cache (O_DIRECT). Writes into the cache are told twice: up to
 * the last write, and up to the end of an fdatasync.
 *
 * usage: disk-access FILE FILE_BYTES ACCESS_BYTES MOST_SECONDS
 *   MOST_SECONDS  a pattern ends after so long, or after it has touched as many bytes as the file has
 * prints lines: read|write sequential|random warm|cold|warm+sync accesses seconds
 */
#define _GNU_SOURCE
#include "wire.h"
#include <fcntl.h>
#include <stdbool.h>

#define ALIGNMENT 4096
#define FILL_BYTES (1 << 20)
/* The clock is asked once in so many accesses. */
#define CLOCK_EVERY 64

static const char *path;
static long file_bytes, access_bytes;
static double most_seconds;
static char *buffer;
static uint64_t chance = 88172645463325252u;

static uint64_t draw(void) {
  chance ^= chance << 13;
  chance ^= chance >> 7;
  return chance ^= chance << 17;
}

static int open_file(int flags) {
  int fd = open(path, O_RDWR | flags);
  if (fd < 0) fail(path);
  return fd;
}

static void fill(void) {
  int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
  if (fd < 0) fail(path);
  for (long at = 0; at < file_bytes; at += FILL_BYTES) {
    if (pwrite(fd, buffer, FILL_BYTES, at) != FILL_BYTES) fail("pwrite");
  }
  if (fdatasync(fd) != 0) fail("fdatasync");
  close(fd);
}

static void warm_up(int fd) {
  for (long at = 0; at < file_bytes; at += FILL_BYTES) {
    if (pread(fd, buffer, FILL_BYTES, at) != FILL_BYTES) fail("pread");
  }
}

/* Clean pages alone can be dropped. */
static void cool_down(int fd) {
  if (fdatasync(fd) != 0 || posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED) != 0) fail("dropping the cache");
}

static void run(bool write, bool random, bool cold) {
  int fd = open_file(write && cold ? O_DIRECT : 0);
  if (cold) cool_down(fd);
  else warm_up(fd);
  posix_fadvise(fd, 0, 0, random ? POSIX_FADV_RANDOM : POSIX_FADV_SEQUENTIAL);
  long places = file_bytes / access_bytes, done = 0;
  double started = now(), seconds = 0;
  for (; done < places; done++) {
    if (done % CLOCK_EVERY == 0 && (seconds = now() - started) > most_seconds) break;
    long at = (random ? (long)(draw() % places) : done) * access_bytes;
    ssize_t moved = write ? pwrite(fd, buffer, access_bytes, at) : pread(fd, buffer, access_bytes, at);
    if (moved != access_bytes) fail(write ? "pwrite" : "pread");
  }
  seconds = now() - started;
  const char *what = write ? "write" : "read", *order = random ? "random" : "sequential";
  printf("%s %s %s %ld %.6f\n", what, order, cold ? "cold" : "warm", done, seconds);
  if (write && !cold) {
    if (fdatasync(fd) != 0) fail("fdatasync");
    printf("%s %s warm+sync %ld %.6f\n", what, order, done, now() - started);
  }
  fflush(stdout);
  close(fd);
}

int main(int argc, char **argv) {
  if (argc != 5 || atol(argv[3]) % ALIGNMENT != 0 || atol(argv[3]) > FILL_BYTES) {
    fprintf(stderr, "usage: disk-access FILE FILE_BYTES ACCESS_BYTES MOST_SECONDS\n");
    return 2;
  }
  path = argv[1];
  file_bytes = atol(argv[2]) / FILL_BYTES * FILL_BYTES;
  access_bytes = atol(argv[3]);
  most_seconds = atof(argv[4]);
  if (posix_memalign((void **)&buffer, ALIGNMENT, FILL_BYTES) != 0) fail("posix_memalign");
  for (long i = 0; i < FILL_BYTES; i++) buffer[i] = draw();
  fill();
  for (int pattern = 0; pattern < 8; pattern++) run(pattern & 4, pattern & 1, pattern & 2);
  return 0;
}
