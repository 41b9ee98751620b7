/* Shared state: `places`, whose database is replaced whole and read within a read section. */
#include "places/places.h"

#include <errno.h>
#include <fcntl.h>
#include <maxminddb.h>
#include <netinet/in.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/banned.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/rcu.h"
#include "base/time.h"

struct database {
    MMDB_s mmdb;
};

static struct {
    str path;
    _Atomic(struct database *) current;
    struct stat taken; /* what `current` was, or what was refused */
    struct stat seen;  /* at the last look */
    _Atomic int64_t lookups, unknown;
} places;

/* ---- opening ---- */

static bool copy_all(int from, int to, off_t size)
{
    while (size > 0) {
        ssize_t n = sendfile(to, from, NULL, (size_t)size);
        if (n <= 0)
            return false;
        size -= n;
    }
    return true;
}

/* A file in memory alone; -1. */
static int copy_of(const char *path, struct stat *what)
{
    int from = open(path, O_RDONLY | O_CLOEXEC);
    int to = from < 0 ? -1 : memfd_create("geoip", MFD_CLOEXEC);
    bool is_copied = to >= 0 && fstat(from, what) == 0 && S_ISREG(what->st_mode) &&
                     copy_all(from, to, what->st_size);
    int saved = errno;

    if (from >= 0)
        close(from);
    if (to >= 0 && !is_copied)
        close(to);
    errno = saved;
    return is_copied ? to : -1;
}

static void database_drop(struct database *database)
{
    if (!database)
        return;
    MMDB_close(&database->mmdb);
    free(database);
}

static struct database *database_open(const char *path, struct stat *what, struct arena *arena,
                                      str *why)
{
    struct database *made;
    char name[32];
    int fd = copy_of(path, what);

    if (fd < 0) {
        *why = arena_printf(arena, "%s: %s", path, strerror(errno));
        return NULL;
    }
    made = mem_new(sizeof *made);
    snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
    int status = MMDB_open(name, MMDB_MODE_MMAP, &made->mmdb);
    close(fd); /* what is mapped stays */
    if (status == MMDB_SUCCESS)
        return made;
    *why = arena_printf(arena, "%s: %s", path, MMDB_strerror(status));
    free(made);
    return NULL;
}

static void swap_in(struct database *made)
{
    struct database *former = atomic_exchange(&places.current, made);

    rcu_wait();
    database_drop(former);
}

bool places_start(str path, struct arena *arena, str *why)
{
    places.path = path;
    atomic_store(&places.lookups, 0);
    atomic_store(&places.unknown, 0);
    if (path.n == 0)
        return true;
    struct database *made = database_open(path.p, &places.taken, arena, why);
    places.seen = places.taken;
    if (made)
        swap_in(made);
    return made != NULL;
}

void places_stop(void)
{
    swap_in(NULL);
    places.path = S("");
}

/* ---- reloading ---- */

static bool is_same(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
           a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

static void reload(struct cx *cx)
{
    str why = STR_NONE;
    struct database *made = database_open(places.path.p, &places.taken, cx->arena, &why);

    if (made) {
        swap_in(made);
        log_event(cx, LOG_INFO, "geoip.reloaded", F("file", places.path));
    } else {
        places.taken = places.seen; /* until it changes again */
        log_event(cx, LOG_WARN, "geoip.not_reloaded", F("detail", why));
    }
}

void places_tick(struct cx *cx)
{
    struct stat now;

    if (places.path.n == 0 || stat(places.path.p, &now) != 0)
        return;
    bool is_quiet = is_same(&now, &places.seen);
    places.seen = now;
    if (is_quiet && !is_same(&now, &places.taken))
        reload(cx);
}

/* ---- asking ---- */

static bool read_code(MMDB_entry_s *entry, const char *const *path, struct country *out)
{
    MMDB_entry_data_s data;

    if (MMDB_aget_value(entry, &data, path) != MMDB_SUCCESS || !data.has_data ||
        data.type != MMDB_DATA_TYPE_UTF8_STRING || data.data_size != 2)
        return false;
    memcpy(out->code, data.utf8_string, 2);
    return true;
}

static struct country find_in(const struct database *database, const struct sockaddr *addr)
{
    static const char *const country[] = {"country", "iso_code", NULL};
    static const char *const registered[] = {"registered_country", "iso_code", NULL};
    static const char *const plain[] = {"country_code", NULL};
    struct country found = {{0}};
    int error;
    MMDB_lookup_result_s result = MMDB_lookup_sockaddr(&database->mmdb, addr, &error);

    if (error == MMDB_SUCCESS && result.found_entry && !read_code(&result.entry, country, &found) &&
        !read_code(&result.entry, registered, &found))
        read_code(&result.entry, plain, &found);
    return found;
}

static bool address_of(const struct net_addr *addr, struct sockaddr_storage *out)
{
    struct sockaddr_in *v4 = (struct sockaddr_in *)out;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)out;

    memset(out, 0, sizeof *out);
    if (addr->family == NET_V4) {
        v4->sin_family = AF_INET;
        memcpy(&v4->sin_addr, addr->bytes, 4);
    } else if (addr->family == NET_V6) {
        v6->sin6_family = AF_INET6;
        memcpy(&v6->sin6_addr, addr->bytes, 16);
    }
    return addr->family != NET_NONE;
}

struct country places_find(const struct net_addr *addr)
{
    struct country found = {{0}};
    struct sockaddr_storage where;

    if (!address_of(addr, &where))
        return found;
    rcu_thread_begin();
    rcu_enter();
    const struct database *database = atomic_load_explicit(&places.current, memory_order_acquire);
    if (database)
        found = find_in(database, (const struct sockaddr *)&where);
    rcu_leave();
    atomic_fetch_add_explicit(&places.lookups, 1, memory_order_relaxed);
    if (!found.code[0])
        atomic_fetch_add_explicit(&places.unknown, 1, memory_order_relaxed);
    return found;
}

void places_look(struct arena *arena, struct places_state *out)
{
    *out = (struct places_state){0};
    rcu_thread_begin();
    rcu_enter();
    const struct database *database = atomic_load_explicit(&places.current, memory_order_acquire);
    if (database) {
        const MMDB_metadata_s *about = &database->mmdb.metadata;
        *out = (struct places_state){.is_there = true,
                                     .built_at_ms = (int64_t)about->build_epoch * SECOND_MS,
                                     .type = arena_dup(arena, str_of(about->database_type))};
    }
    rcu_leave();
}

void places_write_metrics(struct metric_page *page)
{
    DROP(arena) struct arena *arena = arena_new();
    struct places_state state;

    places_look(arena, &state);
    if (!state.is_there)
        return;
    metric_put_int(page, "sallyport_geoip_built_timestamp_seconds",
                   "When the database of countries was built.", METRIC_GAUGE,
                   state.built_at_ms / SECOND_MS);
    metric_put_int(page, "sallyport_geoip_lookups_total", "Addresses whose country was asked for.",
                   METRIC_COUNTER, atomic_load(&places.lookups));
    metric_put_int(page, "sallyport_geoip_unknown_total",
                   "Addresses whose country is not in the database.", METRIC_COUNTER,
                   atomic_load(&places.unknown));
}
