/* A call with a key: replay it, or carry it out and keep what it answers. */
#include <assert.h>
#include <pthread.h>

#include "base/form.h"
#include "base/log.h"
#include "base/time.h"
#include "crypto/instance_key.h"
#include "http/reply.h"
#include "idempotency/idempotency.h"
#include "idempotency/queries.h"
#include "idempotency/rules.h"
#include "store/store.h"

/* At most 20,000 answers a second, more than are made; each batch is a few milliseconds of the
 * writer's. */
enum { SWEEP_BATCH = 1000, SWEEP_BATCHES_MAX = 20, IN_PROGRESS_RETRY_S = 1 };

/* Set once at start. */
static int64_t ttl_ms = DAY_MS;

/* One call under way. */
struct attempt {
    struct store_guard guard; /* first: the guard's functions are given it */
    struct claim claim;
    str payload; /* the text that claim.payload is made of */
    const struct http_reply *reply;
    bool is_taken;        /* the last run found that another call has claimed it */
    struct attempt *next; /* of those running here */
};

/* The calls that this process is carrying out, guarded by the lock. A courtesy to clients that do
 * not wait for their first call; what decides is the unique constraint. */
static pthread_mutex_t running_lock = PTHREAD_MUTEX_INITIALIZER;
static struct attempt *running;

void idempotency_start(int64_t kept_ms)
{
    ttl_ms = kept_ms;
}

static enum err bad_key(struct cx *cx)
{
    struct form form;

    form_open_blank(&form, cx);
    form_problem(&form, "Idempotency-Key",
                 "must be 1 to %d visible ASCII characters, without spaces",
                 IDEMPOTENCY_KEY_MAX_BYTES);
    return form_close(&form);
}

enum err idempotency_read(struct cx *cx, const struct route *route, const struct http_req *req,
                          str *key)
{
    *key = STR_NONE;
    if (!idempotency_is_for(route))
        return E_OK;
    /* Two of them were refused by the parser. */
    str text = http_req_field(req, S("idempotency-key"), NULL);
    if (!str_is_none(text) && !idempotency_key_is_valid(text))
        return bad_key(cx);
    *key = text;
    return E_OK;
}

/* ---- in the transaction of the change: may run more than once ---- */

static enum err in_progress(struct cx *cx)
{
    cx->failure.retry_after_s = IN_PROGRESS_RETRY_S;
    return E_IDEMPOTENCY_IN_PROGRESS;
}

static enum err claim_key(struct cx *cx, struct tx *tx, struct store_guard *guard)
{
    struct attempt *a = (struct attempt *)guard;
    bool is_ours = false;

    TRY(idempotency_claim(tx, &a->claim, cx->now_ms, cx->now_ms + ttl_ms, &is_ours));
    a->is_taken = !is_ours;
    return is_ours ? E_OK : in_progress(cx);
}

static enum err keep_answer(struct cx *cx, struct tx *tx, struct store_guard *guard)
{
    struct attempt *a = (struct attempt *)guard;
    struct kept kept = {.status = a->reply->plan.status};
    struct buf body;

    assert(kept.status); /* a handler that changes something plans its answer first */
    buf_init(&body, HTTP_REPLY_BODY_MAX);
    http_reply_keep(cx, a->reply, &body, &kept.has_secret);
    kept.answer = body.n ? buf_str(&body) : STR_NONE;
    /* Only a route without bounds on what it takes could: then nothing is changed. */
    enum err e = body.is_full ? fail(cx, E_INTERNAL_ERROR, "the answer is too long to be kept")
                              : idempotency_keep(tx, a->claim.id, &kept);
    buf_drop(&body);
    return e;
}

/* ---- answering again ---- */

struct finding {
    str id;
    struct kept kept;
};

static enum err find_in_tx(struct cx *cx, struct tx *tx, void *arg)
{
    struct finding *finding = arg;

    return idempotency_find(cx, tx, finding->id, &finding->kept);
}

static str hex_text(struct arena *arena, const struct sha256 *digest)
{
    char *hex = arena_alloc(arena, 2 * SHA256_BYTES);

    hex_write(digest->bytes, SHA256_BYTES, hex);
    return (str){hex, 2 * SHA256_BYTES};
}

static enum err compare_payload(struct cx *cx, const struct attempt *a, const struct kept *kept)
{
    struct sha256 mac;

    if (!instance_key_mac_again(kept->key_id, INSTANCE_KEY_IDEMPOTENCY, a->payload, &mac))
        return fail(cx, E_IDEMPOTENCY_KEY_REUSED,
                    "The instance key was rotated twice since the first call under this key, so "
                    "its payload can no longer be compared.");
    str again = hex_text(cx->arena, &mac);
    if (again.n == kept->payload.n && secret_eq(again.p, kept->payload.p, again.n))
        return E_OK;
    return fail(cx, E_IDEMPOTENCY_KEY_REUSED,
                "The first call under this key had another path, query or body.");
}

static enum err secret_gone(struct cx *cx, const json_t *answer)
{
    const json_t *own = json_object_get(answer, "id");
    const json_t *of_key = json_object_get(json_object_get(answer, "api_key"), "id");
    str id = json_text(own ? own : of_key ? of_key : json_object_get(answer, "userId"));
    struct buf members;

    buf_init(&members, 1024);
    struct json_out j = {.out = &members};
    json_put_text(&j, S("resourceId"), id);
    cx->failure.members = arena_dup(cx->arena, buf_str(&members));
    buf_drop(&members);
    fail_hint(cx,
              "If that answer is lost, make a new secret for %.*s (rotate the key, or make another "
              "link) under a new Idempotency-Key: this one cannot be shown again.",
              STR_ARG(id));
    return fail(cx, E_IDEMPOTENCY_SECRET_GONE,
                "The first call under this key was carried out; it made a secret for %.*s.",
                STR_ARG(id));
}

static int put_piece(const char *bytes, size_t n, void *out)
{
    buf_put(out, (str){bytes, n});
    return 0;
}

static enum err replay_body(struct cx *cx, const struct route *route, const struct kept *kept,
                            struct http_reply *out)
{
    DROP(json) json_t *answer = NULL;

    if (!kept->has_secret && !route->refill) {
        buf_put(&out->body, kept->answer);
        return E_OK;
    }
    TRY(json_read(cx, kept->answer, &answer));
    if (kept->has_secret)
        return secret_gone(cx, answer);
    TRY(route->refill(cx, answer));
    json_dump_callback(answer, put_piece, &out->body, JSON_COMPACT);
    return E_OK;
}

/* E_ABSENT: there is nothing to answer again. */
static enum err replay(struct cx *cx, const struct route *route, const struct attempt *a,
                       struct http_reply *out)
{
    struct finding finding = {.id = a->claim.id};
    const struct kept *kept = &finding.kept;

    cx->doing = "looking for an earlier call under this key";
    TRY(store_read(cx, find_in_tx, &finding));
    TRY(compare_payload(cx, a, kept));
    if (str_is_none(kept->answer)) {
        out->status = kept->status;
    } else {
        http_reply_json(out, kept->status);
        TRY(replay_body(cx, route, kept, out));
    }
    http_reply_field(out, S("idempotency-replayed"), S("true"));
    log_event(cx, LOG_INFO, "request.replayed", F("path", route->pattern), F("by", cx->who->id));
    return E_OK;
}

/* ---- carrying out ---- */

static bool enter(struct attempt *a)
{
    pthread_mutex_lock(&running_lock);
    struct attempt *other = running;
    while (other && !str_eq(other->claim.id, a->claim.id))
        other = other->next;
    if (!other) {
        a->next = running;
        running = a;
    }
    pthread_mutex_unlock(&running_lock);
    return !other;
}

static void leave(struct attempt *a)
{
    pthread_mutex_lock(&running_lock);
    struct attempt **at = &running;
    while (*at != a)
        at = &(*at)->next;
    *at = a->next;
    pthread_mutex_unlock(&running_lock);
}

static enum err carry_out(struct cx *cx, const struct route *route, const struct http_req *req,
                          struct attempt *a, struct http_reply *out)
{
    enum err e = replay(cx, route, a, out);

    if (e != E_ABSENT)
        return e;
    cx->doing = "handling the request";
    cx->guard = &a->guard;
    e = route->handler(cx, req, out);
    /* A success without a transaction would not be kept. */
    assert(e != E_OK || !cx->guard);
    cx->guard = NULL;
    if (!a->is_taken)
        return e;
    /* Another node was first, between our look and our claim. */
    e = replay(cx, route, a, out);
    return e == E_ABSENT ? in_progress(cx) : e;
}

static struct attempt attempt_of(struct cx *cx, const struct route *route,
                                 const struct http_req *req, str key, const struct http_reply *out)
{
    struct instance_key_id *key_id = ARENA_NEW(cx->arena, struct instance_key_id);
    str payload = idempotency_payload(cx->arena, req);
    struct sha256 mac = instance_key_mac(INSTANCE_KEY_IDEMPOTENCY, payload, key_id);
    struct sha256 id = digest_sha256(idempotency_subject(cx->arena, cx->who, route, key));

    return (struct attempt){
        .guard = {.begins = claim_key, .ends = keep_answer},
        .claim = {.id = hex_text(cx->arena, &id),
                  .key_id = instance_key_id_text(key_id),
                  .payload = hex_text(cx->arena, &mac)},
        .payload = payload,
        .reply = out,
    };
}

enum err idempotency_handle(struct cx *cx, const struct route *route, const struct http_req *req,
                            str key, struct http_reply *out)
{
    struct attempt a = attempt_of(cx, route, req, key, out);
    enum err e;

    if (!enter(&a)) {
        /* The other one may be answering again as well. */
        e = replay(cx, route, &a, out);
        return e == E_ABSENT ? in_progress(cx) : e;
    }
    e = carry_out(cx, route, req, &a, out);
    leave(&a);
    return e;
}

/* ---- sweeping ---- */

static enum err look_for_expired(struct cx *cx, struct tx *tx, void *arg)
{
    return idempotency_any_expired(tx, cx->now_ms, arg);
}

static enum err delete_expired(struct cx *cx, struct tx *tx, void *arg)
{
    return idempotency_delete_expired(tx, cx->now_ms, SWEEP_BATCH, arg);
}

enum err idempotency_sweep(struct cx *cx)
{
    int64_t deleted = SWEEP_BATCH;
    bool is_any = false;

    TRY(store_read(cx, look_for_expired, &is_any));
    for (int i = 0; is_any && i < SWEEP_BATCHES_MAX && deleted == SWEEP_BATCH; i++)
        TRY(store_run(cx, delete_expired, &deleted));
    return E_OK;
}
