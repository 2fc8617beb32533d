/*
 * How long records take from a producer's call to a consumer's hands, at a steady pace, both on librdkafka in this one
 * process. Records are due in groups, one each half millisecond: a thread that slept for each would measure its sleep.
 * Each carries the time at which it was due, so that a late producer is no excuse.
 *
 * usage: end-to-end BOOTSTRAP TOPIC BYTES RATE WARM_SECONDS SECONDS
 * prints: records seconds p50 p99 p99.9 longest (microseconds)
 */
#include "wire.h"
#include "client.h"
#include <pthread.h>
#include <sys/prctl.h>

#define PATIENCE_S 30.0
#define GROUP_S 0.0005

static long warm, count;
static volatile long received;
static uint32_t *times;
static rd_kafka_t *consumer;

static rd_kafka_t *client(rd_kafka_type_t type, const char *bootstrap) {
  char error[256];
  rd_kafka_conf_t *conf = rd_kafka_conf_new();
  set(conf, "bootstrap.servers", bootstrap);
  set(conf, "socket.nagle.disable", "true");
  if (type == RD_KAFKA_PRODUCER) {
    set(conf, "acks", "1");
    set(conf, "linger.ms", "0");
  } else {
    set(conf, "group.id", "never-joined");
    set(conf, "enable.auto.commit", "false");
    set(conf, "fetch.min.bytes", "1");
    set(conf, "fetch.wait.max.ms", "500");
  }
  rd_kafka_t *made = rd_kafka_new(type, conf, error, sizeof error);
  if (made == NULL) {
    fprintf(stderr, "%s\n", error);
    exit(2);
  }
  return made;
}

static void *consume(void *unused) {
  (void)unused;
  double heard = now();
  while (received < warm + count) {
    rd_kafka_message_t *message = rd_kafka_consumer_poll(consumer, 100);
    double at = now();
    if (message == NULL || message->err != RD_KAFKA_RESP_ERR_NO_ERROR) {
      if (message != NULL) rd_kafka_message_destroy(message);
      if (at - heard > PATIENCE_S) {
        fprintf(stderr, "only %ld of %ld records came\n", received, warm + count);
        exit(1);
      }
      continue;
    }
    heard = at;
    double due;
    memcpy(&due, message->payload, sizeof due);
    if (received >= warm) times[received - warm] = (at - due) * 1e6;
    received++;
    rd_kafka_message_destroy(message);
  }
  return NULL;
}

static void send_all(rd_kafka_t *producer, const char *name, size_t bytes, double rate) {
  rd_kafka_topic_t *topic = rd_kafka_topic_new(producer, name, NULL);
  char *value = calloc(1, bytes);
  /* Wakes when it said, not up to 50 microseconds later. */
  prctl(PR_SET_TIMERSLACK, 1);
  double started = now();
  for (long sent = 0; sent < warm + count;) {
    double due = started + (long)(sent / rate / GROUP_S) * GROUP_S, wait = due - now();
    if (wait > 0) {
      nanosleep(&(struct timespec){(time_t)wait, (long)((wait - (time_t)wait) * 1e9)}, NULL);
      continue;
    }
    memcpy(value, &due, sizeof due);
    if (rd_kafka_produce(topic, 0, RD_KAFKA_MSG_F_COPY, value, bytes, NULL, 0, NULL) == 0) sent++;
    if (sent % 100 == 0) rd_kafka_poll(producer, 0);
  }
  rd_kafka_flush(producer, 30000);
}

int main(int argc, char **argv) {
  if (argc != 7 || atol(argv[3]) < (long)sizeof(double) || atof(argv[4]) <= 0) {
    fprintf(stderr, "usage: end-to-end BOOTSTRAP TOPIC BYTES RATE WARM_SECONDS SECONDS\n");
    return 2;
  }
  double rate = atof(argv[4]);
  warm = rate * atof(argv[5]);
  count = rate * atof(argv[6]);
  times = malloc(count * sizeof *times);
  rd_kafka_t *producer = client(RD_KAFKA_PRODUCER, argv[1]);
  consumer = client(RD_KAFKA_CONSUMER, argv[1]);
  rd_kafka_poll_set_consumer(consumer);
  rd_kafka_topic_partition_list_t *assigned = rd_kafka_topic_partition_list_new(1);
  rd_kafka_topic_partition_list_add(assigned, argv[2], 0)->offset = 0;
  rd_kafka_assign(consumer, assigned);
  pthread_t reader;
  if (pthread_create(&reader, NULL, consume, NULL) != 0) fail("pthread_create");
  double started = now();
  send_all(producer, argv[2], atol(argv[3]), rate);
  pthread_join(reader, NULL);
  double seconds = now() - started;
  sort_times(times, count);
  printf("%ld %.6f %u %u %u %u\n", count, seconds, quantile(times, count, 0.5), quantile(times, count, 0.99),
         quantile(times, count, 0.999), times[count - 1]);
  fflush(stdout);
  _Exit(0);
}
