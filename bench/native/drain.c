/*
 * Reads a topic from its start as fast as a broker can send it: Fetch requests for all partitions over one connection,
 * one in flight, nothing of a record looked at; only the batches' headers are walked for the next offset. It shows the
 * broker's own limit, which a real consumer's work on every record would hide.
 *
 * usage: drain PORT TOPIC PARTITIONS COUNT [FROM]
 *   FROM  the offset to begin at in every partition
 * prints: records bytes seconds p50 p99 (microseconds from a request to the end of its response) cpu (seconds of this process)
 *
 * Fetch version 4: replica int32, max wait int32, min bytes int32, max bytes int32, isolation int8,
 * [topic string [partition int32, offset int64, max bytes int32]]. Its response: throttle int32, [topic string
 * [partition int32, error int16, high watermark int64, last stable offset int64, [aborted int64 int64], records bytes]].
 */
#include "wire.h"

#define MOST_PARTITIONS 64
#define PARTITION_BYTES (8 << 20)
#define RESPONSE_BYTES (32 << 20)
#define MOST_RESPONSES (1 << 20)

static char request[4096];
static char *response;
static int64_t offsets[MOST_PARTITIONS];
static uint32_t times[MOST_RESPONSES];

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

/*
 * Moves the partition's offset behind its last whole batch; returns how many records the whole batches hold, and adds
 * their bytes. What was cut short is asked for again, and does not count.
 */
static long walk(int partition, const char *at, const char *end, long *bytes) {
  const char *from = at;
  long records = 0;
  while (end - at >= BATCH_HEADER) {
    int32_t length = BATCH_PREFIX + get32(at + BATCH_LENGTH_AT);
    if (length > end - at) break;
    offsets[partition] = get64(at) + get32(at + BATCH_LAST_DELTA_AT) + 1;
    records += get32(at + BATCH_COUNT_AT);
    at += length;
  }
  *bytes += at - from;
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
        records += walk(partition, at, at + length, bytes);
        at += length;
      }
    }
  }
  return records;
}

int main(int argc, char **argv) {
  if (argc < 5 || argc > 6 || atoi(argv[3]) > MOST_PARTITIONS || strlen(argv[2]) > 249) {
    fprintf(stderr, "usage: drain PORT TOPIC PARTITIONS COUNT [FROM]\n");
    return 2;
  }
  response = malloc(RESPONSE_BYTES + (PARTITION_BYTES << 1));
  for (int p = 0; p < atoi(argv[3]); p++) offsets[p] = argc == 6 ? atol(argv[5]) : 0;
  int fd = connect_to(atoi(argv[1]));
  long wanted = atol(argv[4]), records = 0, bytes = 0, responses = 0;
  double started = now();
  while (records < wanted) {
    double asked = now();
    send_fetch(fd, argv[2], atoi(argv[3]));
    receive(fd, response, 4);
    int32_t length = get32(response);
    if (length > RESPONSE_BYTES + (PARTITION_BYTES << 1)) {
      fprintf(stderr, "a response of %d bytes\n", length);
      return 1;
    }
    receive(fd, response, length);
    if (responses < MOST_RESPONSES) times[responses++] = (now() - asked) * 1e6;
    records += take_response(response, &bytes);
    if (now() - started > 120) {
      fprintf(stderr, "only %ld of %ld records came\n", records, wanted);
      return 1;
    }
  }
  double seconds = now() - started;
  sort_times(times, responses);
  printf("%ld %ld %.6f %u %u %.3f\n", records, bytes, seconds, quantile(times, responses, 0.5),
         quantile(times, responses, 0.99), cpu_used());
  return 0;
}
