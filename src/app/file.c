/* Reading a whole file. */
#include "app/file.h"

#include <errno.h>
#include <unistd.h>

enum { STEP_BYTES = 4096 };

bool file_read(int fd, struct buf *out)
{
    for (;;) {
        char *room = buf_room(out, STEP_BYTES);
        if (!room) {
            errno = E2BIG;
            return false;
        }
        ssize_t n = read(fd, room, STEP_BYTES);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n == 0;
        buf_grown(out, (size_t)n);
    }
}
