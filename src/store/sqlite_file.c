/* The database file: its folder, its rights, and the lock beside it. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/sqlite.h"

#include "base/banned.h"

enum { DIR_MODE = 0700, FILE_MODE = 0600 };

static enum err refuse(struct arena *arena, str *why, const char *doing, const char *path)
{
    *why = arena_printf(arena, "cannot %s %s: %s", doing, path, strerror(errno));
    return E_STORE_DOWN;
}

static void sync_dir(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd >= 0) {
        fsync(fd);
        close(fd);
    }
}

/* The text up to its last slash; "." without one. */
static const char *dir_of(struct arena *arena, const char *path)
{
    const char *slash = strrchr(path, '/');

    if (!slash)
        return ".";
    return slash == path ? "/" : arena_dup(arena, (str){path, (size_t)(slash - path)}).p;
}

/* As root, what is made belongs to the owner of the folder above: a command that root runs while
 * the server is stopped must not lock out the server's user. SQLite does so with its own files. */
static void give_to_owner(struct arena *arena, const char *path)
{
    struct stat folder;

    if (geteuid() == 0 && stat(dir_of(arena, path), &folder) == 0 && folder.st_uid != 0 &&
        lchown(path, folder.st_uid, folder.st_gid) != 0)
        return; /* it works for root, and doctor finds it */
}

/* Open it for reading and writing; one that is made here is its owner's alone. */
static int open_own(struct arena *arena, const char *path)
{
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, FILE_MODE);

    if (fd < 0)
        return errno == EEXIST ? open(path, O_RDWR | O_CLOEXEC) : fd;
    give_to_owner(arena, path);
    return fd;
}

/* A new folder's name is made durable in the one above it: commits are lost with the folder. */
static enum err make_dirs(struct arena *arena, const char *path, str *why)
{
    if (mkdir(path, DIR_MODE) == 0) {
        give_to_owner(arena, path);
        sync_dir(dir_of(arena, path));
        return E_OK;
    }
    if (errno == EEXIST)
        return E_OK;
    if (errno != ENOENT || strcmp(path, ".") == 0)
        return refuse(arena, why, "make the folder", path);
    TRY(make_dirs(arena, dir_of(arena, path), why));
    if (mkdir(path, DIR_MODE) != 0 && errno != EEXIST)
        return refuse(arena, why, "make the folder", path);
    give_to_owner(arena, path);
    sync_dir(dir_of(arena, path));
    return E_OK;
}

/* Links resolved, so that two names of one file are one lock. */
static enum err resolve(struct arena *arena, const char *path, char **out, str *why)
{
    const char *dir = dir_of(arena, path);
    const char *slash = strrchr(path, '/');
    const char *name = slash ? slash + 1 : path;
    char real[PATH_MAX];
    struct stat there;

    if (*name == '\0' || (stat(path, &there) == 0 && S_ISDIR(there.st_mode))) {
        *why = arena_printf(arena, "%s is a folder: name a file in it", path);
        return E_STORE_DOWN;
    }
    TRY(make_dirs(arena, dir, why));
    if (realpath(path, real)) {
        *out = strdup(real);
        return E_OK;
    }
    if (errno != ENOENT || !realpath(dir, real))
        return refuse(arena, why, "open", path);
    str full = arena_printf(arena, "%s/%s", strcmp(real, "/") == 0 ? "" : real, name);
    *out = strdup(full.p);
    return E_OK;
}

static enum err say_who_holds(struct arena *arena, int fd, const char *path, str *why)
{
    char text[32];
    ssize_t n = pread(fd, text, sizeof text, 0);
    str pid = str_trim((str){text, n > 0 ? (size_t)n : 0});
    uint64_t number;

    pid = str_cut(&pid, S("\n"));
    if (str_parse_u64(pid, INT32_MAX, &number))
        *why = arena_printf(arena, "%s is in use by another sallyport (pid %d)", path, (int)number);
    else
        *why = arena_printf(arena, "%s is in use by another sallyport", path);
    return E_STORE_DOWN;
}

/*
 * An open file description lock ends with its holder, and also holds against a second store_open
 * in this process. The lock file stays: removing it would let two processes lock two files.
 */
static enum err take_lock(struct arena *arena, struct db_file *f, str *why)
{
    const char *path = arena_printf(arena, "%s.lock", f->path).p;
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    char pid[32];

    f->lock_fd = open_own(arena, path);
    if (f->lock_fd < 0)
        return refuse(arena, why, "open", path);
    if (fcntl(f->lock_fd, F_OFD_SETLK, &lock) != 0) {
        if (errno == EAGAIN || errno == EACCES)
            return say_who_holds(arena, f->lock_fd, f->path, why);
        return refuse(arena, why, "lock", path);
    }
    int n = snprintf(pid, sizeof pid, "%d\n", (int)getpid());
    /* Only for the message: a full disk is no reason to stay away. */
    if (ftruncate(f->lock_fd, 0) != 0 || pwrite(f->lock_fd, pid, (size_t)n, 0) != n)
        return E_OK;
    return E_OK;
}

/* Made here and not by SQLite, for its rights; the files beside it inherit them. Closed again
 * before SQLite opens it: closing a file drops the POSIX locks that a process has on it. */
static enum err make_file(struct arena *arena, const char *path, str *why)
{
    int fd = open_own(arena, path);

    if (fd < 0)
        return refuse(arena, why, "open", path);
    close(fd);
    sync_dir(dir_of(arena, path));
    return E_OK;
}

static enum err check_path(struct arena *arena, str path, str *why)
{
    if (path.n && !str_starts(path, S(":")) && !memchr(path.p, 0, path.n))
        return E_OK;
    *why = arena_printf(arena, "\"sqlite:%.*s\" names no file: write sqlite:var/sallyport.db",
                        STR_ARG(path));
    return E_STORE_DOWN;
}

enum err db_file_find(struct arena *arena, str path, struct db_file *out, str *why)
{
    char real[PATH_MAX];

    TRY(check_path(arena, path, why));
    const char *name = arena_dup(arena, path).p;
    if (realpath(name, real)) {
        *out = (struct db_file){.path = strdup(real), .lock_fd = -1};
        return E_OK;
    }
    if (errno != ENOENT)
        return refuse(arena, why, "open", name);
    *why = arena_printf(arena, "there is no database at %s: see database_url", name);
    return E_STORE_DOWN;
}

enum err db_file_claim(struct arena *arena, str path, struct db_file *out, str *why)
{
    struct db_file f = {.lock_fd = -1};

    TRY(check_path(arena, path, why));
    enum err e = resolve(arena, arena_dup(arena, path).p, &f.path, why);
    if (e == E_OK)
        e = take_lock(arena, &f, why);
    if (e == E_OK)
        e = make_file(arena, f.path, why);
    if (e != E_OK) {
        db_file_release(&f);
        return e;
    }
    *out = f;
    return E_OK;
}

void db_file_release(struct db_file *f)
{
    if (f->lock_fd >= 0)
        close(f->lock_fd);
    f->lock_fd = -1;
    free(f->path);
    f->path = NULL;
}
