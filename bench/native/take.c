/*
 * Takes bytes from a socket and drops them: the other end of programs that only send.
 *
 * usage: take PORT BYTES
 * prints: bytes seconds (from the connection to the last byte)
 */
#include "wire.h"

/* As much as the reader of Fetch responses has, so that both miss the processor's caches alike. */
#define BUFFER_BYTES (32 << 20)

int main(int argc, char **argv) {
  if (argc != 3) {
    fprintf(stderr, "usage: take PORT BYTES\n");
    return 2;
  }
  long wanted = atol(argv[2]), taken = 0;
  char *buffer = malloc(BUFFER_BYTES);
  memset(buffer, 0, BUFFER_BYTES);
  size_t at = 0;
  double started = now();
  int fd = connect_to(atoi(argv[1]));
  while (taken < wanted) {
    ssize_t got = read(fd, buffer + at, BUFFER_BYTES - at);
    if (got <= 0) {
      fprintf(stderr, "only %ld of %ld bytes came\n", taken, wanted);
      return 1;
    }
    taken += got;
    at = at + got == BUFFER_BYTES ? 0 : at + got;
  }
  printf("%ld %.6f\n", taken, now() - started);
  return 0;
}
