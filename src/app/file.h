/* Reading a whole file. */
#ifndef SALLYPORT_APP_FILE_H
#define SALLYPORT_APP_FILE_H

#include "base/buf.h"

/* To its end. False with errno: cannot be read, or E2BIG: more than out takes. */
bool file_read(int fd, struct buf *out);

#endif
