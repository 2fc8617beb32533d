/* What the native programs share: big-endian fields of the protocol, time, loopback sockets, quantiles. */
#ifndef WIRE_H
#define WIRE_H
#include <arpa/inet.h>
#include <endian.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* Of a record batch: where its length, checksum, last offset delta and record count lie, and where the checksum begins. */
#define BATCH_LENGTH_AT 8
#define BATCH_CRC_AT 17
#define BATCH_CRC_FROM 21
#define BATCH_LAST_DELTA_AT 23
#define BATCH_COUNT_AT 57
#define BATCH_HEADER 61
/* The length counts from behind itself. */
#define BATCH_PREFIX 12

static inline void fail(const char *what) {
  perror(what);
  exit(1);
}

static inline char *put16(char *at, int16_t v) { v = htobe16(v); memcpy(at, &v, 2); return at + 2; }
static inline char *put32(char *at, int32_t v) { v = htobe32(v); memcpy(at, &v, 4); return at + 4; }
static inline char *put64(char *at, int64_t v) { v = htobe64(v); memcpy(at, &v, 8); return at + 8; }
static inline int16_t get16(const char *at) { int16_t v; memcpy(&v, at, 2); return be16toh(v); }
static inline int32_t get32(const char *at) { int32_t v; memcpy(&v, at, 4); return be32toh(v); }
static inline int64_t get64(const char *at) { int64_t v; memcpy(&v, at, 8); return be64toh(v); }

/* Seconds of a clock that never goes back. */
static inline double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec + t.tv_nsec / 1e9;
}

/* Seconds of CPU that this process has used, all threads, user and system. */
static inline double cpu_used(void) {
  struct rusage used;
  getrusage(RUSAGE_SELF, &used);
  return used.ru_utime.tv_sec + used.ru_stime.tv_sec + (used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
}

static inline int connect_to(int port) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address) != 0) fail("connect");
  int yes = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
  return fd;
}

/* Listens on a free port of the loopback interface and prints it. */
static inline int listen_anywhere(void) {
  struct sockaddr_in address = {.sin_family = AF_INET};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) != 0 || listen(fd, 1024) != 0) fail("listen");
  if (getsockname(fd, (struct sockaddr *)&address, &length) != 0) fail("getsockname");
  printf("%d\n", ntohs(address.sin_port));
  fflush(stdout);
  return fd;
}

static int by_size(const void *one, const void *other) {
  uint32_t a = *(const uint32_t *)one, b = *(const uint32_t *)other;
  return (a > b) - (a < b);
}

static inline void sort_times(uint32_t *times, long count) { qsort(times, count, sizeof *times, by_size); }

/* The smallest that `share` of all sorted times do not exceed. */
static inline uint32_t quantile(const uint32_t *sorted, long count, double share) {
  if (count == 0) return 0;
  long rank = (long)(share * count + 0.999999) - 1;
  return sorted[rank < 0 ? 0 : rank >= count ? count - 1 : rank];
}
#endif
