/* Discovery and key sets, by libcurl: https, no redirects, bounded in time and size. */
#include "issuers/fetch.h"

#include <curl/curl.h>

/* ---- documents ---- */

void keyset_drop(struct keyset *set)
{
    for (size_t i = 0; i < set->n; i++)
        jws_key_drop(&set->list[i]);
    set->n = 0;
}

static bool read_object(struct arena *arena, str text, json_t **out, str *why)
{
    struct cx cx = {.arena = arena};

    if (json_read(&cx, text, out) == E_OK && json_is_object(*out))
        return true;
    *why = S("the answer is not one JSON object");
    return false;
}

bool keyset_read(struct arena *arena, str text, struct keyset *out, str *why)
{
    DROP(json) json_t *document = NULL;
    struct keyset set = {.n = 0};
    const json_t *item;
    const char *fault = "is not there";
    size_t i;

    if (!read_object(arena, text, &document, why))
        return false;
    const json_t *keys = json_object_get(document, "keys");
    if (!json_is_array(keys) || json_array_size(keys) > FETCH_KEYS_MAX) {
        *why = S("the answer has no list of at most 64 keys");
        return false;
    }
    json_array_foreach(keys, i, item)
    {
        struct jws_key *key = jws_key_from_jwk(arena, item, &fault);
        if (key)
            set.list[set.n++] = key;
    }
    if (set.n == 0) {
        *why = arena_printf(arena, "the answer has no key that can be used; the last %s", fault);
        return false;
    }
    *out = set;
    return true;
}

bool discovery_read(struct arena *arena, const struct issuer *issuer, str text, str *jwks_url,
                    str *why)
{
    DROP(json) json_t *document = NULL;

    if (!read_object(arena, text, &document, why))
        return false;
    if (!str_eq(json_text(json_object_get(document, "issuer")), issuer->iss)) {
        *why = S("the discovery document is another issuer's; compare the setting issuer with it");
        return false;
    }
    str url = json_text(json_object_get(document, "jwks_uri"));
    if (!issuer_url_is_fit(url)) {
        *why = S("the discovery document has no jwks_uri that is an https:// URL");
        return false;
    }
    *jwks_url = arena_dup(arena, url);
    return true;
}

/* ---- the network ---- */

static size_t take_bytes(char *bytes, size_t size, size_t n, void *self)
{
    struct buf *body = self;

    buf_put(body, (str){bytes, size * n});
    return body->is_full ? 0 : n;
}

static int check_stop(void *self, curl_off_t total, curl_off_t now, curl_off_t up_total,
                      curl_off_t up_now)
{
    const atomic_bool *stops = self;

    (void)total;
    (void)now;
    (void)up_total;
    (void)up_now;
    return atomic_load(stops) ? 1 : 0;
}

static void prepare(CURL *curl, const char *url, struct buf *body, const atomic_bool *stops)
{
    curl_easy_setopt(curl, CURLOPT_URL, url);
    /* What may be http was judged with the URL. */
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "https,http");
    curl_easy_setopt(curl, CURLOPT_NOPROXY, "localhost,127.0.0.1,::1");
    curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)FETCH_TIMEOUT_MS);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_ACCEPT_ENCODING, NULL);
    curl_easy_setopt(curl, CURLOPT_USERAGENT, "sallyport/" SALLYPORT_VERSION);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_bytes);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, body);
    curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, check_stop);
    curl_easy_setopt(curl, CURLOPT_XFERINFODATA, stops);
}

static bool get(struct arena *arena, str url, const atomic_bool *stops, struct buf *body, str *why)
{
    CURL *curl = curl_easy_init();
    long status = 0;

    buf_clear(body);
    prepare(curl, arena_dup(arena, url).p, body, stops);
    CURLcode code = curl_easy_perform(curl);
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    curl_easy_cleanup(curl);
    if (code == CURLE_OK && status == 200)
        return true;
    if (body->is_full)
        *why = arena_printf(arena, "%.*s: the answer is larger than 1 MiB", STR_ARG(url));
    else if (code != CURLE_OK)
        *why = arena_printf(arena, "%.*s: %s", STR_ARG(url), curl_easy_strerror(code));
    else
        *why = arena_printf(arena, "%.*s: the status is %ld, and not 200", STR_ARG(url), status);
    return false;
}

/* OpenID Connect Discovery section 4.1: a slash at the end of the issuer goes first. */
static bool discover(struct arena *arena, const struct issuer *issuer, const atomic_bool *stops,
                     struct buf *body, str *jwks_url, str *why)
{
    str iss = issuer->iss;

    if (str_ends(iss, S("/")))
        iss.n--;
    str url = arena_printf(arena, "%.*s/.well-known/openid-configuration", STR_ARG(iss));
    return get(arena, url, stops, body, why) &&
           discovery_read(arena, issuer, buf_str(body), jwks_url, why);
}

bool fetch_keys(struct arena *arena, const struct issuer *issuer, const atomic_bool *stops,
                struct keyset *out, str *why)
{
    str url = issuer->jwks_url;
    DROP(buf) struct buf body;

    buf_init(&body, FETCH_MAX_BYTES);
    if (url.n == 0 && !discover(arena, issuer, stops, &body, &url, why))
        return false;
    return get(arena, url, stops, &body, why) && keyset_read(arena, buf_str(&body), out, why);
}
