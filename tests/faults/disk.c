/*
 * A disk that fails, for a server that knows nothing of it: preloaded, it lets calls that change
 * regular files below DISK_FAULT_FOLDER fail with the error that the file DISK_FAULT_FILE names,
 * for as long as that file is there: "ENOSPC", "EROFS", "EIO".
 *
 * A full disk refuses to grow and, like a broken one, to synchronise; a read-only one refuses all.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

#define REAL(name, type) ((type)dlsym(RTLD_NEXT, name))

/* Which error is on: 0 for none. Past our own functions, which would ask again. */
static int fault_on(void)
{
    static const struct {
        const char *name;
        int error;
    } errors[] = {{"ENOSPC", ENOSPC}, {"EROFS", EROFS}, {"EIO", EIO}};
    const char *path = getenv("DISK_FAULT_FILE");
    char name[16] = "";

    if (!path)
        return 0;
    int fd = REAL("open", int (*)(const char *, int, ...))(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return 0;
    ssize_t n = read(fd, name, sizeof name - 1);
    REAL("close", int (*)(int))(fd);
    for (size_t i = 0; n > 0 && i < sizeof errors / sizeof errors[0]; i++)
        if (strncmp(name, errors[i].name, strlen(errors[i].name)) == 0)
            return errors[i].error;
    return 0;
}

static bool is_below(const char *path)
{
    const char *folder = getenv("DISK_FAULT_FOLDER");

    return folder && path[0] == '/' && strncmp(path, folder, strlen(folder)) == 0;
}

static bool fails(int fd, int *error)
{
    char link[64], path[PATH_MAX];
    struct stat st;
    int before = errno;

    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, path, sizeof path - 1);
    bool is_ours = n > 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
    path[n > 0 ? n : 0] = 0;
    *error = is_ours && is_below(path) ? fault_on() : 0;
    errno = before;
    return *error != 0;
}

#define FAIL_IF_ON(fd)                                                                             \
    do {                                                                                           \
        int error;                                                                                 \
        if (fails(fd, &error)) {                                                                   \
            errno = error;                                                                         \
            return -1;                                                                             \
        }                                                                                          \
    } while (0)

ssize_t write(int fd, const void *p, size_t n)
{
    FAIL_IF_ON(fd);
    return REAL("write", ssize_t(*)(int, const void *, size_t))(fd, p, n);
}

ssize_t pwrite64(int fd, const void *p, size_t n, off_t at)
{
    FAIL_IF_ON(fd);
    return REAL("pwrite64", ssize_t(*)(int, const void *, size_t, off_t))(fd, p, n, at);
}

ssize_t pwrite(int fd, const void *p, size_t n, off_t at)
{
    FAIL_IF_ON(fd);
    return REAL("pwrite64", ssize_t(*)(int, const void *, size_t, off_t))(fd, p, n, at);
}

int ftruncate64(int fd, off_t n)
{
    FAIL_IF_ON(fd);
    return REAL("ftruncate64", int (*)(int, off_t))(fd, n);
}

int fsync(int fd)
{
    FAIL_IF_ON(fd);
    return REAL("fsync", int (*)(int))(fd);
}

int fdatasync(int fd)
{
    FAIL_IF_ON(fd);
    return REAL("fdatasync", int (*)(int))(fd);
}

static int open_checked(const char *name, const char *path, int flags, mode_t mode)
{
    if ((flags & (O_WRONLY | O_RDWR | O_CREAT)) && is_below(path)) {
        int error = fault_on();
        /* A full disk opens what is there. */
        if (error == EROFS || (error && (flags & O_CREAT) && access(path, F_OK) != 0)) {
            errno = error;
            return -1;
        }
    }
    return REAL(name, int (*)(const char *, int, ...))(path, flags, mode);
}

int open(const char *path, int flags, ...)
{
    va_list args;

    va_start(args, flags);
    mode_t mode = flags & O_CREAT ? va_arg(args, mode_t) : 0;
    va_end(args);
    return open_checked("open", path, flags, mode);
}

int open64(const char *path, int flags, ...)
{
    va_list args;

    va_start(args, flags);
    mode_t mode = flags & O_CREAT ? va_arg(args, mode_t) : 0;
    va_end(args);
    return open_checked("open64", path, flags, mode);
}
