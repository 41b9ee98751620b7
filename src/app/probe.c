/* Probes: sockets, /proc, libcurl. */
#include "app/probe.h"

#include <curl/curl.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "app/process.h"
#include "base/banned.h"
#include "base/buf.h"
#include "base/json.h"
#include "base/time.h"

enum { READY_MAX_BYTES = 65536, ANSWER_WITHIN_S = 10, REACH_WITHIN_S = 15, TCP_LISTEN = 0x0a };

/* ---- the server ---- */

/* Who called listen: the peer of a connection to it. */
static bool find_listener(const char *path, struct probe_server *out)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    struct ucred peer;
    socklen_t n = sizeof peer;

    memcpy(addr.sun_path, path, strnlen(path, sizeof addr.sun_path - 1));
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    bool is_there = fd >= 0 && connect(fd, (const struct sockaddr *)&addr, sizeof addr) == 0 &&
                    getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &n) == 0;
    int error = errno;
    if (is_there) {
        out->pid = peer.pid;
        out->uid = peer.uid;
    }
    if (fd >= 0)
        close(fd);
    errno = error;
    return is_there;
}

static size_t take_bytes(char *bytes, size_t size, size_t n, void *self)
{
    buf_put(self, (str){bytes, size * n});
    return size * n;
}

static str stream_of(struct arena *arena, str body)
{
    struct cx cx = {.arena = arena};
    DROP(json) json_t *ready = NULL;

    if (json_read(&cx, body, &ready) != E_OK)
        return STR_NONE;
    str status = json_text(json_object_get(json_object_get(ready, "changeStream"), "status"));
    return status.n ? arena_dup(arena, status) : STR_NONE;
}

static void ask_ready(struct arena *arena, const char *path, struct probe_server *out)
{
    DROP(buf) struct buf body;
    CURL *curl = curl_easy_init();
    long status = 0;

    buf_init(&body, READY_MAX_BYTES);

    curl_easy_setopt(curl, CURLOPT_URL, "http://localhost/readyz");
    curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH, path);
    curl_easy_setopt(curl, CURLOPT_PROXY, "");
    curl_easy_setopt(curl, CURLOPT_TIMEOUT, (long)ANSWER_WITHIN_S);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_bytes);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, &body);
    CURLcode code = curl_easy_perform(curl);
    if (code == CURLE_OK)
        curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    else
        out->why = arena_dup(arena, str_of(curl_easy_strerror(code)));
    out->status = (int)status;
    out->stream = stream_of(arena, buf_str(&body));
    curl_easy_cleanup(curl);
}

void probe_server(struct arena *arena, const struct config *config, struct probe_server *out)
{
    const char *path = config->control_socket.p;

    *out = (struct probe_server){.uid = -1};
    if (find_listener(path, out))
        ask_ready(arena, path, out);
    else if (errno == EACCES)
        out->why = arena_printf(arena, "%s is not open to this user", path);
}

/* ---- ports ---- */

/* proc(5), net/tcp: "sl local_address rem_address st … inode", the port in hex behind the colon. */
static bool find_inode_in(const char *path, int64_t port, unsigned long long *inode)
{
    FILE *file = fopen(path, "re");
    char line[512];
    unsigned at, state;
    bool is_found = false;

    while (file && !is_found && fgets(line, sizeof line, file))
        is_found =
            sscanf(line, " %*d: %*[0-9A-Fa-f]:%x %*[0-9A-Fa-f]:%*x %x %*s %*s %*s %*s %*s %llu",
                   &at, &state, inode) == 3 &&
            at == port && state == TCP_LISTEN;
    if (file)
        fclose(file);
    return is_found;
}

static bool holds_socket(const char *folder, str wanted)
{
    DIR *files = opendir(folder);
    char target[64];
    bool is_found = false;

    if (!files)
        return false;
    for (struct dirent *entry; !is_found && (entry = readdir(files));) {
        ssize_t n = readlinkat(dirfd(files), entry->d_name, target, sizeof target);
        is_found = n > 0 && str_eq((str){target, (size_t)n}, wanted);
    }
    closedir(files);
    return is_found;
}

static int64_t find_holder(struct arena *arena, unsigned long long inode)
{
    str wanted = arena_printf(arena, "socket:[%llu]", inode);
    DIR *processes = opendir("/proc");
    uint64_t pid = 0;

    if (!processes)
        return 0;
    for (struct dirent *entry; (entry = readdir(processes));) {
        if (!str_parse_u64(str_of(entry->d_name), INT32_MAX, &pid))
            continue;
        if (holds_socket(arena_printf(arena, "/proc/%s/fd", entry->d_name).p, wanted))
            break;
        pid = 0;
    }
    closedir(processes);
    return (int64_t)pid;
}

enum probe_port probe_port(struct arena *arena, int64_t port, int64_t *pid)
{
    unsigned long long inode;

    if (!find_inode_in("/proc/net/tcp", port, &inode) &&
        !find_inode_in("/proc/net/tcp6", port, &inode))
        return PORT_FREE;
    *pid = find_holder(arena, inode);
    return *pid ? PORT_HELD_BY : PORT_HELD;
}

int probe_bind(struct arena *arena, str host, int64_t port)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
    const int on = 1;
    struct addrinfo *found = NULL;

    if (getaddrinfo(arena_dup(arena, host).p, arena_printf(arena, "%" PRId64, port).p, &hints,
                    &found) != 0)
        return EADDRNOTAVAIL;
    int fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int error = fd < 0 ? errno : 0;
    if (fd >= 0) {
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
        if (bind(fd, found->ai_addr, found->ai_addrlen) != 0)
            error = errno;
        close(fd);
    }
    freeaddrinfo(found);
    return error;
}

/* ---- memory ---- */

static bool read_line(const char *path, char *out, int n)
{
    FILE *file = fopen(path, "re");
    bool is_read = file && fgets(out, n, file);

    if (file)
        fclose(file);
    return is_read;
}

/* Control groups version 2: "0::/system.slice/sallyport.service". */
static int64_t group_memory_bytes(struct arena *arena, int64_t pid)
{
    char line[1024], text[64];
    uint64_t bytes;

    if (!read_line(arena_printf(arena, "/proc/%" PRId64 "/cgroup", pid).p, line, sizeof line) ||
        strncmp(line, "0::/", 4) != 0)
        return INT64_MAX;
    str group = str_of(line + 4);
    group = str_cut(&group, S("\n"));
    str path = arena_printf(arena, "/sys/fs/cgroup/%.*s/memory.max", STR_ARG(group));
    if (!read_line(path.p, text, sizeof text))
        return INT64_MAX;
    str number = str_of(text);
    return str_parse_u64(str_cut(&number, S("\n")), INT64_MAX, &bytes) ? (int64_t)bytes : INT64_MAX;
}

int64_t probe_memory_bytes(struct arena *arena, int64_t pid)
{
    int64_t machine = (int64_t)sysconf(_SC_PHYS_PAGES) * sysconf(_SC_PAGESIZE);
    int64_t group = group_memory_bytes(arena, pid);

    return group < machine ? group : machine;
}

/* ---- the lock ---- */

bool probe_lock(const char *path, int64_t *pid)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    char text[32];
    uint64_t number = 0;

    *pid = 0;
    if (fd < 0)
        return false;
    bool is_held = fcntl(fd, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
    ssize_t n = pread(fd, text, sizeof text, 0);
    close(fd);
    str rest = {text, n > 0 ? (size_t)n : 0};
    if (str_parse_u64(str_cut(&rest, S("\n")), INT32_MAX, &number))
        *pid = (int64_t)number;
    return is_held;
}

/* ---- the outside ---- */

str probe_curl_tls(struct arena *arena)
{
    const curl_version_info_data *info = curl_version_info(CURLVERSION_NOW);

    return arena_dup(arena, str_of(info->ssl_version ? info->ssl_version : "none"));
}

/* libcurl gives the first certificate's fields as lines "Expire date:2027-01-31 12:00:00 GMT". */
static int64_t certificate_end(struct arena *arena, CURL *curl)
{
    static const char label[] = "Expire date:";
    struct curl_certinfo *info = NULL;
    int64_t at_ms = 0;

    if (curl_easy_getinfo(curl, CURLINFO_CERTINFO, &info) != CURLE_OK || !info ||
        info->num_of_certs < 1)
        return 0;
    for (struct curl_slist *line = info->certinfo[0]; line; line = line->next) {
        if (strncmp(line->data, label, sizeof label - 1) != 0)
            continue;
        time_t at = curl_getdate(arena_printf(arena, "%s", line->data + sizeof label - 1).p, NULL);
        at_ms = at > 0 ? (int64_t)at * SECOND_MS : 0;
    }
    return at_ms;
}

static CURLcode connect_to(CURL *curl, str url, struct arena *arena, char *error)
{
    curl_easy_setopt(curl, CURLOPT_URL, arena_dup(arena, url).p);
    curl_easy_setopt(curl, CURLOPT_CONNECT_ONLY, 1L);
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl, CURLOPT_TIMEOUT, (long)REACH_WITHIN_S);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_CERTINFO, 1L);
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, error);
    return curl_easy_perform(curl);
}

void probe_reach(struct arena *arena, str url, struct probe_reach *out)
{
    CURL *curl = curl_easy_init();
    char error[CURL_ERROR_SIZE] = "";
    char *address = NULL;
    int64_t began_ms = time_mono_ms();

    CURLcode code = connect_to(curl, url, arena, error);
    *out = (struct probe_reach){.took_ms = time_mono_ms() - began_ms};
    str why = arena_dup(arena, str_of(*error ? error : curl_easy_strerror(code)));
    if (code == CURLE_PEER_FAILED_VERIFICATION)
        out->tls_fault = why;
    else if (code != CURLE_OK)
        out->why = why;
    curl_easy_getinfo(curl, CURLINFO_PRIMARY_IP, &address);
    out->address = arena_dup(arena, str_of(address));
    out->certificate_ends_ms = certificate_end(arena, curl);
    curl_easy_cleanup(curl);
}
