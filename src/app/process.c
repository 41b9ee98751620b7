/* Reading /proc. */
#include "app/process.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "app/file.h"
#include "base/banned.h"
#include "base/buf.h"

enum { PROC_FILE_MAX_BYTES = 64 * 1024 };

/* STR_NONE: it cannot be read. */
static str read_text(struct arena *arena, const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct buf text;
    str out = STR_NONE;

    if (fd < 0)
        return STR_NONE;
    buf_init(&text, PROC_FILE_MAX_BYTES);
    if (file_read(fd, &text))
        out = arena_dup(arena, text.n ? buf_str(&text) : S(""));
    buf_drop(&text);
    close(fd);
    return out;
}

static str read_of(struct arena *arena, int64_t pid, const char *name)
{
    return read_text(arena, arena_printf(arena, "/proc/%" PRId64 "/%s", pid, name).p);
}

/* ---- this one ---- */

static int64_t count_open_files(void)
{
    DIR *folder = opendir("/proc/self/fd");
    int64_t n = 0;

    if (!folder)
        return 0;
    for (struct dirent *entry; (entry = readdir(folder));)
        n += entry->d_name[0] != '.';
    closedir(folder);
    return n - 1; /* the folder itself */
}

/* proc(5), statm: pages, the first is all of it, the second what is resident. */
static void read_memory(struct process *out)
{
    DROP(arena) struct arena *arena = arena_new();
    str rest = read_text(arena, "/proc/self/statm");
    int64_t page_bytes = sysconf(_SC_PAGESIZE);
    uint64_t pages;

    if (str_parse_u64(str_cut(&rest, S(" ")), INT32_MAX, &pages))
        out->virtual_bytes = (int64_t)pages * page_bytes;
    if (str_parse_u64(str_cut(&rest, S(" ")), INT32_MAX, &pages))
        out->resident_bytes = (int64_t)pages * page_bytes;
}

void process_read(struct process *out)
{
    struct timespec cpu = {0};
    struct rlimit files = {0};

    *out = (struct process){.open_files = count_open_files()};
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &cpu);
    out->cpu_ns = (int64_t)cpu.tv_sec * 1000000000 + cpu.tv_nsec;
    getrlimit(RLIMIT_NOFILE, &files);
    out->files_max = files.rlim_cur > INT64_MAX ? INT64_MAX : (int64_t)files.rlim_cur;
    read_memory(out);
}

void process_raise_file_limit(void)
{
    struct rlimit files;

    if (getrlimit(RLIMIT_NOFILE, &files) != 0)
        return;
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
}

/* ---- another one ---- */

/* The first number behind `label` at the start of a line. */
static int64_t number_after(str text, str label)
{
    while (!str_is_none(text)) {
        str line = str_cut(&text, S("\n"));
        uint64_t number;
        if (!str_starts(line, label))
            continue;
        line = str_sub(line, label.n, line.n);
        while (line.n && (line.p[0] == ' ' || line.p[0] == '\t'))
            line = str_sub(line, 1, line.n);
        size_t n = 0;
        while (n < line.n && line.p[n] != ' ' && line.p[n] != '\t')
            n++;
        if (str_eq(str_sub(line, 0, n), S("unlimited")))
            return INT64_MAX;
        return str_parse_u64(str_sub(line, 0, n), INT64_MAX, &number) ? (int64_t)number : -1;
    }
    return -1;
}

int64_t process_files_max_of(struct arena *arena, int64_t pid)
{
    return number_after(read_of(arena, pid, "limits"), S("Max open files"));
}

int64_t process_uid_of(struct arena *arena, int64_t pid)
{
    return number_after(read_of(arena, pid, "status"), S("Uid:"));
}

str process_name_of(struct arena *arena, int64_t pid)
{
    str name = str_trim(read_of(arena, pid, "comm"));

    return str_ends(name, S("\n")) ? str_sub(name, 0, name.n - 1) : name;
}
