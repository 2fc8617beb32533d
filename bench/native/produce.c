/*
 * Produces records to one partition through librdkafka as fast as they are acknowledged, with a limit on how many one
 * request holds.
 *
 * usage: produce BOOTSTRAP TOPIC COUNT BYTES BATCH ACKS
 * prints: records bytes seconds (from the first record to the last acknowledgement)
 */
#include "wire.h"
#include "client.h"

#define MOST_QUEUED "200000"
#define PATIENCE_MS 120000

static long acknowledged, failed;

static void delivered(rd_kafka_t *producer, const rd_kafka_message_t *message, void *opaque) {
  (void)producer;
  (void)opaque;
  if (message->err == RD_KAFKA_RESP_ERR_NO_ERROR) acknowledged++;
  else failed++;
}

int main(int argc, char **argv) {
  if (argc != 7) {
    fprintf(stderr, "usage: produce BOOTSTRAP TOPIC COUNT BYTES BATCH ACKS\n");
    return 2;
  }
  long count = atol(argv[3]);
  size_t bytes = atol(argv[4]);
  char error[256], *value = malloc(bytes);
  for (size_t i = 0; i < bytes; i++) value[i] = 'a' + i % 26;
  rd_kafka_conf_t *conf = rd_kafka_conf_new();
  set(conf, "bootstrap.servers", argv[1]);
  set(conf, "batch.num.messages", argv[5]);
  set(conf, "acks", argv[6]);
  set(conf, "linger.ms", atoi(argv[5]) > 1 ? "5" : "0");
  set(conf, "queue.buffering.max.messages", MOST_QUEUED);
  set(conf, "socket.nagle.disable", "true");
  rd_kafka_conf_set_dr_msg_cb(conf, delivered);
  rd_kafka_t *producer = rd_kafka_new(RD_KAFKA_PRODUCER, conf, error, sizeof error);
  if (producer == NULL) {
    fprintf(stderr, "%s\n", error);
    return 2;
  }
  rd_kafka_topic_t *topic = rd_kafka_topic_new(producer, argv[2], NULL);
  double started = now();
  for (long sent = 0; sent < count;) {
    if (rd_kafka_produce(topic, 0, RD_KAFKA_MSG_F_COPY, value, bytes, NULL, 0, NULL) == 0) {
      if (++sent % 1000 == 0) rd_kafka_poll(producer, 0);
    } else {
      rd_kafka_poll(producer, 10);
    }
  }
  rd_kafka_flush(producer, PATIENCE_MS);
  double seconds = now() - started;
  if (acknowledged != count) {
    fprintf(stderr, "%ld of %ld records acknowledged, %ld refused\n", acknowledged, count, failed);
    return 1;
  }
  printf("%ld %ld %.6f\n", count, count * (long)bytes, seconds);
  fflush(stdout);
  _Exit(0);
}
