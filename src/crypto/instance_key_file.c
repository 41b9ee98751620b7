/* The file that the instance key is kept in: readable by its owner alone, replaced as a whole. */
#include "crypto/instance_key.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/banned.h"
#include "base/mem.h"

enum { FILE_MODE = 0600, FILE_MAX_BYTES = 256 };

static enum err refuse(struct arena *arena, str *why, const char *doing, const char *path)
{
    *why = arena_printf(arena, "cannot %s the instance key's file %s: %s", doing, path,
                        strerror(errno));
    return E_STORE_DOWN;
}

/* ---- reading ---- */

static enum err check_rights(struct arena *arena, int fd, const char *path, str *why)
{
    struct stat file;

    if (fstat(fd, &file) != 0)
        return refuse(arena, why, "read", path);
    if (!S_ISREG(file.st_mode)) {
        *why = arena_printf(arena, "the instance key's file %s is no file", path);
        return E_STORE_DOWN;
    }
    if (file.st_mode & 077) {
        *why = arena_printf(arena,
                            "the instance key's file %s is open to others (its rights are %04o): "
                            "run chmod 600 %s",
                            path, (unsigned)(file.st_mode & 07777), path);
        return E_STORE_DOWN;
    }
    return E_OK;
}

static enum err read_open(struct arena *arena, int fd, const char *path, struct instance_key *out,
                          str *why)
{
    char text[FILE_MAX_BYTES];

    TRY(check_rights(arena, fd, path, why));
    ssize_t n = read(fd, text, sizeof text);
    if (n < 0)
        return refuse(arena, why, "read", path);
    bool is_key = (size_t)n < sizeof text && instance_key_parse((str){text, (size_t)n}, out);
    mem_wipe(text, sizeof text);
    if (is_key)
        return E_OK;
    *why = arena_printf(arena,
                        "the instance key's file %s holds no key: it must be 64 hex digits, or two "
                        "times 64 with a colon between; restore it from a backup",
                        path);
    return E_STORE_DOWN;
}

enum err instance_key_read_file(struct arena *arena, const char *path, struct instance_key *out,
                                str *why)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

    if (fd < 0 && errno == ENOENT)
        return E_ABSENT;
    if (fd < 0)
        return refuse(arena, why, "read", path);
    enum err e = read_open(arena, fd, path, out, why);
    close(fd);
    return e;
}

/* ---- writing ---- */

static bool write_text(int fd, const struct instance_key *key)
{
    DROP(secret) struct secret text = {0};

    instance_key_write(key, &text);
    str s = secret_reveal(&text);
    return write(fd, s.p, s.n) == (ssize_t)s.n && write(fd, "\n", 1) == 1 && fsync(fd) == 0;
}

/* The new name is durable only with its folder. */
static bool sync_folder(struct arena *arena, const char *path)
{
    const char *slash = strrchr(path, '/');
    str folder = slash ? str_sub(str_of(path), 0, (size_t)(slash - path) + 1) : S(".");
    int fd = open(arena_dup(arena, folder).p, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool is_done = fd >= 0 && fsync(fd) == 0;

    if (fd >= 0)
        close(fd);
    return is_done;
}

/* As root: the file is the owner's of its folder, who is to read it. */
static void give_to_owner(struct arena *arena, int fd, const char *path)
{
    const char *slash = strrchr(path, '/');
    str name = slash ? str_sub(str_of(path), 0, (size_t)(slash - path) + 1) : S(".");
    struct stat folder;

    if (geteuid() == 0 && stat(arena_dup(arena, name).p, &folder) == 0 && folder.st_uid != 0 &&
        fchown(fd, folder.st_uid, folder.st_gid) != 0)
        return; /* it works for root, and doctor finds it */
}

enum err instance_key_write_file(struct arena *arena, const char *path,
                                 const struct instance_key *key, str *why)
{
    char real[PATH_MAX];
    const char *target = realpath(path, real) ? real : path; /* a link stays one */
    const char *part = arena_printf(arena, "%s.new", target).p;

    /* One left behind by a crash has never been in force. */
    if (unlink(part) != 0 && errno != ENOENT)
        return refuse(arena, why, "write", part);
    int fd = open(part, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, FILE_MODE);
    if (fd < 0)
        return refuse(arena, why, "write", part);
    give_to_owner(arena, fd, target);
    bool is_written = write_text(fd, key);
    close(fd);
    if (is_written && rename(part, target) == 0 && sync_folder(arena, target))
        return E_OK;
    enum err e = refuse(arena, why, "write", target);
    unlink(part);
    return e;
}
