/* Sending a request: over the control socket, or to this process when nobody listens there. */
#include <curl/curl.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "app/cli.h"
#include "base/banned.h"
#include "base/json.h"

enum { ANSWER_TIMEOUT_S = 300, CURSOR_MAX_CHARS = 256 };

enum outcome { SENT, NOBODY_LISTENS, FAILED };

static size_t take_bytes(char *bytes, size_t size, size_t n, void *self)
{
    struct buf *body = self;

    buf_put(body, (str){bytes, size * n});
    return body->is_full ? 0 : n;
}

static struct curl_slist *header_fields(struct arena *arena, const struct cli_request *request)
{
    /* "Expect:" keeps curl from waiting for a 100 before it sends a large body. */
    struct curl_slist *fields = curl_slist_append(NULL, "Expect:");

    fields = curl_slist_append(fields, "Accept: application/json");
    if (request->body.n)
        fields = curl_slist_append(fields, "Content-Type: application/json");
    if (!str_is_none(request->employer))
        fields = curl_slist_append(
            fields, arena_printf(arena, "x-employer-id: %.*s", STR_ARG(request->employer)).p);
    return fields;
}

static void prepare(CURL *curl, struct arena *arena, const struct config *config,
                    const struct cli_request *request, str target, struct buf *body)
{
    str url = arena_printf(arena, "http://localhost%.*s", STR_ARG(target));
    str method = arena_dup(arena, http_method_text(request->method));

    curl_easy_setopt(curl, CURLOPT_URL, url.p);
    curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH, config->control_socket.p);
    curl_easy_setopt(curl, CURLOPT_PATH_AS_IS, 1L);
    curl_easy_setopt(curl, CURLOPT_PROXY, "");
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http");
    curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT, (long)ANSWER_TIMEOUT_S);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_USERAGENT, "sallyport/" SALLYPORT_VERSION);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_bytes);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, body);
    if (request->body.n || request->method == HTTP_POST) {
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, buf_str(&request->body).p);
        curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body.n);
    }
    curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, method.p);
}

static enum outcome judge(CURL *curl, CURLcode code, struct arena *arena,
                          const struct config *config, struct cli_reply *out, str *why)
{
    long os_error = 0, status = 0;

    if (code == CURLE_OK) {
        curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
        out->status = (int)status;
        return SENT;
    }
    curl_easy_getinfo(curl, CURLINFO_OS_ERRNO, &os_error);
    if (code == CURLE_COULDNT_CONNECT && (os_error == ENOENT || os_error == ECONNREFUSED))
        return NOBODY_LISTENS;
    if (code == CURLE_COULDNT_CONNECT)
        *why = arena_printf(arena, "cannot reach the server at %.*s: %s%s",
                            STR_ARG(config->control_socket), strerror((int)os_error),
                            os_error == EACCES ? "; run this as the user the server runs as" : "");
    else
        *why = arena_printf(arena, "the server at %.*s did not answer: %s",
                            STR_ARG(config->control_socket), curl_easy_strerror(code));
    return FAILED;
}

static enum outcome send_to_socket(struct arena *arena, const struct config *config,
                                   const struct cli_request *request, str target,
                                   struct cli_reply *out, str *why)
{
    CURL *curl = curl_easy_init();
    struct curl_slist *fields = header_fields(arena, request);

    if (!curl) {
        curl_slist_free_all(fields);
        *why = S("cannot prepare a request");
        return FAILED;
    }
    prepare(curl, arena, config, request, target, &out->body);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, fields);
    enum outcome outcome = judge(curl, curl_easy_perform(curl), arena, config, out, why);
    curl_easy_cleanup(curl);
    curl_slist_free_all(fields);
    return outcome;
}

/* In a wrong folder everything would look empty, so a database that is about to be made is named.
 */
static void note_new_database(const struct config *config)
{
    const char *path = config->database_url.p + strlen("sqlite:");

    if (config_is_postgres(config->database_url))
        return;
    if (access(path, F_OK) != 0 && errno == ENOENT)
        fprintf(stderr, "sallyport: no server runs here and there is no database yet: making %s\n",
                path);
}

static bool send_one(struct arena *arena, const struct config *config,
                     const struct cli_request *request, str target, struct cli_reply *out, str *why)
{
    buf_clear(&out->body);
    switch (send_to_socket(arena, config, request, target, out, why)) {
    case SENT:
        return true;
    case FAILED:
        return false;
    case NOBODY_LISTENS:
        break;
    }
    note_new_database(config);
    if (app_call_local(config, request->method, target, request->employer,
                       request->body.n ? buf_str(&request->body) : STR_NONE, &out->body,
                       &out->status) == E_OK)
        return true;
    *why = arena_dup(arena, buf_str(&out->body));
    return false;
}

/* ---- pages ---- */

static const char *const cursor_members[] = {"nextCursor", "next_after"};

/* Lists under /api/v1 have other words for the same. */
static bool is_managed(const struct cli_request *request)
{
    return str_starts(request->target, S("/api/v1/"));
}

static str page_target(struct arena *arena, const struct cli_request *request, const char *cursor)
{
    bool managed = is_managed(request);

    return arena_printf(arena, "%.*s%s%s=%d%s%s", STR_ARG(request->target),
                        str_has_byte(request->target, '?') ? "&" : "?",
                        managed ? "page_size" : "limit",
                        managed ? CLI_MANAGED_PAGE : CLI_PAGE_LIMIT,
                        !cursor   ? ""
                        : managed ? "&starting_after="
                                  : "&cursor=",
                        cursor ? cursor : "");
}

/* Where the next page begins; nowhere: an empty text. */
static str cursor_of(const struct cli_request *request, const json_t *page)
{
    const json_t *list = json_object_get(page, request->list);
    const json_t *named = json_object_get(page, is_managed(request) ? "next_after" : "nextCursor");
    size_t n = json_array_size(list);

    if (named || n == 0 || !json_is_true(json_object_get(page, "has_more")))
        return json_text(named);
    return json_text(json_object_get(json_array_get(list, n - 1), "id"));
}

/* The cursor of the page to ask for next, percent-encoded, or NULL. */
static const char *next_cursor(struct arena *arena, const struct cli_request *request,
                               const json_t *page)
{
    str cursor = cursor_of(request, page);
    char *out = arena_alloc(arena, 3 * cursor.n + 1);

    if (cursor.n == 0 || cursor.n > CURSOR_MAX_CHARS)
        return NULL;
    for (size_t i = 0; i < cursor.n; i++) {
        static const char hex[] = "0123456789ABCDEF";
        unsigned char c = (unsigned char)cursor.p[i];
        out[3 * i] = '%';
        out[3 * i + 1] = hex[c >> 4];
        out[3 * i + 2] = hex[c & 15];
    }
    return out;
}

static json_t *read_page(struct arena *arena, const struct cli_reply *reply)
{
    struct cx cx = {.arena = arena};
    json_t *page = NULL;

    if (reply->status != 200)
        return NULL;
    IGNORE_ERR(json_read(&cx, buf_str(&reply->body), &page));
    return page;
}

static void write_merged(json_t *merged, struct cli_reply *out)
{
    if (json_object_get(merged, "has_more"))
        json_object_set_new(merged, "has_more", json_false());
    for (size_t i = 0; i < sizeof cursor_members / sizeof *cursor_members; i++)
        if (json_object_get(merged, cursor_members[i]))
            json_object_set_new(merged, cursor_members[i], json_null());
    char *text = json_dumps(merged, JSON_COMPACT);
    buf_clear(&out->body);
    buf_put(&out->body, str_of(text));
    free(text);
}

/* The answer of one page is left as it came; those of several become one. */
static bool send_pages(struct arena *arena, const struct config *config,
                       const struct cli_request *request, struct cli_reply *out, str *why)
{
    DROP(json) json_t *merged = NULL;
    const char *cursor = NULL;

    do {
        if (!send_one(arena, config, request, page_target(arena, request, cursor), out, why))
            return false;
        DROP(json) json_t *page = read_page(arena, out);
        if (!page)
            return true; /* a problem: that is the answer */
        cursor = next_cursor(arena, request, page);
        if (merged)
            json_array_extend(json_object_get(merged, request->list),
                              json_object_get(page, request->list));
        else if (cursor)
            merged = json_incref(page);
    } while (cursor);
    if (merged)
        write_merged(merged, out);
    return true;
}

bool cli_send(struct arena *arena, const struct config *config, const struct cli_request *request,
              struct cli_reply *out, str *why)
{
    if (request->list)
        return send_pages(arena, config, request, out, why);
    return send_one(arena, config, request, request->target, out, why);
}

void cli_reply_drop(struct cli_reply *reply)
{
    buf_drop(&reply->body);
}
