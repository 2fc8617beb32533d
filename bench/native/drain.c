/*
 * Reads a topic from its start as fast as a broker can send it: Fetch requests for all partitions over one connection,
 * one in flight, nothing of a record looked at; only the batches' headers are walked for the next offset. It shows the
 * broker's own limit, which a real consumer's work on every record would hide.
 *
 * usage: drain PORT TOPIC PARTITIONS COUNT
 * prints: records bytes seconds
 *
 * Fetch version 4: replica int32, max wait int32, min bytes int32, max bytes int32, isolation int8,
 * [topic string [partition int32, offset int64, max bytes int32]]. Its response: throttle int32, [topic string
 * [partition int32, error int16, high watermark int64, last stable offset int64, [aborted int64 int64], records bytes]].
 */
#include <arpa/inet.h>
#include <endian.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MOST_PARTITIONS 64
#define PARTITION_BYTES (8 << 20)
#define RESPONSE_BYTES (32 << 20)
#define BATCH_HEADER 61

static char request[4096];
static char *response;
static int64_t offsets[MOST_PARTITIONS];

static void fail(const char *what) {
  perror(what);
  exit(1);
}

static char *put16(char *at, int16_t v) { v = htobe16(v); memcpy(at, &v, 2); return at + 2; }
static char *put32(char *at, int32_t v) { v = htobe32(v); memcpy(at, &v, 4); return at + 4; }
static char *put64(char *at, int64_t v) { v = htobe64(v); memcpy(at, &v, 8); return at + 8; }
static int16_t get16(const char *at) { int16_t v; memcpy(&v, at, 2); return be16toh(v); }
static int32_t get32(const char *at) { int32_t v; memcpy(&v, at, 4); return be32toh(v); }
static int64_t get64(const char *at) { int64_t v; memcpy(&v, at, 8); return be64toh(v); }

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec + t.tv_nsec / 1e9;
}

static void send_fetch(int fd, const char *topic, int partitions) {
  char *at = request + 4;
  at = put16(at, 1);
  at = put16(at, 4);
  at = put32(at, 7);
  at = put16(at, -1);
  at = put32(at, -1);
  at = put32(at, 100);
  at = put32(at, 1);
  at = put32(at, RESPONSE_BYTES - (1 << 20));
  *at++ = 0;
  at = put32(at, 1);
  at = put16(at, strlen(topic));
  memcpy(at, topic, strlen(topic));
  at += strlen(topic);
  at = put32(at, partitions);
  for (int p = 0; p < partitions; p++) {
    at = put32(at, p);
    at = put64(at, offsets[p]);
    at = put32(at, PARTITION_BYTES);
  }
  put32(request, at - request - 4);
  if (write(fd, request, at - request) != at - request) fail("write");
}

static void receive(int fd, char *to, size_t bytes) {
  while (bytes > 0) {
    ssize_t got = read(fd, to, bytes);
    if (got <= 0) fail("read");
    to += got;
    bytes -= got;
  }
}

/* Moves the partition's offset behind its last whole batch; returns how many records those batches hold. */
static long walk(int partition, const char *at, const char *end) {
  long records = 0;
  while (end - at >= BATCH_HEADER) {
    int32_t length = 12 + get32(at + 8);
    if (length > end - at) break;
    offsets[partition] = get64(at) + get32(at + 23) + 1;
    records += get32(at + 57);
    at += length;
  }
  return records;
}

static long take_response(const char *at, long *bytes) {
  long records = 0;
  at += 4 + 4;
  for (int topics = get32(at), t = (at += 4, 0); t < topics; t++) {
    at += 2 + get16(at);
    for (int partitions = get32(at), p = (at += 4, 0); p < partitions; p++) {
      int partition = get32(at);
      if (get16(at + 4) != 0) {
        fprintf(stderr, "partition %d: error %d\n", partition, get16(at + 4));
        exit(1);
      }
      at += 4 + 2 + 8 + 8;
      int aborted = get32(at);
      at += 4 + (aborted > 0 ? aborted * 16 : 0);
      int length = get32(at);
      at += 4;
      if (length > 0) {
        records += walk(partition, at, at + length);
        *bytes += length;
        at += length;
      }
    }
  }
  return records;
}

int main(int argc, char **argv) {
  if (argc != 5 || atoi(argv[3]) > MOST_PARTITIONS || strlen(argv[2]) > 249) {
    fprintf(stderr, "usage: drain PORT TOPIC PARTITIONS COUNT\n");
    return 2;
  }
  response = malloc(RESPONSE_BYTES + (PARTITION_BYTES << 1));
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(atoi(argv[1]))};
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  if (connect(fd, (struct sockaddr *)&address, sizeof address) != 0) fail("connect");
  int yes = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
  long wanted = atol(argv[4]), records = 0, bytes = 0;
  double started = now();
  while (records < wanted) {
    send_fetch(fd, argv[2], atoi(argv[3]));
    receive(fd, response, 4);
    int32_t length = get32(response);
    if (length > RESPONSE_BYTES + (PARTITION_BYTES << 1)) {
      fprintf(stderr, "a response of %d bytes\n", length);
      return 1;
    }
    receive(fd, response, length);
    records += take_response(response, &bytes);
    if (now() - started > 120) {
      fprintf(stderr, "only %ld of %ld records came\n", records, wanted);
      return 1;
    }
  }
  printf("%ld %ld %.6f\n", records, bytes, now() - started);
  return 0;
}
