/* A file that is whole under its name. */
#include "backup/file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/banned.h"

enum { FILE_MODE = 0600 };

static enum err refuse(struct cx *cx, const char *doing, const char *path)
{
    return fail(cx, E_INVALID_REQUEST, "cannot %s %s: %s", doing, path, strerror(errno));
}

static enum err is_there(struct cx *cx, const char *path)
{
    return fail(cx, E_INVALID_REQUEST,
                "%s is there already: name another file, or move that one away", path);
}

/* ---- opening ---- */

static enum err open_stdout(struct cx *cx, struct new_file *out)
{
    if (isatty(STDOUT_FILENO))
        return fail(cx, E_INVALID_REQUEST,
                    "a backup is no text for a terminal: name a file, or write to a pipe");
    *out = (struct new_file){.fd = STDOUT_FILENO, .path = "standard output"};
    return E_OK;
}

/* One that a crash left behind is taken over; one that is being written is not, nor one that got
 * its name between being opened and being locked. */
static enum err lock(struct cx *cx, const struct new_file *f)
{
    struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    struct stat open_one, named;

    if (fcntl(f->fd, F_OFD_SETLK, &whole) != 0 || fstat(f->fd, &open_one) != 0 ||
        lstat(f->partial, &named) != 0 || open_one.st_ino != named.st_ino ||
        open_one.st_dev != named.st_dev)
        return fail(cx, E_INVALID_REQUEST, "another backup is writing %s", f->partial);
    if (!S_ISREG(open_one.st_mode))
        return fail(cx, E_INVALID_REQUEST, "%s is no file", f->partial);
    if (fchmod(f->fd, FILE_MODE) != 0 || ftruncate(f->fd, 0) != 0)
        return refuse(cx, "write", f->partial);
    return E_OK;
}

enum err new_file_open(struct cx *cx, const char *path, struct new_file *out)
{
    struct stat there;

    *out = (struct new_file){.fd = -1};
    if (str_eq(str_of(path), S("-")))
        return open_stdout(cx, out);
    if (lstat(path, &there) == 0)
        return is_there(cx, path);
    const char *partial = arena_printf(cx->arena, "%s.partial", path).p;
    int fd = open(partial, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK, FILE_MODE);
    if (fd < 0)
        return refuse(cx, "write", partial);
    struct new_file f = {.fd = fd, .path = path, .partial = partial};
    enum err e = lock(cx, &f);
    if (e != E_OK) {
        close(fd); /* not ours to remove */
        return e;
    }
    *out = f;
    return E_OK;
}

bool new_file_is_pipe(const struct new_file *f)
{
    return f->fd == STDOUT_FILENO;
}

enum err new_file_rewind(struct cx *cx, struct new_file *f)
{
    if (new_file_is_pipe(f))
        return fail(cx, E_INVALID_REQUEST,
                    "the store had to be read once more, and what was written to standard output "
                    "cannot be taken back: try again");
    if (ftruncate(f->fd, 0) != 0 || lseek(f->fd, 0, SEEK_SET) != 0)
        return refuse(cx, "write", f->partial);
    return E_OK;
}

/* ---- closing ---- */

enum err new_file_sync(struct cx *cx, struct new_file *f)
{
    if (fsync(f->fd) != 0 || lseek(f->fd, 0, SEEK_SET) != 0)
        return refuse(cx, "write", f->partial);
    return E_OK;
}

static bool sync_folder(struct cx *cx, const char *path)
{
    const char *slash = strrchr(path, '/');
    str folder = slash ? (str){path, (size_t)(slash - path) + 1} : S(".");
    int fd = open(arena_dup(cx->arena, folder).p, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool is_done = fd >= 0 && fsync(fd) == 0;

    if (fd >= 0)
        close(fd);
    return is_done;
}

/* A file system that cannot rename without overwriting is asked first, and then trusted. */
static bool rename_to_free(const char *from, const char *to)
{
    struct stat there;

    if (renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) == 0)
        return true;
    if (errno != EINVAL && errno != ENOSYS)
        return false;
    if (lstat(to, &there) == 0) {
        errno = EEXIST;
        return false;
    }
    return rename(from, to) == 0;
}

enum err new_file_publish(struct cx *cx, struct new_file *f)
{
    if (!rename_to_free(f->partial, f->path))
        return errno == EEXIST ? is_there(cx, f->path) : refuse(cx, "write", f->path);
    f->partial = NULL;
    return sync_folder(cx, f->path) ? E_OK : refuse(cx, "make durable", f->path);
}

void new_file_drop(struct new_file *f)
{
    if (f->partial)
        unlink(f->partial);
    if (f->fd >= 0 && !new_file_is_pipe(f))
        close(f->fd);
    *f = (struct new_file){.fd = -1};
}
