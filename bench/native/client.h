/* What the programs on librdkafka share. */
#include <librdkafka/rdkafka.h>
#include <stdio.h>
#include <stdlib.h>

static inline void set(rd_kafka_conf_t *conf, const char *name, const char *value) {
  char error[256];
  if (rd_kafka_conf_set(conf, name, value, error, sizeof error) != RD_KAFKA_CONF_OK) {
    fprintf(stderr, "%s\n", error);
    exit(2);
  }
}
