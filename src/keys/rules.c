/* What a key may be: reading drafts and changes, saying what is wrong with them, showing keys. */
#include "keys/rules.h"

#include <stdio.h>
#include <string.h>

#include "base/banned.h"
#include "base/time.h"

str key_status(const struct key *key, int64_t now_ms)
{
    if (key->revoked_at_ms)
        return S("revoked");
    if (!key->is_active)
        return S("inactive");
    if (key->expires_at_ms && now_ms >= key->expires_at_ms)
        return S("expired");
    if (key->not_before_ms && now_ms < key->not_before_ms)
        return S("scheduled");
    return S("active");
}

/* ---- reading ---- */

enum { MEMBER_MAX_BYTES = 96 };

static void read_scopes(struct form *f, const json_t *list, struct key *out)
{
    char member[MEMBER_MAX_BYTES];
    struct scope_set scopes = {0};

    if (!json_is_array(list) || json_array_size(list) == 0) {
        form_problem(f, "scopes", "must be a list with at least one of: %.*s",
                     STR_ARG(scope_list_all(f->cx->arena)));
        return;
    }
    for (size_t i = 0; i < json_array_size(list); i++) {
        enum scope scope;
        snprintf(member, sizeof member, "scopes[%zu]", i);
        if (!scope_find(json_text(json_array_get(list, i)), &scope))
            form_problem(f, member, "is not a scope; the scopes are %.*s",
                         STR_ARG(scope_list_all(f->cx->arena)));
        else if (scope_has(scopes, scope))
            form_problem(f, member, "is there twice");
        else
            scope_add(&scopes, scope);
    }
    out->scopes = scopes;
    out->scope_words = out->scope_names = scope_write(f->cx->arena, scopes);
}

static bool read_cidr(struct form *f, const char *member, str text, struct net_cidr *out)
{
    switch (net_cidr_parse(text, out)) {
    case CIDR_OK:
        return true;
    case CIDR_HOST_BITS: {
        str right = net_cidr_write(f->cx->arena, out);
        form_problem(f, member, "has bits set after its prefix; did you mean %.*s?",
                     STR_ARG(right));
        return false;
    }
    case CIDR_BAD_PREFIX:
        form_problem(f, member,
                     "has a prefix length that is not valid; 0 to 32 for IPv4, 0 to 128 for IPv6");
        return false;
    case CIDR_BAD_ADDRESS:
        break;
    }
    form_problem(f, member, "is not an address or block such as 203.0.113.0/24 or 2001:db8::/32");
    return false;
}

const struct key_words key_words_enterprise = {
    .cidrs = "allowedIpCidrs",
    .not_before = "notBefore",
    .expires = "expiresAt",
    .rate = "rateLimit",
    .rate_part = "rateLimit.",
    .window = "windowSeconds",
};

const struct key_words key_words_management = {
    .cidrs = "allowed_ip_cidrs",
    .not_before = "not_before",
    .expires = "expires_on",
    .rate = "rate_limit",
    .rate_part = "rate_limit.",
    .window = "window_seconds",
};

static void read_cidrs(struct form *f, const char *name, const json_t *list, struct key *out)
{
    char member[MEMBER_MAX_BYTES];
    size_t n = json_array_size(list);

    if (!list || json_is_null(list)) {
        out->cidrs = NULL;
        out->n_cidrs = 0;
        return;
    }
    if (!json_is_array(list) || n > KEY_CIDRS_MAX) {
        form_problem(f, name, "must be a list of at most %d blocks", KEY_CIDRS_MAX);
        return;
    }
    struct net_cidr *cidrs = arena_array(f->cx->arena, n, sizeof *cidrs);
    for (size_t i = 0; i < n; i++) {
        snprintf(member, sizeof member, "%s[%zu]", name, i);
        read_cidr(f, member, json_text(json_array_get(list, i)), &cidrs[i]);
    }
    out->cidrs = cidrs;
    out->n_cidrs = n;
}

static void read_rate(struct form *f, const struct key_words *words, const json_t *value,
                      struct rate_policy *out)
{
    struct form limit;

    if (json_is_null(value)) {
        *out = (struct rate_policy){0};
        return;
    }
    form_open_part(&limit, f, value, words->rate_part);
    if (!form_has(&limit, "requests"))
        form_problem(&limit, "requests", "is required");
    if (!form_has(&limit, words->window))
        form_problem(&limit, words->window, "is required");
    out->requests = form_int(&limit, "requests", 1, RATE_REQUESTS_MAX, 1);
    out->window_ms = form_int(&limit, words->window, 1, RATE_WINDOW_MAX_S, 1) * SECOND_MS;
    str algorithm = form_text(&limit, "algorithm", 16, false);
    out->algorithm = str_eq(algorithm, S("fixed")) ? RATE_FIXED : RATE_GCRA;
    if (algorithm.n && !str_eq(algorithm, S("fixed")) && !str_eq(algorithm, S("gcra")))
        form_problem(&limit, "algorithm", "must be gcra or fixed");
    form_close_part(&limit);
}

static void read_expiry(struct form *f, const struct key_words *words, int64_t now_ms,
                        struct key *out)
{
    int64_t at_ms = form_time(f, words->expires);

    if (at_ms && at_ms <= now_ms)
        form_problem(f, words->expires, "is in the past; any future instant is valid");
    out->expires_at_ms = at_ms;
}

static void check_order(struct form *f, const struct key_words *words, const struct key *key)
{
    if (key->not_before_ms && key->expires_at_ms && key->not_before_ms >= key->expires_at_ms)
        form_problem(f, words->not_before, "must be before %s", words->expires);
}

void key_read_rules(struct form *f, const struct key_words *words, int64_t now_ms, struct key *key)
{
    const json_t *cidrs = form_value(f, words->cidrs);
    const json_t *rate = form_value(f, words->rate);

    if (cidrs)
        read_cidrs(f, words->cidrs, cidrs, key);
    if (form_value(f, words->expires))
        read_expiry(f, words, now_ms, key);
    if (rate)
        read_rate(f, words, rate, &key->rate);
    check_order(f, words, key);
}

struct key key_blank(int64_t now_ms)
{
    return (struct key){
        .api_id = S(KEYS_ENTERPRISE_API),
        .scope_words = S(""),
        .scope_names = S(""),
        .owner_id = S(""),
        .places = S(""),
        .metadata = S(""),
        .is_active = true,
        .created_at_ms = now_ms,
        .updated_at_ms = now_ms,
        .rate = {.requests = KEY_RATE_REQUESTS, .window_ms = KEY_RATE_WINDOW_S * SECOND_MS},
    };
}

void key_read_draft(struct form *f, int64_t now_ms, struct key *out)
{
    const struct key_words *words = &key_words_enterprise;

    *out = key_blank(now_ms);
    out->name = form_text(f, "name", KEY_NAME_MAX_CHARS, true);
    read_scopes(f, form_value(f, "scopes"), out);
    out->not_before_ms = form_time(f, words->not_before);
    key_read_rules(f, words, now_ms, out);
}

void key_read_status(struct form *f, struct key *key)
{
    str status = form_text(f, "status", 16, true);

    if (str_eq(status, S("active")) || str_eq(status, S("inactive")))
        key->is_active = str_eq(status, S("active"));
    else if (status.n)
        form_problem(f, "status", "must be active or inactive; DELETE revokes a key");
}

static bool cidrs_differ(const struct key *a, const struct key *b)
{
    return a->n_cidrs != b->n_cidrs ||
           (a->n_cidrs && memcmp(a->cidrs, b->cidrs, a->n_cidrs * sizeof *a->cidrs) != 0);
}

str key_changes(struct arena *arena, const struct key *before, const struct key *after)
{
    const struct {
        bool differs;
        const char *name;
    } members[] = {
        {!str_eq(before->name, after->name), " name"},
        {before->scopes.bits != after->scopes.bits, " scopes"},
        {cidrs_differ(before, after), " allowedIpCidrs"},
        {!str_eq(before->places, after->places), " places"},
        {before->expires_at_ms != after->expires_at_ms, " expiresAt"},
        {before->rate.requests != after->rate.requests ||
             before->rate.window_ms != after->rate.window_ms,
         " rateLimit"},
        {before->is_active != after->is_active, " status"},
    };
    str list = S("");

    for (size_t i = 0; i < sizeof members / sizeof members[0]; i++)
        if (members[i].differs)
            list = arena_printf(arena, "%.*s%s", STR_ARG(list), members[i].name);
    return str_sub(list, 1, list.n);
}

void key_read_patch(struct form *f, int64_t now_ms, struct key *key)
{
    const json_t *scopes = form_value(f, "scopes");

    if (form_value(f, "name"))
        key->name = form_text(f, "name", KEY_NAME_MAX_CHARS, true);
    if (scopes)
        read_scopes(f, scopes, key);
    if (form_value(f, "status"))
        key_read_status(f, key);
    key_read_rules(f, &key_words_enterprise, now_ms, key);
}

/* ---- keeping ---- */

str key_cidrs_write(struct arena *arena, const struct net_cidr *cidrs, size_t n)
{
    struct buf text;

    buf_init(&text, (size_t)KEY_CIDRS_MAX * NET_TEXT_BYTES);
    for (size_t i = 0; i < n; i++) {
        buf_put(&text, i ? S(" ") : S(""));
        buf_put(&text, net_cidr_write(arena, &cidrs[i]));
    }
    str out = arena_dup(arena, buf_str(&text));
    buf_drop(&text);
    return out;
}

void key_cidrs_parse(struct arena *arena, str text, const struct net_cidr **out, size_t *n)
{
    struct net_cidr *cidrs = arena_array(arena, KEY_CIDRS_MAX, sizeof *cidrs);

    *n = 0;
    while (text.n && *n < KEY_CIDRS_MAX)
        if (net_cidr_parse(str_cut(&text, S(" ")), &cidrs[*n]) == CIDR_OK)
            ++*n;
    *out = cidrs;
}

/* ---- showing ---- */

void key_write_rate(struct json_out *j, const struct key_words *words,
                    const struct rate_policy *rate)
{
    if (rate->requests == 0) {
        json_put_null(j, str_of(words->rate));
        return;
    }
    json_open_object(j, str_of(words->rate));
    json_put_int(j, S("requests"), rate->requests);
    json_put_int(j, str_of(words->window), rate->window_ms / SECOND_MS);
    json_put_text(j, S("algorithm"), rate->algorithm == RATE_FIXED ? S("fixed") : S("gcra"));
    json_close_object(j);
}

static void write_rules(struct cx *cx, struct json_out *j, const struct key *key)
{
    json_open_array(j, S("scopes"));
    for (enum scope s = 0; s < SCOPES_END; s++)
        if (scope_has(key->scopes, s))
            json_put_text(j, STR_NONE, scope_text(s));
    json_close_array(j);
    json_put_text(j, S("status"), key_status(key, cx->now_ms));
    json_open_array(j, S("allowedIpCidrs"));
    for (size_t i = 0; i < key->n_cidrs; i++)
        json_put_text(j, STR_NONE, net_cidr_write(cx->arena, &key->cidrs[i]));
    json_close_array(j);
    json_put_time(j, S("notBefore"), key->not_before_ms);
    json_put_time(j, S("expiresAt"), key->expires_at_ms);
    key_write_rate(j, &key_words_enterprise, &key->rate);
}

void key_write(struct cx *cx, struct json_out *j, const struct key *key, const struct secret *raw)
{
    bool overlaps = key->previous_ends_at_ms > cx->now_ms;

    json_open_object(j, STR_NONE);
    json_put_text(j, S("id"), key->id);
    json_put_text(j, S("name"), key->name);
    if (raw)
        json_put_secret(j, S("rawKey"), raw);
    write_rules(cx, j, key);
    json_put_text(j, S("keyPrefix"), key->prefix);
    json_put_text(j, S("keySuffix"), key->suffix);
    json_put_time(j, S("createdAt"), key->created_at_ms);
    json_put_text(j, S("createdBy"), key->created_by);
    json_put_time(j, S("updatedAt"), key->updated_at_ms);
    json_put_time(j, S("rotatedAt"), key->rotated_at_ms);
    json_put_time(j, S("previousSecretEndsAt"), overlaps ? key->previous_ends_at_ms : 0);
    json_put_time(j, S("revokedAt"), key->revoked_at_ms);
    json_put_time(j, S("lastUsedAt"), key->last_used_at_ms);
    json_put_personal(j, S("lastUsedIp"), key->last_used_ip);
    json_put_int(j, S("requestCount"), key->request_count);
    json_close_object(j);
}

str key_shown_prefix(struct arena *arena, str text, const struct key_form *form)
{
    size_t head = form->prefix.n + 1 + form->environment.n + 1;

    if (key_text_judge(text, form).fault == KEY_TEXT_OK)
        return arena_dup(arena, str_sub(text, 0, head + 4));
    /* Another system's key: a quarter of it at most, so that little of a short one is told. */
    return arena_dup(arena, str_sub(text, 0, text.n / 4 < 8 ? text.n / 4 : 8));
}

str key_shown_suffix(struct arena *arena, str text)
{
    return arena_dup(arena, text.n >= 16 ? str_sub(text, text.n - 4, 4) : S(""));
}
