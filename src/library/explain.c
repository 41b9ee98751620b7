/*
 * A verdict in words. The server's own explanation is asked again, from the facts that the verdict
 * kept, in memory on the stack.
 */
#include <stdalign.h>
#include <string.h>

#include "base/banned.h"
#include "base/json.h"
#include "library/inside.h"

/* Scopes come up four times: in the detail, the hint, the list both are made from, and the members.
 */
enum { ARENA_ROOM_BYTES = 4 * SCOPES_MAX * (SCOPE_TEXT_MAX_BYTES + 3) + 16384 };

static struct decide_facts facts_of(const struct sallyport_table *table, const struct told *told)
{
    struct decide_facts facts = {
        .text = {(enum key_fault)told->text_fault, (size_t)told->text_by},
        .client = {.family = (uint8_t)told->client_family},
        .wanted = {told->required},
        .cost = (int64_t)told->cost,
        .names = &table->names,
    };

    memcpy(facts.client.bytes, told->client, sizeof facts.client.bytes);
    return facts;
}

/* As far as the explanation looks at it. */
static struct decide_key key_of(const struct sallyport_verdict *verdict)
{
    bool is_of_refusals = verdict->check == SALLYPORT_CHECK_REFUSALS;

    return (struct decide_key){
        .scopes = {verdict->scopes},
        .rate = {.requests = verdict->limit / (is_of_refusals ? RATE_REFUSED_FACTOR : 1)},
    };
}

static struct verdict verdict_of(const struct sallyport_verdict *verdict)
{
    return (struct verdict){
        .code = library_err(verdict->code),
        .rate = {.limit = verdict->limit,
                 .window_ms = verdict->window_ms,
                 .retry_after_ms = verdict->retry_after_ms},
        .since_ms = verdict->since_ms,
        .is_rotated_out = verdict->check == SALLYPORT_CHECK_ROTATED,
    };
}

static void tell(struct cx *cx, const struct sallyport_table *table,
                 const struct sallyport_verdict *verdict)
{
    struct told told;

    memcpy(&told, verdict->facts, sizeof told);
    struct decide_facts facts = facts_of(table, &told);
    struct decide_key key = key_of(verdict);
    struct verdict inner = verdict_of(verdict);
    decide_explain(cx, &inner, &key, &facts, &table->form, table->field);
}

static void write_lines(struct buf *out, const struct sallyport_verdict *verdict,
                        const struct failure *why)
{
    if (verdict->code == SALLYPORT_VALID) {
        buf_put(out, S("VALID: The call may be made.\n"));
        return;
    }
    const struct err_info *info = err_info(library_err(verdict->code));
    buf_put(out, info->code);
    buf_put(out, S(": "));
    buf_put(out, info->message);
    buf_put_byte(out, '\n');
    buf_put(out, why->detail);
    buf_put_byte(out, '\n');
    buf_put(out, why->hint);
    buf_put_byte(out, '\n');
}

static void write_json(struct buf *out, const struct sallyport_verdict *verdict,
                       const struct failure *why)
{
    struct json_out json = {out};

    json_open_object(&json, STR_NONE);
    json_put_bool(&json, S("valid"), verdict->code == SALLYPORT_VALID);
    json_put_text(&json, S("code"), str_of(sallyport_code_text(verdict->code)));
    json_put_int(&json, S("status"), verdict->status);
    if (verdict->code != SALLYPORT_VALID) {
        json_put_text(&json, S("title"), err_info(library_err(verdict->code))->message);
        json_put_text(&json, S("detail"), why->detail);
        json_put_text(&json, S("hint"), why->hint);
        if (why->retry_after_s > 0)
            json_put_int(&json, S("retryAfterSeconds"), why->retry_after_s);
        json_put_members(&json, why->members);
    }
    json_close_object(&json);
}

size_t sallyport_explain(const struct sallyport_table *table,
                         const struct sallyport_verdict *verdict, enum sallyport_form form,
                         char *buffer, size_t bytes)
{
    alignas(max_align_t) char room[ARENA_ROOM_BYTES];
    struct arena *arena = arena_new_on(room, sizeof room);
    struct cx cx = {.arena = arena};
    struct buf out;

    if (bytes == 0)
        return 0;
    tell(&cx, table, verdict);
    buf_init_on(&out, buffer, bytes);
    if (form == SALLYPORT_JSON)
        write_json(&out, verdict, &cx.failure);
    else
        write_lines(&out, verdict, &cx.failure);
    if (out.is_full)
        out.n = 0;
    buffer[out.n] = '\0';
    arena_reset(arena);
    return out.n;
}
