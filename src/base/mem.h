/* Memory that is there or ends the process, and wiping that the compiler may not leave out. */
#ifndef SALLYPORT_BASE_MEM_H
#define SALLYPORT_BASE_MEM_H

#include <stddef.h>

/* Zeroed; never NULL: limits stand at the door, so true exhaustion ends the process. */
void *mem_new(size_t bytes);

/* An array of count elements, zeroed; the product is checked. */
void *mem_new_array(size_t count, size_t bytes_each);

void mem_wipe(void *p, size_t bytes);

/* Free what malloc gave, wiped over its whole block. For libraries that take a free function. */
void mem_wipe_free(void *p);

#endif
