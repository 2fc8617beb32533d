/*
 * The least that a log must do to give records out: whoever connects gets the files, one after the other, by
 * sendfile(2) and nothing else. Connections are served one at a time.
 *
 * usage: sendfile-limit FILE...
 * prints the port it listens on; ends by a signal.
 */
#include "wire.h"
#include <fcntl.h>
#include <sys/sendfile.h>
#include <sys/stat.h>

/* As the broker's: what the kernel chooses is slower here. */
#define SEND_BUFFER_BYTES 327680

static void send_whole(int to, int file) {
  struct stat about;
  if (fstat(file, &about) != 0) fail("fstat");
  off_t at = 0;
  while (at < about.st_size) {
    if (sendfile(to, file, &at, about.st_size - at) <= 0) fail("sendfile");
  }
}

int main(int argc, char **argv) {
  if (argc < 2) {
    fprintf(stderr, "usage: sendfile-limit FILE...\n");
    return 2;
  }
  int listener = listen_anywhere();
  for (;;) {
    int to = accept(listener, NULL, NULL);
    if (to < 0) fail("accept");
    int bytes = SEND_BUFFER_BYTES;
    setsockopt(to, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes);
    for (int i = 1; i < argc; i++) {
      int file = open(argv[i], O_RDONLY);
      if (file < 0) fail(argv[i]);
      send_whole(to, file);
      close(file);
    }
    close(to);
  }
}
