#include "keys/report.h"

#include "base/rcu.h"
#include "base/time.h"
#include "http/reply.h"
#include "keys/manage.h"

enum {
    OLD_DAYS = 90,
    UNUSED_DAYS = 30,
    DAYS_MAX = 3650,
    READ_AT_ONCE = 500,
    READ_MAX = 50000, /* by one call, whatever it finds */
};

enum finding { SECRET_IS_OLD = 1, NEVER_VERIFIED = 2, UNUSED = 4, ALL_SCOPES = 8 };

static const struct {
    enum finding finding;
    str word;
} findings[] = {
    {SECRET_IS_OLD, S("old")},
    {NEVER_VERIFIED, S("never_verified")},
    {UNUSED, S("unused")},
    {ALL_SCOPES, S("all_scopes")},
};

struct found {
    struct key key;
    unsigned findings;
};

struct report {
    struct key_filter filter; /* .after: the last key that was looked at */
    int64_t old_days, unused_days;
    struct key_list slice;
    struct found *found;
    size_t n, n_read;
    bool is_whole; /* there are no more keys to look at */
};

/* ---- looking ---- */

/* Every scope of an API that has several. */
static bool holds_all(const struct key *key)
{
    uint64_t live = 0;

    rcu_enter();
    const struct api *api = apis_at(key->api);
    for (unsigned bit = 0; api && bit < api->names.n; bit++)
        if (api->names.texts[bit].n)
            live |= UINT64_C(1) << bit;
    rcu_leave();
    return (live & (live - 1)) != 0 && (key->scopes.bits & live) == live;
}

static unsigned look_at(const struct report *report, const struct key *key, int64_t now_ms)
{
    int64_t old_ms = now_ms - report->old_days * DAY_MS;
    int64_t unused_ms = now_ms - report->unused_days * DAY_MS;
    int64_t made_ms = key->rotated_at_ms ? key->rotated_at_ms : key->created_at_ms;
    unsigned found = 0;

    if (made_ms < old_ms)
        found |= SECRET_IS_OLD;
    if (!key->last_used_at_ms && key->created_at_ms < unused_ms)
        found |= NEVER_VERIFIED;
    if (key->last_used_at_ms && key->last_used_at_ms < unused_ms)
        found |= UNUSED;
    if (holds_all(key))
        found |= ALL_SCOPES;
    return found;
}

static enum err read_slice(struct cx *cx, struct tx *tx, void *arg)
{
    struct report *report = arg;
    struct key_view view = manage_view(cx->who);
    struct key after = {.id = S("")};

    if (report->filter.after.n) {
        enum err e = manage_find(cx, tx, &view, report->filter.after, &after);
        if (e == E_ABSENT)
            return fail(cx, E_INVALID_CURSOR, "starting_after is not the id of a key.");
        TRY(e);
    }
    return manage_scan_live(cx, tx, &view, &report->filter, &after, READ_AT_ONCE, &report->slice);
}

static void look_at_slice(struct cx *cx, struct report *report)
{
    size_t i = 0;

    for (; i < report->slice.n && (int64_t)report->n < report->filter.limit; i++) {
        const struct key *key = &report->slice.list[i];
        unsigned found = look_at(report, key, cx->now_ms);
        if (found)
            report->found[report->n++] = (struct found){*key, found};
        report->filter.after = key->id;
    }
    report->n_read += i;
    report->is_whole = i == report->slice.n && i < READ_AT_ONCE;
}

static enum err look(struct cx *cx, struct report *report)
{
    do {
        TRY(store_read(cx, read_slice, report));
        look_at_slice(cx, report);
    } while (!report->is_whole && (int64_t)report->n < report->filter.limit &&
             report->n_read < READ_MAX);
    return E_OK;
}

/* ---- telling ---- */

static void read_question(struct form *f, struct report *out)
{
    *out = (struct report){
        .old_days = manage_read_number(f, "older_than_days", DAYS_MAX, OLD_DAYS),
        .unused_days = manage_read_number(f, "unused_days", DAYS_MAX, UNUSED_DAYS),
    };
    manage_read_filter(f, &out->filter);
    out->found = arena_array(f->cx->arena, MANAGE_PAGE_MAX, sizeof *out->found);
}

static void write_found(struct cx *cx, struct json_out *j, const struct found *found)
{
    json_open_object(j, STR_NONE);
    manage_write_members(cx, j, &found->key);
    json_open_array(j, S("findings"));
    for (size_t i = 0; i < sizeof findings / sizeof *findings; i++)
        if (found->findings & findings[i].finding)
            json_put_text(j, STR_NONE, findings[i].word);
    json_close_array(j);
    json_close_object(j);
}

enum err keys_get_report(struct cx *cx, const struct http_req *req, struct http_reply *out)
{
    DROP(json) json_t *query = NULL;
    struct report report;
    struct form form;

    TRY(http_req_query_json(cx, req, &query));
    form_open(&form, cx, query);
    read_question(&form, &report);
    TRY(form_close(&form));
    TRY(look(cx, &report));
    struct json_out j = http_reply_json(out, 200);
    json_open_object(&j, STR_NONE);
    json_put_text(&j, S("code"), S("OK"));
    json_put_text(&j, S("message"), S("Success"));
    json_put_int(&j, S("older_than_days"), report.old_days);
    json_put_int(&j, S("unused_days"), report.unused_days);
    json_put_text(&j, S("next_after"), report.is_whole ? STR_NONE : report.filter.after);
    json_open_array(&j, S("api_keys"));
    for (size_t i = 0; i < report.n; i++)
        write_found(cx, &j, &report.found[i]);
    json_close_array(&j);
    json_close_object(&j);
    return E_OK;
}
