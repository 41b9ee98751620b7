/*
 * What a verdict means for this one request, in words that a caller can act on. The text of the key
 * is never among them: this code does not even see it.
 */
#include <inttypes.h>

#include "base/json.h"
#include "base/time.h"
#include "decide/decide.h"

#include "base/banned.h"

/* Two lists of all scopes there can be, each in quotation marks and with a comma. */
enum { MEMBERS_MAX_BYTES = 2 * SCOPES_MAX * (SCOPE_TEXT_MAX_BYTES + 3) + 64, ASKED_SHOWN_MAX = 20 };

/* What the explainers share. */
struct tale {
    struct cx *cx;
    const struct verdict *verdict;
    const struct decide_key *key;
    const struct decide_facts *facts;
    str field;
    const struct scope_names *names;
    str head;     /* "mt_live_" */
    str example;  /* "x-api-key: mt_live_…" */
    size_t whole; /* characters of a key */
};

static void say(struct cx *cx, str detail, str hint)
{
    cx->failure.detail = detail;
    cx->failure.hint = hint;
}

#define TALE(t, ...) arena_printf((t)->cx->arena, __VA_ARGS__)

static str instant(const struct tale *t, int64_t at_ms)
{
    char text[TIME_TEXT_BYTES];

    time_write(at_ms, text);
    return arena_dup(t->cx->arena, (str){text, sizeof text});
}

static str counted(const struct tale *t, size_t n)
{
    return TALE(t, n == 1 ? "%zu character" : "%zu characters", n);
}

/* ---- version ---- */

static void put_supported(struct json_out *json)
{
    json_open_array(json, S("supportedVersions"));
    for (size_t i = 0; i < n_api_versions; i++) {
        json_put_text(json, STR_NONE, api_versions[i].canonical);
        json_put_text(json, STR_NONE, api_versions[i].alias);
    }
    json_close_array(json);
}

/* A text as long as a key is not shown: it may be one, in the wrong field. */
static bool is_shown(str asked)
{
    for (size_t i = 0; i < asked.n; i++)
        if (asked.p[i] <= ' ' || asked.p[i] > '~')
            return false;
    return asked.n > 0 && asked.n <= ASKED_SHOWN_MAX;
}

static void tell_version(const struct tale *t)
{
    str asked = t->facts->version.asked;
    str line = S("send the header line 'x-api-version: " API_VERSION_NEWEST "'");

    if (t->facts->version.fault == VERSION_MISSING)
        say(t->cx, S("The call asks for no API version."),
            S("Add the header line 'x-api-version: " API_VERSION_NEWEST "'."));
    else if (t->facts->version.fault == VERSION_CONFLICT)
        say(t->cx, S("The call asks for two different API versions."),
            TALE(t, "Ask once: %.*s, and no version in Accept.", STR_ARG(line)));
    else
        say(t->cx,
            is_shown(asked) ? TALE(t, "There is no API version '%.*s'.", STR_ARG(asked))
                            : S("There is no such API version."),
            TALE(t, "Instead, %.*s.", STR_ARG(line)));
}

/* ---- the text of the key ---- */

static void tell_spaces(const struct tale *t)
{
    say(t->cx, S("There are spaces or line breaks around the key, or inside it."),
        S("Send the key alone, without anything before or after it; a line break at the end often "
          "comes from the file or variable it was read from."));
}

static void tell_environment(const struct tale *t)
{
    bool is_production = str_ends(t->head, S("_live_"));
    str prefix = str_sub(t->head, 0, t->head.n - 6);

    say(t->cx,
        TALE(t, "This is a %.*s_%s_ key, and this server is %s, which takes %.*s keys.",
             STR_ARG(prefix), is_production ? "test" : "live",
             is_production ? "production" : "not production", STR_ARG(t->head)),
        S("Use a key that was created on this server, or call the server that the key belongs "
          "to."));
}

static void tell_digit(const struct tale *t)
{
    say(t->cx, TALE(t, "Character %zu of the key is not one of 0-9 and a-f.", t->facts->text.by),
        TALE(t, "Copy the key again: after %.*s come %d hex digits and nothing else.",
             STR_ARG(t->head), KEY_HEX_DIGITS));
}

static void tell_prefix(const struct tale *t)
{
    say(t->cx, TALE(t, "The key does not start with %.*s.", STR_ARG(t->head)),
        TALE(t, "Send a key of this API, whole, from its first character: %.*s",
             STR_ARG(t->example)));
}

static void tell_length(const struct tale *t)
{
    str by = counted(t, t->facts->text.by);
    bool is_short = t->facts->text.fault == KEY_TEXT_SHORT;

    say(t->cx,
        is_short ? TALE(t, "The key is cut short by %.*s.", STR_ARG(by))
                 : TALE(t, "The key is too long by %.*s.", STR_ARG(by)),
        TALE(t, "Copy the whole key again: it is %.*s and %d hex digits, %zu characters in all.",
             STR_ARG(t->head), KEY_HEX_DIGITS, t->whole));
}

static void tell_twice(const struct tale *t)
{
    say(t->cx, TALE(t, "The key was sent twice: there are two %.*s fields.", STR_ARG(t->field)),
        TALE(t, "Send %.*s once; a proxy or a client library may be adding its own.",
             STR_ARG(t->field)));
}

static void tell_place(const struct tale *t)
{
    bool is_bearer = str_ieq(t->field, S("authorization"));

    say(t->cx,
        TALE(t, "The key was sent in %s instead of %.*s.",
             is_bearer ? "another place" : "Authorization or the query", STR_ARG(t->field)),
        TALE(t, "Move it to the header line '%.*s'.", STR_ARG(t->example)));
}

static void tell_dressed(const struct tale *t)
{
    bool is_quoted = t->facts->text.fault == KEY_TEXT_QUOTED;

    say(t->cx,
        is_quoted
            ? S("There are quotation marks around the key.")
            : TALE(t, "There is a word such as Bearer before the key in %.*s.", STR_ARG(t->field)),
        TALE(t, "Send the key alone: %.*s", STR_ARG(t->example)));
}

static void tell_key_text(const struct tale *t)
{
    switch (t->facts->text.fault) {
    case KEY_TEXT_MISSING:
        say(t->cx, TALE(t, "The field %.*s is empty.", STR_ARG(t->field)),
            TALE(t, "Send '%.*s' with your whole key; an unset variable is a common cause.",
                 STR_ARG(t->example)));
        return;
    case KEY_TEXT_TWICE:
        tell_twice(t);
        return;
    case KEY_TEXT_IN_WRONG_PLACE:
        tell_place(t);
        return;
    case KEY_TEXT_SPACES:
        tell_spaces(t);
        return;
    case KEY_TEXT_QUOTED:
    case KEY_TEXT_SCHEME:
        tell_dressed(t);
        return;
    case KEY_TEXT_PREFIX:
        tell_prefix(t);
        return;
    case KEY_TEXT_ENVIRONMENT:
        tell_environment(t);
        return;
    case KEY_TEXT_SHORT:
    case KEY_TEXT_LONG:
        tell_length(t);
        return;
    case KEY_TEXT_UPPER_CASE:
        say(t->cx, S("The key has upper-case letters."),
            S("Send the key in lower case, exactly as it was shown when it was created."));
        return;
    case KEY_TEXT_NOT_HEX:
        tell_digit(t);
        return;
    case KEY_TEXT_CHECKSUM:
        say(t->cx, S("The key's checksum does not match."),
            S("At least one character is wrong or the end is missing; copy it again."));
        return;
    case KEY_TEXT_OK:
        say(t->cx, S("The key is well formed, but it is not known here."),
            S("Check that you call the server that the key was created on; if you do, ask an admin "
              "for a new key."));
        return;
    }
}

/* ---- the life of the key ---- */

static void tell_revoked(const struct tale *t)
{
    str at = instant(t, t->verdict->since_ms);

    if (t->verdict->is_rotated_out)
        say(t->cx, TALE(t, "The key was rotated at %.*s, and its overlap has ended.", STR_ARG(at)),
            S("Use the secret that was shown at the rotation."));
    else
        say(t->cx, TALE(t, "The key was revoked at %.*s.", STR_ARG(at)),
            S("Use another key, or ask an admin to create one."));
}

static void tell_not_yet_valid(const struct tale *t)
{
    str at = instant(t, t->verdict->since_ms);

    say(t->cx, TALE(t, "The key is valid from %.*s on.", STR_ARG(at)),
        S("Wait until then, or ask an admin for a key that is valid now."));
}

static void tell_expired(const struct tale *t)
{
    str at = instant(t, t->verdict->since_ms);

    say(t->cx, TALE(t, "The key expired at %.*s.", STR_ARG(at)),
        S("Ask an admin to create a new key or to set a later expiresAt."));
}

/* ---- address and place ---- */

static void tell_address(const struct tale *t)
{
    const struct net_addr *seen = &t->facts->client;
    char text[NET_TEXT_BYTES];

    net_addr_text(seen, text);
    if (seen->family == NET_NONE)
        say(t->cx, S("The key may be used from certain addresses only, and no address was known."),
            S("A gate or verify call must pass the client's address; behind a proxy, ask the "
              "operator to check trusted_proxies and the forwarding field."));
    else
        say(t->cx, TALE(t, "The address seen is %s.", text),
            TALE(t,
                 "Call from an allowed address, or ask an admin to add %s/%d to the key's "
                 "allowedIpCidrs.",
                 text, seen->family == NET_V4 ? 32 : 128));
}

static void tell_country(const struct tale *t)
{
    const char *code = t->facts->country.code;

    if (code[0])
        say(t->cx, TALE(t, "The call comes from the country %.2s.", code),
            TALE(t, "Call from an allowed country, or ask an admin to allow %.2s.", code));
    else
        say(t->cx, S("The key may be used from certain countries only, and none was known."),
            S("Call from a public address, or ask an admin to change the rule."));
}

/* ---- scope ---- */

static struct scope_set held(const struct tale *t)
{
    return t->key ? t->key->scopes : (struct scope_set){0};
}

static void put_scopes(const struct tale *t, struct json_out *json, str name, struct scope_set set)
{
    json_open_array(json, name);
    for (size_t bit = 0; bit < t->names->n; bit++)
        if (set.bits >> bit & 1)
            json_put_text(json, STR_NONE, t->names->texts[bit]);
    json_close_array(json);
}

/* The fewest; of an expression with several ways, the shortest from where the key stands. */
static struct scope_set missing_of(const struct tale *t)
{
    struct scope_set missing = {t->facts->wanted.bits & ~held(t).bits};

    if (t->facts->needs)
        missing.bits |= scope_expr_missing(t->facts->needs, held(t)).bits;
    if (t->facts->rule_needs)
        missing.bits |= scope_expr_missing(t->facts->rule_needs, held(t)).bits;
    return missing;
}

/* Those that count here and are held, and those that are missing. */
static struct scope_set required_of(const struct tale *t)
{
    struct scope_set named = t->facts->wanted;

    if (t->facts->needs)
        named.bits |= scope_expr_scopes(t->facts->needs).bits;
    if (t->facts->rule_needs)
        named.bits |= scope_expr_scopes(t->facts->rule_needs).bits;
    return (struct scope_set){(named.bits & held(t).bits) | missing_of(t).bits};
}

static void tell_scope(const struct tale *t)
{
    struct scope_set missing = missing_of(t);
    str names = scope_names_write(t->names, t->cx->arena, missing);

    say(t->cx, TALE(t, "The key lacks: %.*s.", STR_ARG(names)),
        TALE(t, "Ask an admin to add this to the key, or for a key that holds it: %.*s.",
             STR_ARG(names)));
}

/* ---- rate ---- */

static int64_t seconds_up(int64_t ms)
{
    return ms > 1000 ? (ms + 999) / 1000 : 1;
}

static str rate_detail(const struct tale *t)
{
    const struct rate_verdict *rate = &t->verdict->rate;
    bool is_of_refusals = t->key && rate->limit == rate_refused_policy(&t->key->rate).requests;
    const char *what = is_of_refusals ? "refused calls" : "requests";

    if (rate->limit == 0)
        return S("The limit is used up.");
    return TALE(t, "The limit of %" PRId64 " %s in %" PRId64 " s is used up.", rate->limit, what,
                seconds_up(rate->window_ms));
}

static void tell_rate(const struct tale *t)
{
    const struct rate_verdict *rate = &t->verdict->rate;
    int64_t retry_s = seconds_up(rate->retry_after_ms);

    if (rate->limit && t->facts->cost > rate->limit)
        say(t->cx,
            TALE(t, "The call counts as %" PRId64 " requests, and the limit is %" PRId64 ".",
                 t->facts->cost, rate->limit),
            S("Split it into smaller calls: as it is, it can never pass."));
    else
        say(t->cx, rate_detail(t),
            TALE(t, "Retry in %" PRId64 " %s.", retry_s, retry_s == 1 ? "second" : "seconds"));
    t->cx->failure.retry_after_s = retry_s;
}

/* ---- all of them ---- */

static void tell_missing(const struct tale *t)
{
    say(t->cx, S("The call carries no API key and no session."),
        TALE(t, "Add the header line '%.*s' with your whole key.", STR_ARG(t->example)));
}

static void tell_as_in_catalogue(const struct tale *t)
{
    const struct err_info *info = err_info(t->verdict->code);

    say(t->cx, info->cause, info->fix);
}

static void tell(const struct tale *t)
{
    static const struct {
        enum err code;
        void (*tell)(const struct tale *t);
    } tellers[] = {
        {E_UNSUPPORTED_API_VERSION, tell_version},
        {E_MISSING_CREDENTIALS, tell_missing},
        {E_INVALID_API_KEY, tell_key_text},
        {E_API_KEY_REVOKED, tell_revoked},
        {E_API_KEY_NOT_YET_VALID, tell_not_yet_valid},
        {E_API_KEY_EXPIRED, tell_expired},
        {E_API_KEY_IP_NOT_ALLOWED, tell_address},
        {E_GEO_NOT_ALLOWED, tell_country},
        {E_INSUFFICIENT_SCOPE, tell_scope},
        {E_RATE_LIMITED, tell_rate},
    };

    for (size_t i = 0; i < sizeof tellers / sizeof *tellers; i++) {
        if (tellers[i].code == t->verdict->code) {
            tellers[i].tell(t);
            return;
        }
    }
    tell_as_in_catalogue(t);
}

static str members(const struct tale *t)
{
    char room[MEMBERS_MAX_BYTES + 1];
    struct buf out;
    struct json_out json = {&out};

    buf_init_on(&out, room, sizeof room);
    if (t->verdict->code == E_UNSUPPORTED_API_VERSION) {
        put_supported(&json);
    } else if (t->verdict->code == E_INSUFFICIENT_SCOPE) {
        put_scopes(t, &json, S("requiredScopes"), required_of(t));
        put_scopes(t, &json, S("keyScopes"), held(t));
    }
    return out.n ? arena_dup(t->cx->arena, buf_str(&out)) : STR_NONE;
}

void decide_explain(struct cx *cx, const struct verdict *verdict, const struct decide_key *key,
                    const struct decide_facts *facts, const struct key_form *form, str field)
{
    struct tale t = {.cx = cx, .verdict = verdict, .key = key, .facts = facts, .field = field};
    const char *scheme = str_ieq(field, S("authorization")) ? "Bearer " : "";

    cx->failure = (struct failure){0};
    if (verdict->code == E_OK)
        return;
    t.names = facts->names ? facts->names : &scope_names_enterprise;
    t.head = TALE(&t, "%.*s_%.*s_", STR_ARG(form->prefix), STR_ARG(form->environment));
    t.example = TALE(&t, "%.*s: %s%.*s…", STR_ARG(field), scheme, STR_ARG(t.head));
    t.whole = t.head.n + KEY_HEX_DIGITS;
    tell(&t);
    cx->failure.members = members(&t);
}
