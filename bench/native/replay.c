/*
 * Sends recorded Produce requests (version 7) as fast as they are answered, or at a pace, over many connections, and
 * measures how long each takes. The file holds whole frames, sent in turn, again and again: batches without a producer
 * id may come twice. Every answer's error codes are looked at.
 *
 * usage: replay PORT FILE WARM COUNT CONNECTIONS IN_FLIGHT RATE
 *   WARM       requests that go first and are not counted
 *   IN_FLIGHT  requests of one connection that wait for their answers
 *   RATE       requests a second, or 0; a request's time then begins when it was due
 * prints: requests bytes seconds p50 p99 longest (microseconds) acknowledged-partitions
 */
#define _GNU_SOURCE
#include "wire.h"
#include <errno.h>
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/stat.h>

#define PATIENCE_S 60.0
#define MOST_EVENTS 256

struct connection {
  int fd;
  int in_flight, first; /* a ring of the times at which requests began */
  double *began;
  const char *out;
  size_t out_left;
  int wants_out;
  char *in;
  size_t in_held, in_capacity;
};

static const char **frames;
static long frames_count, warm, count, sent, answered, partitions_acknowledged, measured_bytes;
static int connections_count, most_in_flight, epoll_fd;
static struct connection *connections;
static double rate, started, measured_from;
static uint32_t *times;

static void load(const char *path) {
  int fd = open(path, O_RDONLY);
  struct stat about;
  if (fd < 0 || fstat(fd, &about) != 0) fail(path);
  const char *bytes = mmap(NULL, about.st_size, PROT_READ, MAP_PRIVATE | MAP_POPULATE, fd, 0);
  if (bytes == MAP_FAILED) fail("mmap");
  for (const char *at = bytes; at < bytes + about.st_size; at += 4 + get32(at)) frames_count++;
  frames = malloc(frames_count * sizeof *frames);
  long index = 0;
  for (const char *at = bytes; at < bytes + about.st_size; at += 4 + get32(at)) frames[index++] = at;
}

static void watch(struct connection *c, int wants_out) {
  if (c->wants_out == wants_out) return;
  c->wants_out = wants_out;
  struct epoll_event event = {.events = EPOLLIN | (wants_out ? EPOLLOUT : 0), .data.ptr = c};
  if (epoll_ctl(epoll_fd, EPOLL_CTL_MOD, c->fd, &event) != 0) fail("epoll_ctl");
}

/* Hands over what the socket takes; whether all of the request is away. */
static int push(struct connection *c) {
  while (c->out_left > 0) {
    ssize_t put = send(c->fd, c->out, c->out_left, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (put < 0 && errno != EAGAIN) fail("send");
    if (put < 0) {
      watch(c, 1);
      return 0;
    }
    c->out += put;
    c->out_left -= put;
  }
  watch(c, 0);
  return 1;
}

static int may_begin(const struct connection *c) {
  return sent < warm + count && c->out_left == 0 && c->in_flight < most_in_flight;
}

static int begin(struct connection *c, double since) {
  const char *frame = frames[sent % frames_count];
  c->out = frame;
  c->out_left = 4 + get32(frame);
  c->began[(c->first + c->in_flight++) % most_in_flight] = since;
  if (sent++ >= warm) measured_bytes += c->out_left;
  return push(c);
}

static void fill(struct connection *c) {
  while (rate == 0 && may_begin(c) && begin(c, now())) {
  }
}

/* Starts what is due, each on the next connection that has room; the seconds until more is. */
static double begin_due(void) {
  static int next;
  for (;;) {
    if (sent >= warm + count) return 1;
    double due = started + sent / rate, wait = due - now();
    if (wait > 0) return wait;
    int tried = 0;
    while (tried < connections_count && !may_begin(&connections[next])) {
      next = (next + 1) % connections_count;
      tried++;
    }
    if (tried == connections_count) return 1;
    begin(&connections[next], due);
    next = (next + 1) % connections_count;
  }
}

/* Behind size and correlation id: [topic [partition, error, base offset, append time, start offset]], throttle. */
static void check(const char *at) {
  int topics = get32(at += 8);
  at += 4;
  for (; topics > 0; topics--) {
    at += 2 + get16(at);
    int partitions = get32(at);
    at += 4;
    for (; partitions > 0; partitions--, at += 4 + 2 + 8 + 8 + 8) {
      if (get16(at + 4) != 0) {
        fprintf(stderr, "partition %d: error %d\n", get32(at), get16(at + 4));
        exit(1);
      }
      partitions_acknowledged++;
    }
  }
}

static void finish(struct connection *c, const char *answer) {
  check(answer);
  double at = now(), took = (at - c->began[c->first]) * 1e6;
  c->first = (c->first + 1) % most_in_flight;
  c->in_flight--;
  if (answered == warm) measured_from = warm == 0 ? started : at;
  if (answered >= warm) times[answered - warm] = took > 4e9 ? 4000000000u : (uint32_t)took;
  answered++;
}

static void receive(struct connection *c) {
  ssize_t got = recv(c->fd, c->in + c->in_held, c->in_capacity - c->in_held, MSG_DONTWAIT);
  if (got == 0 || (got < 0 && errno != EAGAIN)) fail("a connection ended");
  if (got < 0) return;
  c->in_held += got;
  size_t done = 0;
  while (c->in_held - done >= 4 && c->in_held - done >= 4 + (size_t)get32(c->in + done)) {
    finish(c, c->in + done);
    done += 4 + get32(c->in + done);
  }
  memmove(c->in, c->in + done, c->in_held -= done);
  if (c->in_held >= 4 && 4 + (size_t)get32(c->in) > c->in_capacity) {
    c->in_capacity = 4 + get32(c->in);
    c->in = realloc(c->in, c->in_capacity);
  }
}

static void open_connections(int port) {
  epoll_fd = epoll_create1(0);
  connections = calloc(connections_count, sizeof *connections);
  for (int i = 0; i < connections_count; i++) {
    struct connection *c = &connections[i];
    *c = (struct connection){.fd = connect_to(port), .in = malloc(4096), .in_capacity = 4096};
    c->began = malloc(most_in_flight * sizeof *c->began);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
    if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, c->fd, &event) != 0) fail("epoll_ctl");
  }
}

static void run(void) {
  struct epoll_event events[MOST_EVENTS];
  double heard = started = now();
  for (int i = 0; i < connections_count; i++) fill(&connections[i]);
  while (answered < warm + count) {
    double wait = rate > 0 ? begin_due() : 1;
    struct timespec timeout = {(time_t)wait, (long)((wait - (time_t)wait) * 1e9)};
    int found = epoll_pwait2(epoll_fd, events, MOST_EVENTS, &timeout, NULL);
    if (found < 0) fail("epoll_pwait2");
    if (found > 0) heard = now();
    if (now() - heard > PATIENCE_S) {
      fprintf(stderr, "only %ld of %ld answers came\n", answered, warm + count);
      exit(1);
    }
    for (int i = 0; i < found; i++) {
      struct connection *c = events[i].data.ptr;
      if (events[i].events & EPOLLOUT) push(c);
      if (events[i].events & ~EPOLLOUT) receive(c);
      fill(c);
    }
  }
}

int main(int argc, char **argv) {
  if (argc != 8 || atoi(argv[5]) < 1 || atoi(argv[6]) < 1 || atol(argv[4]) < 1) {
    fprintf(stderr, "usage: replay PORT FILE WARM COUNT CONNECTIONS IN_FLIGHT RATE\n");
    return 2;
  }
  load(argv[2]);
  warm = atol(argv[3]);
  count = atol(argv[4]);
  connections_count = atoi(argv[5]);
  most_in_flight = atoi(argv[6]);
  rate = atof(argv[7]);
  times = malloc(count * sizeof *times);
  open_connections(atoi(argv[1]));
  run();
  double seconds = now() - measured_from;
  sort_times(times, count);
  printf("%ld %ld %.6f %u %u %u %ld\n", count, measured_bytes, seconds, quantile(times, count, 0.5),
         quantile(times, count, 0.99), times[count - 1], partitions_acknowledged);
  return 0;
}
