/* uthash, with memory that is there or ends the process. Keys are digests and ids of our own
 * making, so a plain byte-wise hash does. */
#ifndef SALLYPORT_BASE_HASH_H
#define SALLYPORT_BASE_HASH_H

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define HASH_FUNCTION         HASH_FNV
#define uthash_malloc(bytes)  mem_new(bytes)
#define uthash_free(p, bytes) free(p)
#include <uthash.h>

#endif
