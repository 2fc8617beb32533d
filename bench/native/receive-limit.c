/*
 * The least that a log must do to take records in, as one thread of C: reads Produce requests (version 7) from sockets,
 * checks the CRC-32C of every record batch, appends the batches to one file with writev as they lie in the receive
 * buffer, and answers. No offsets, no topics, no index, no limits: a bound for brokers, not a broker.
 *
 * usage: receive-limit FILE
 * prints the port it listens on; ends by a signal.
 */
#define _GNU_SOURCE
#include "wire.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/uio.h>
#if defined(__x86_64__)
#include <nmmintrin.h>
#endif

#define MOST_CONNECTIONS 64
#define BUFFER_BYTES (4 << 20)
#define MOST_PARTS 512
#define ANSWERS_BYTES (1 << 16)
#define ANSWER_BYTES 16

struct connection {
  char *buffer;
  size_t held;
};

static struct pollfd polled[MOST_CONNECTIONS + 1];
static struct connection connections[MOST_CONNECTIONS + 1];
static int polled_count = 1;
static struct iovec parts[MOST_PARTS];
static int parts_count;
static char answers[ANSWERS_BYTES];
static int log_fd;
static uint32_t table[256];
static uint32_t (*crc32c)(const char *at, size_t bytes);

static uint32_t crc32c_by_table(const char *at, size_t bytes) {
  uint32_t crc = ~0u;
  for (size_t i = 0; i < bytes; i++) crc = table[(crc ^ (uint8_t)at[i]) & 0xff] ^ (crc >> 8);
  return ~crc;
}

#if defined(__x86_64__)
__attribute__((target("sse4.2"))) static uint32_t crc32c_by_instruction(const char *at, size_t bytes) {
  uint64_t crc = ~0u;
  for (; bytes >= 8; bytes -= 8, at += 8) {
    uint64_t word;
    memcpy(&word, at, 8);
    crc = _mm_crc32_u64(crc, word);
  }
  for (; bytes > 0; bytes--) crc = _mm_crc32_u8(crc, *at++);
  return ~(uint32_t)crc;
}
#endif

static void choose_crc32c(void) {
  for (uint32_t i = 0; i < 256; i++) {
    uint32_t crc = i;
    for (int bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >> 1) ^ 0x82f63b78 : crc >> 1;
    table[i] = crc;
  }
  crc32c = crc32c_by_table;
#if defined(__x86_64__)
  if (__builtin_cpu_supports("sse4.2")) crc32c = crc32c_by_instruction;
#endif
}

static void append(void) {
  struct iovec *at = parts;
  int left = parts_count;
  while (left > 0) {
    ssize_t written = writev(log_fd, at, left);
    if (written < 0) fail("writev");
    for (; left > 0 && (size_t)written >= at->iov_len; at++, left--) written -= at->iov_len;
    if (left > 0) {
      at->iov_base = (char *)at->iov_base + written;
      at->iov_len -= written;
    }
  }
  parts_count = 0;
}

static void take_batches(char *at, const char *end) {
  while (at < end) {
    size_t length = BATCH_PREFIX + get32(at + BATCH_LENGTH_AT);
    if (length < BATCH_HEADER || length > (size_t)(end - at) ||
        crc32c(at + BATCH_CRC_FROM, length - BATCH_CRC_FROM) != (uint32_t)get32(at + BATCH_CRC_AT)) {
      fprintf(stderr, "a corrupt batch\n");
      exit(1);
    }
    if (parts_count == MOST_PARTS) append();
    parts[parts_count++] = (struct iovec){at, length};
    at += length;
  }
}

/* Behind the request's header: transactional id, acks, timeout, [topic [partition, records]]. */
static void take_request(char *at) {
  at += 2 + 2 + 4;
  at += 2 + (get16(at) > 0 ? get16(at) : 0);
  at += 2 + (get16(at) > 0 ? get16(at) : 0);
  at += 2 + 4;
  int topics = get32(at);
  at += 4;
  for (; topics > 0; topics--) {
    at += 2 + get16(at);
    int partitions = get32(at);
    at += 4;
    for (; partitions > 0; partitions--) {
      int32_t length = get32(at + 4);
      take_batches(at + 8, at + 8 + length);
      at += 8 + length;
    }
  }
}

/* No topic, no throttling. */
static int put_answer(char *at, const char *request) {
  char *from = at;
  at = put32(at, ANSWER_BYTES - 4);
  memcpy(at, request + 4, 4);
  at = put32(at + 4, 0);
  at = put32(at, 0);
  return at - from;
}

/* Everything whole in the buffer is appended at once, then answered at once. */
static void take_all(int fd, struct connection *from) {
  size_t done = 0, answered = 0;
  while (from->held - done >= 4) {
    size_t length = (uint32_t)get32(from->buffer + done);
    if (length > BUFFER_BYTES - 4) {
      fprintf(stderr, "a request of %zu bytes\n", length);
      exit(1);
    }
    if (from->held - done < 4 + length || answered + ANSWER_BYTES > ANSWERS_BYTES) break;
    take_request(from->buffer + done + 4);
    answered += put_answer(answers + answered, from->buffer + done + 4);
    done += 4 + length;
  }
  append();
  if (answered > 0 && write(fd, answers, answered) != (ssize_t)answered) fail("write");
  memmove(from->buffer, from->buffer + done, from->held - done);
  from->held -= done;
}

static void take_connection(void) {
  int fd = accept(polled[0].fd, NULL, NULL);
  if (fd < 0 || polled_count > MOST_CONNECTIONS) fail("accept");
  int yes = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
  polled[polled_count] = (struct pollfd){.fd = fd, .events = POLLIN};
  connections[polled_count++] = (struct connection){malloc(BUFFER_BYTES), 0};
}

static void lose_connection(int index) {
  close(polled[index].fd);
  free(connections[index].buffer);
  polled[index] = polled[--polled_count];
  connections[index] = connections[polled_count];
}

int main(int argc, char **argv) {
  if (argc != 2) {
    fprintf(stderr, "usage: receive-limit FILE\n");
    return 2;
  }
  choose_crc32c();
  log_fd = open(argv[1], O_WRONLY | O_CREAT | O_TRUNC | O_APPEND, 0600);
  if (log_fd < 0) fail(argv[1]);
  polled[0] = (struct pollfd){.fd = listen_anywhere(), .events = POLLIN};
  for (;;) {
    if (poll(polled, polled_count, -1) < 0) fail("poll");
    for (int i = polled_count - 1; i > 0; i--) {
      if (polled[i].revents == 0) continue;
      struct connection *from = &connections[i];
      ssize_t got = read(polled[i].fd, from->buffer + from->held, BUFFER_BYTES - from->held);
      if (got <= 0) {
        lose_connection(i);
        continue;
      }
      from->held += got;
      take_all(polled[i].fd, from);
    }
    if (polled[0].revents != 0) take_connection();
  }
}
