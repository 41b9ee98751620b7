/* What the kernel says of a process: this one, for its metrics, or a running server, for doctor. */
#ifndef SALLYPORT_APP_PROCESS_H
#define SALLYPORT_APP_PROCESS_H

#include "base/arena.h"
#include "base/str.h"

struct process {
    int64_t cpu_ns;
    int64_t resident_bytes;
    int64_t virtual_bytes;
    int64_t open_files;
    int64_t files_max; /* the soft limit */
};

/* Of this process. What cannot be read is 0. */
void process_read(struct process *out);

/* Raise the soft limit on open files to the hard one: each connection is a file. */
void process_raise_file_limit(void);

/* Of another one, from /proc; -1: cannot be read. */
int64_t process_files_max_of(struct arena *arena, int64_t pid);
int64_t process_uid_of(struct arena *arena, int64_t pid);
str process_name_of(struct arena *arena, int64_t pid); /* "sallyport"; STR_NONE */

#endif
