/* Discovery and key sets: bounded in time and size. */
#include "issuers/fetch.h"

#include "outbound/outbound.h"

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

static void prepare(CURL *curl, struct buf *body, const atomic_bool *stops)
{
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)FETCH_TIMEOUT_MS);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_bytes);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, body);
    curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, check_stop);
    curl_easy_setopt(curl, CURLOPT_XFERINFODATA, stops);
}

struct document {
    str url;
    bool is_operators; /* from the settings, and not from somebody's answer */
};

static bool perform(struct arena *arena, CURL *curl, const struct document *document,
                    const struct outbound_call *call, const struct buf *body, str *why)
{
    long status = 0;
    CURLcode code = curl_easy_perform(curl);

    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    if (code == CURLE_OK && status == 200)
        return true;
    if (call->verdict != GUARD_FINE)
        *why = arena_printf(arena, "%.*s: it %.*s", STR_ARG(document->url),
                            STR_ARG(guard_reason(call->verdict)));
    else if (body->is_full)
        *why = arena_printf(arena, "%.*s: the answer is larger than 1 MiB", STR_ARG(document->url));
    else if (code != CURLE_OK)
        *why = arena_printf(arena, "%.*s: %s", STR_ARG(document->url), curl_easy_strerror(code));
    else
        *why = arena_printf(arena, "%.*s: the status is %ld, and not 200", STR_ARG(document->url),
                            status);
    return false;
}

static bool get(struct arena *arena, const struct document *document, const atomic_bool *stops,
                struct buf *body, str *why)
{
    CURL *curl = curl_easy_init();
    struct outbound_call call;
    struct curl_slist *pin = NULL;
    str reason = STR_NONE;
    bool is_there = false;

    buf_clear(body);
    if (outbound_prepare_now(arena, curl, document->url, document->is_operators, &call, &pin,
                             &reason)) {
        prepare(curl, body, stops);
        is_there = perform(arena, curl, document, &call, body, why);
    } else {
        *why = arena_printf(arena, "%.*s: %.*s", STR_ARG(document->url), STR_ARG(reason));
    }
    curl_easy_cleanup(curl);
    curl_slist_free_all(pin);
    return is_there;
}

/* OpenID Connect Discovery section 4.1: a slash at the end of the issuer goes first. */
static bool discover(struct arena *arena, const struct issuer *issuer, const atomic_bool *stops,
                     struct buf *body, str *jwks_url, str *why)
{
    str iss = issuer->iss;

    if (str_ends(iss, S("/")))
        iss.n--;
    str url = arena_printf(arena, "%.*s/.well-known/openid-configuration", STR_ARG(iss));
    struct document document = {url, true};
    return get(arena, &document, stops, body, why) &&
           discovery_read(arena, issuer, buf_str(body), jwks_url, why);
}

/* The operator trusts the issuer's host; where its document points is judged as anybody's word. */
static bool is_same_host(struct arena *arena, str a, str b)
{
    struct guard_url of_a, of_b;

    outbound_judge(arena, a, &of_a);
    outbound_judge(arena, b, &of_b);
    return of_a.host.n && str_eq(of_a.host, of_b.host) && of_a.port == of_b.port;
}

bool fetch_keys(struct arena *arena, const struct issuer *issuer, const atomic_bool *stops,
                struct keyset *out, str *why)
{
    struct document document = {issuer->jwks_url, true};
    DROP(buf) struct buf body;

    buf_init(&body, FETCH_MAX_BYTES);
    if (document.url.n == 0) {
        if (!discover(arena, issuer, stops, &body, &document.url, why))
            return false;
        document.is_operators = is_same_host(arena, issuer->iss, document.url);
    }
    return get(arena, &document, stops, &body, why) && keyset_read(arena, buf_str(&body), out, why);
}
