/* The database: a file and its surroundings, or a PostgreSQL; and the instance key. */
#include <errno.h>
#include <inttypes.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "app/doctor.h"
#include "base/banned.h"
#include "base/time.h"
#include "crypto/instance_key.h"
#include "store/inspect.h"

#define QUICK_CHECK_MAX_BYTES (INT64_C(1) << 30)

enum {
    POSTGRES_LEAST = 150000,
    CLOCK_WARNING_MS = 2000,
    CLOCK_PROBLEM_MS = 60000,
    CONNECTIONS_SPARE = 3,
    /* linux/magic.h has not all of them */
    MAGIC_CIFS = 0xff534d42,
    MAGIC_SMB2 = 0xfe534d42,
    MAGIC_FUSE = 0x65735546,
};

/* ---- both engines ---- */

static void check_schema(struct doctor *d, const struct store_facts *f)
{
    int64_t known = store_schema_known();

    if (f->schema > known)
        doctor_find(d, FINDING_PROBLEM, "store.schema",
                    S("Run the newer sallyport, or restore a backup made before it."),
                    "The database has schema %" PRId64 ", and this sallyport (" SALLYPORT_VERSION
                    ") knows %" PRId64 " at most.",
                    f->schema, known);
    else if (f->schema_fault.n)
        doctor_find(d, FINDING_PROBLEM, "store.schema",
                    S("Run the sallyport that made it, or restore a backup."),
                    "Migration %.*s is not the one that this database was made with.",
                    STR_ARG(f->schema_fault));
    else if (f->schema < known)
        doctor_ok(d, "store.schema",
                  "Schema %" PRId64 "; the next start of this sallyport makes it %" PRId64 ".",
                  f->schema, known);
    else
        doctor_ok(d, "store.schema", "Schema %" PRId64 ", as this sallyport has it.", f->schema);
}

static void key_is_unusable(struct doctor *d, const struct store_facts *f, enum err e, str why)
{
    const char *path = d->config->key_file.p;

    if (e != E_ABSENT)
        doctor_find(d, FINDING_PROBLEM, "store.key",
                    S("See docs/storage.md, \"The instance key\"."), "%.*s.", STR_ARG(why));
    else if (f->key_id.n)
        doctor_find(d, FINDING_PROBLEM, "store.key",
                    S("Put the file back, or name its place in key_file."),
                    "The instance key's file %s is missing; this database was made with the key "
                    "%.*s.",
                    path, STR_ARG(f->key_id));
    else
        doctor_ok(d, "store.key", "%s is made at the first start.", path);
}

static enum err read_key(struct doctor *d, struct instance_key *out, str *why)
{
    const struct secret *text = &d->config->instance_key;

    if (!secret_is_set(text))
        return instance_key_read_file(d->arena, d->config->key_file.p, out, why);
    *why = S("instance_key holds no key: it must be 64 hex digits, or two times 64 with a colon "
             "between");
    return instance_key_parse(secret_reveal(text), out) ? E_OK : E_STORE_DOWN;
}

static void check_key(struct doctor *d, const struct store_facts *f)
{
    DROP(instance_key) struct instance_key key = {0};
    str why = STR_NONE;
    enum err e = read_key(d, &key, &why);

    if (e != E_OK) {
        key_is_unusable(d, f, e, why);
        return;
    }
    struct instance_key_id current = instance_key_id_of(key.current);
    struct instance_key_id previous = instance_key_id_of(key.previous);
    str id = instance_key_id_text(&current);
    if (f->key_id.n == 0 || str_eq(f->key_id, id))
        doctor_ok(d, "store.key", "The instance key %.*s is the database's.", STR_ARG(id));
    else if (key.has_previous && str_eq(f->key_id, instance_key_id_text(&previous)))
        doctor_ok(d, "store.key",
                  "The instance key was rotated to %.*s; the next start tells the "
                  "database.",
                  STR_ARG(id));
    else
        doctor_find(d, FINDING_PROBLEM, "store.key",
                    S("Put the key that belongs to this database into its place."),
                    "The instance key %.*s is not this database's, which was made with %.*s.",
                    STR_ARG(id), STR_ARG(f->key_id));
}

/* ---- PostgreSQL ---- */

static void check_version(struct doctor *d, const struct store_facts *f)
{
    int64_t major = f->version / 10000, minor = f->version % 10000;

    if (f->version >= POSTGRES_LEAST)
        doctor_ok(d, "store.version", "PostgreSQL %" PRId64 ".%" PRId64 ".", major, minor);
    else
        doctor_find(d, FINDING_PROBLEM, "store.version", S("Upgrade it to 15 or newer."),
                    "PostgreSQL %" PRId64 ".%" PRId64 " is older than 15.", major, minor);
}

static void check_durability(struct doctor *d, const struct store_facts *f)
{
    bool is_off = str_eq(f->fsync, S("off")) || str_eq(f->full_page_writes, S("off"));

    if (is_off)
        doctor_find(d, FINDING_PROBLEM, "store.durability",
                    S("ALTER SYSTEM SET fsync = on; ALTER SYSTEM SET full_page_writes = on; SELECT "
                      "pg_reload_conf();"),
                    "fsync is %.*s and full_page_writes is %.*s: a power failure loses what was "
                    "acknowledged, or the whole database.",
                    STR_ARG(f->fsync), STR_ARG(f->full_page_writes));
    else if (str_eq(f->synchronous_commit, S("off")))
        doctor_ok(d, "store.durability",
                  "fsync is on; synchronous_commit is off, and sallyport sets it on for itself.");
    else
        doctor_ok(d, "store.durability", "fsync is on, synchronous_commit is %.*s.",
                  STR_ARG(f->synchronous_commit));
}

static void check_encoding(struct doctor *d, const struct store_facts *f)
{
    if (str_eq(f->encoding, S("UTF8")))
        doctor_ok(d, "store.encoding", "The database is in UTF8.");
    else
        doctor_find(d, FINDING_PROBLEM, "store.encoding",
                    S("Make a database with ENCODING 'UTF8' TEMPLATE template0."),
                    "The database has the encoding %.*s.", STR_ARG(f->encoding));
}

/* The server's own are among those in use, and count once. */
static void check_connections(struct doctor *d, const struct store_facts *f)
{
    int64_t may = f->connections_max - f->connections_reserved;
    int64_t want = d->config->database_connections + 1; /* the change stream's */
    int64_t left = may - f->connections_used + (d->server.pid ? want : 0);

    if (left >= want + CONNECTIONS_SPARE)
        doctor_ok(d, "store.connections",
                  "%" PRId64 " of %" PRId64 " connections are in use; database_connections is "
                  "%" PRId64 ".",
                  f->connections_used, may, want);
    else
        doctor_find(d, want > may ? FINDING_PROBLEM : FINDING_WARNING, "store.connections",
                    S("Raise max_connections in PostgreSQL, or lower database_connections."),
                    "%" PRId64 " of %" PRId64 " connections are in use, and database_connections = "
                    "%" PRId64 " may not fit.",
                    f->connections_used, may, d->config->database_connections);
}

static void check_writable(struct doctor *d, const struct store_facts *f)
{
    if (f->is_replica)
        doctor_find(d, FINDING_PROBLEM, "store.writable",
                    S("Name the primary in database_url; with several hosts, add "
                      "target_session_attrs=read-write."),
                    "The database is a replica, or read-only.");
    else if (!f->may_create)
        doctor_find(d, FINDING_PROBLEM, "store.writable",
                    S("As its owner: GRANT CREATE ON SCHEMA public TO the user in database_url."),
                    "The user may not make tables in the schema public.");
    else
        doctor_ok(d, "store.writable", "The database can be written.");
}

static void check_encrypted(struct doctor *d, const struct store_facts *f)
{
    bool is_here = f->host.n == 0 || str_starts(f->host, S("/")) ||
                   str_eq(f->host, S("localhost")) || str_starts(f->host, S("127."));

    if (is_here || f->is_encrypted)
        doctor_ok(d, "store.encrypted", "The connection %s.",
                  f->is_encrypted ? "has TLS" : "stays on this machine");
    else
        doctor_find(d, FINDING_WARNING, "store.encrypted",
                    S("Add ?sslmode=verify-full&sslrootcert=FILE to database_url."),
                    "The connection to %.*s has no TLS.", STR_ARG(f->host));
}

static void check_clocks(struct doctor *d, const struct store_facts *f)
{
    int64_t ahead_ms = f->asked_at_ms - f->clock_ms;
    int64_t apart_ms = ahead_ms < 0 ? -ahead_ms : ahead_ms;

    if (apart_ms < CLOCK_WARNING_MS)
        doctor_ok(d, "clock.agrees", "This clock and PostgreSQL's are within %d s.",
                  CLOCK_WARNING_MS / 1000);
    else
        doctor_find(d, apart_ms < CLOCK_PROBLEM_MS ? FINDING_WARNING : FINDING_PROBLEM,
                    "clock.agrees", S("Run a time service on both machines."),
                    "This clock is %" PRId64 " s %s PostgreSQL's.", apart_ms / SECOND_MS,
                    ahead_ms < 0 ? "behind" : "ahead of");
}

static void check_postgres(struct doctor *d, const struct store_facts *f)
{
    if (f->fault.n) {
        doctor_find(d, FINDING_PROBLEM, "store.reachable",
                    S("Is PostgreSQL running, and are host, user, password and database in "
                      "database_url right? Try them with psql."),
                    "PostgreSQL is not reached: %.*s.", STR_ARG(f->fault));
        return;
    }
    doctor_ok(d, "store.reachable", "%.*s answers.",
              STR_ARG(config_value_text(d->arena, d->config, SETTING_database_url)));
    check_version(d, f);
    check_durability(d, f);
    check_encoding(d, f);
    check_connections(d, f);
    check_writable(d, f);
    check_encrypted(d, f);
    check_clocks(d, f);
}

/* ---- SQLite: the file ---- */

static void check_file(struct doctor *d, const char *path)
{
    struct stat file;

    if (stat(path, &file) != 0) {
        doctor_ok(d, "store.file", "%s is made at the first start.", path);
        return;
    }
    if (access(path, R_OK | W_OK) != 0)
        doctor_find(d, FINDING_PROBLEM, "store.file",
                    S("Run sallyport and doctor as the file's owner, or give the file to that "
                      "user with chown."),
                    "%s (owner: uid %u) cannot be read and written by uid %u.", path,
                    (unsigned)file.st_uid, (unsigned)geteuid());
    else if (file.st_mode & 077)
        doctor_find(d, FINDING_PROBLEM, "store.file", arena_printf(d->arena, "chmod 600 %s*", path),
                    "%s is open to others (its rights are %04o).", path,
                    (unsigned)(file.st_mode & 07777));
    else
        doctor_ok(d, "store.file", "%s belongs to its owner alone.", path);
}

static const char *folder_of(struct doctor *d, const char *path)
{
    const char *slash = strrchr(path, '/');

    if (!slash)
        return ".";
    return slash == path ? "/" : arena_dup(d->arena, (str){path, (size_t)(slash - path)}).p;
}

static void check_folder(struct doctor *d, const char *folder)
{
    struct stat there;

    if (stat(folder, &there) != 0)
        doctor_ok(d, "store.folder", "%s is made at the first start.", folder);
    else if (access(folder, W_OK | X_OK) != 0)
        doctor_find(d, FINDING_PROBLEM, "store.folder",
                    arena_printf(d->arena, "chown it to the server's user, or run as uid %u.",
                                 (unsigned)there.st_uid),
                    "%s may not be written by uid %u: SQLite keeps its log there.", folder,
                    (unsigned)geteuid());
    else if (there.st_mode & 022 && !(there.st_mode & S_ISVTX))
        doctor_find(d, FINDING_PROBLEM, "store.folder",
                    arena_printf(d->arena, "chmod go-w %s", folder),
                    "Others may put files into %s (its rights are %04o).", folder,
                    (unsigned)(there.st_mode & 07777));
    else
        doctor_ok(d, "store.folder", "%s may be changed by its owner alone.", folder);
}

static const char *file_system_fault(const char *folder, enum finding_level *level)
{
    struct statfs fs;

    *level = FINDING_PROBLEM;
    if (statfs(folder, &fs) != 0)
        return NULL;
    switch ((unsigned)fs.f_type) {
    case NFS_SUPER_MAGIC:
    case SMB_SUPER_MAGIC:
    case MAGIC_CIFS:
    case MAGIC_SMB2:
        return "is on a network file system, where SQLite's log does not work";
    default:
        break;
    }
    *level = FINDING_WARNING;
    switch ((unsigned)fs.f_type) {
    case TMPFS_MAGIC:
        return "is in memory, and gone after a restart of the machine";
    case OVERLAYFS_SUPER_MAGIC:
        return "is inside the container, and gone with it";
    case MAGIC_FUSE:
        return "is on a FUSE file system, which may not keep what it says it has kept";
    default:
        return NULL;
    }
}

static void check_file_system(struct doctor *d, const char *folder)
{
    enum finding_level level;
    const char *fault = file_system_fault(folder, &level);

    if (fault)
        doctor_find(d, level, "store.filesystem",
                    S("Keep it on a local disk; in a container, on a volume."), "%s %s.", folder,
                    fault);
    else
        doctor_ok(d, "store.filesystem", "%s is on a local disk.", folder);
}

static void check_lock(struct doctor *d, const char *path)
{
    int64_t pid;
    bool is_held = probe_lock(arena_printf(d->arena, "%s.lock", path).p, &pid);

    if (!is_held)
        doctor_ok(d, "store.lock", "Nobody holds the lock of %s.", path);
    else if (d->server.pid && (pid == d->server.pid || d->server.status == 200))
        doctor_ok(d, "store.lock", "The server holds the lock of %s.", path);
    else
        doctor_find(d, FINDING_PROBLEM, "store.lock",
                    S("Is it a server with another control_socket, or a command that hangs? Stop "
                      "it. Never delete the lock's file."),
                    "pid %" PRId64 " holds %s, and does not answer on %.*s.", pid, path,
                    STR_ARG(d->config->control_socket));
}

/* ---- SQLite: what is in it ---- */

static bool checks_content(struct doctor *d, const char *path)
{
    struct stat file;

    return cli_has(d->args, "full") ||
           (stat(path, &file) == 0 && file.st_size <= QUICK_CHECK_MAX_BYTES);
}

static void check_content(struct doctor *d, const char *path, const struct store_facts *f)
{
    if (f->is_wal)
        doctor_ok(d, "store.journal", "WAL; the server sets synchronous=FULL on each connection.");
    else
        doctor_find(d, FINDING_WARNING, "store.journal",
                    S("Start the server: it turns WAL on. Do not change it while it runs."),
                    "%s is not in WAL mode.", path);
    if (str_eq(f->integrity, S("ok")))
        doctor_ok(d, "store.integrity", "quick_check found nothing.");
    else if (str_is_none(f->integrity))
        doctor_ok(d, "store.integrity", "Not checked above 1 GiB; doctor --full does.");
    else
        doctor_find(d, FINDING_PROBLEM, "store.integrity",
                    S("Stop the server, keep a copy of the files, and restore a backup."),
                    "%s is damaged: %.*s.", path, STR_ARG(f->integrity));
}

static void check_time_of_content(struct doctor *d, const struct store_facts *f)
{
    int64_t behind_ms = f->newest_ms - time_now_ms();

    if (behind_ms < CLOCK_WARNING_MS)
        doctor_ok(d, "clock.agrees", "Nothing in the database is from the future.");
    else
        doctor_find(d, FINDING_PROBLEM, "clock.agrees",
                    S("Set the clock; keys and sessions end by it."),
                    "This clock is at least %" PRId64 " s behind the one the database was "
                    "written by.",
                    behind_ms / SECOND_MS);
}

/* False: there is nothing in it to look at. */
static bool check_sqlite(struct doctor *d, const char *path, const struct store_facts *f)
{
    const char *folder = folder_of(d, path);

    check_file(d, path);
    check_folder(d, folder);
    check_file_system(d, folder);
    check_lock(d, path);
    if (f->fault.n)
        doctor_find(d, FINDING_PROBLEM, "store.integrity",
                    S("Restore a backup, or name the right file in database_url."), "%.*s.",
                    STR_ARG(f->fault));
    else if (f->is_unsettled)
        doctor_find(d, FINDING_WARNING, "store.journal",
                    S("Start the server: it takes the log over. Never delete it."),
                    "%s-wal holds changes that are not in the database yet; doctor does not touch "
                    "them.",
                    path);
    if (!f->is_there || f->fault.n || f->is_unsettled)
        return false;
    check_content(d, path, f);
    check_time_of_content(d, f);
    return true;
}

/* ---- */

void doctor_store(struct doctor *d)
{
    str url = d->config->database_url;
    str path = url;
    struct store_facts facts;
    bool is_known = true;

    str_cut(&path, S(":"));
    path = arena_dup(d->arena, path);
    store_inspect(d->arena, url, checks_content(d, path.p), &facts);
    if (config_is_postgres(url)) {
        check_postgres(d, &facts);
        is_known = facts.fault.n == 0;
    } else {
        is_known = check_sqlite(d, path.p, &facts);
    }
    if (is_known && facts.schema)
        check_schema(d, &facts);
    check_key(d, &facts);
}
