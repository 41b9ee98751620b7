/* Files that travel inside the binary; made at build time by script/lib/embed.py. */
#ifndef SALLYPORT_APP_EMBEDDED_H
#define SALLYPORT_APP_EMBEDDED_H

#include <stddef.h>

extern const unsigned char embedded_openapi[]; /* JSON */
extern const size_t embedded_openapi_bytes;

#endif
