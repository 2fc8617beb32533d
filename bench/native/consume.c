/*
 * Reads all partitions of a topic at once, from their beginning, until COUNT records have come, through librdkafka's
 * consumer with assigned partitions (no group is joined).
 *
 * usage: consume BOOTSTRAP TOPIC PARTITIONS COUNT
 * prints: records bytes seconds (from the first record to the last) cpu (seconds of this process)
 */
#include "client.h"
#include "wire.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define BATCH 10000
#define PATIENCE_S 30.0

int main(int argc, char **argv) {
  if (argc != 5) {
    fprintf(stderr, "usage: consume BOOTSTRAP TOPIC PARTITIONS COUNT\n");
    return 2;
  }
  int partitions = atoi(argv[3]);
  long wanted = atol(argv[4]);
  char error[256];
  rd_kafka_conf_t *conf = rd_kafka_conf_new();
  set(conf, "bootstrap.servers", argv[1]);
  set(conf, "group.id", "never-joined");
  set(conf, "enable.auto.commit", "false");
  set(conf, "enable.auto.offset.store", "false");
  set(conf, "check.crcs", "false");
  set(conf, "fetch.wait.max.ms", "100");
  rd_kafka_t *consumer = rd_kafka_new(RD_KAFKA_CONSUMER, conf, error, sizeof error);
  if (consumer == NULL) {
    fprintf(stderr, "%s\n", error);
    return 2;
  }
  rd_kafka_poll_set_consumer(consumer);
  rd_kafka_topic_partition_list_t *assigned = rd_kafka_topic_partition_list_new(partitions);
  for (int p = 0; p < partitions; p++) rd_kafka_topic_partition_list_add(assigned, argv[2], p)->offset = 0;
  rd_kafka_assign(consumer, assigned);
  rd_kafka_queue_t *queue = rd_kafka_queue_get_consumer(consumer);
  static rd_kafka_message_t *messages[BATCH];
  long records = 0, bytes = 0;
  double started = 0, last = now();
  while (records < wanted) {
    ssize_t count = rd_kafka_consume_batch_queue(queue, 100, messages, BATCH);
    for (ssize_t i = 0; i < count; i++) {
      if (messages[i]->err == RD_KAFKA_RESP_ERR_NO_ERROR) {
        if (started == 0) started = now();
        records++;
        bytes += messages[i]->len;
      }
      rd_kafka_message_destroy(messages[i]);
    }
    if (count > 0) last = now();
    if (now() - last > PATIENCE_S) {
      fprintf(stderr, "only %ld of %ld records came\n", records, wanted);
      return 1;
    }
  }
  printf("%ld %ld %.6f %.3f\n", records, bytes, last - started, cpu_used());
  fflush(stdout);
  _Exit(0);
}
