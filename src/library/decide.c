/* A question, its digest looked up, and the verdict in the caller's struct. */
#include <string.h>

#include "base/banned.h"
#include "base/rcu.h"
#include "base/time.h"
#include "library/keys.h"

/* Under its own family an address inside IPv6 would pass no rule for the IPv4 that it is. */
static struct net_addr client_of(const struct sallyport_address *client)
{
    struct net_addr addr = {.family = client->family == 4   ? NET_V4
                                      : client->family == 6 ? NET_V6
                                                            : NET_NONE};

    if (addr.family != NET_NONE)
        memcpy(addr.bytes, client->bytes, addr.family == NET_V4 ? 4 : sizeof addr.bytes);
    return net_addr_unmapped(&addr);
}

static struct decide_facts facts_of(const struct sallyport_table *table,
                                    const struct sallyport_question *question,
                                    struct scope_expr *needs)
{
    if (question->needs)
        memcpy(needs, question->needs, sizeof *needs);
    return (struct decide_facts){
        .now = {question->now_ms ? question->now_ms : time_now_ms(),
                question->now_mono_ns ? question->now_mono_ns : time_mono_ns()},
        .text = key_text_judge((str){question->key, question->key_bytes}, &table->form),
        .client = client_of(&question->client),
        .wanted = {question->wanted},
        .needs = question->needs ? needs : NULL,
        .cost = question->cost > 0 ? question->cost : 1,
        .names = &table->names,
    };
}

/* A key of another form has a text of its own; once found, its form is no fault. */
static bool is_looked_up(const struct sallyport_table *table,
                         const struct sallyport_question *question,
                         const struct decide_facts *facts)
{
    if (facts->text.fault == KEY_TEXT_OK)
        return true;
    return question->key_bytes > 0 && question->key_bytes <= ANY_TEXT_MAX_BYTES &&
           atomic_load_explicit(&table->takes_any_text, memory_order_relaxed);
}

static void judge(struct sallyport_table *table, const struct sallyport_question *question,
                  struct decide_facts *facts, struct judged *out)
{
    struct meters none = {0};

    if (is_looked_up(table, question, facts)) {
        struct sha256 digest = digest_sha256((str){question->key, question->key_bytes});
        struct key_text_verdict text = facts->text;
        facts->text.fault = KEY_TEXT_OK;
        if (keys_decide(table->keys, &digest, facts, out))
            return;
        facts->text = text;
    }
    *out = (struct judged){.verdict = decide(NULL, facts, none, &none)};
}

static struct scope_set missing_of(const struct decide_facts *facts, struct scope_set held)
{
    struct scope_set missing = {facts->wanted.bits & ~held.bits};

    if (facts->needs)
        missing.bits |= scope_expr_missing(facts->needs, held).bits;
    return missing;
}

/* What the explanation asks for; of the scopes those that count, as decide/explain.c has it. */
static void keep_facts(const struct decide_facts *facts, struct sallyport_verdict *out)
{
    struct scope_set named = facts->wanted;
    struct told told = {
        .text_fault = facts->text.fault,
        .text_by = facts->text.by,
        .client_family = facts->client.family,
        .cost = (uint64_t)facts->cost,
    };

    if (facts->needs)
        named.bits |= scope_expr_scopes(facts->needs).bits;
    told.required = (named.bits & out->scopes) | out->missing;
    memcpy(told.client, facts->client.bytes, sizeof told.client);
    memcpy(out->facts, &told, sizeof told);
    memset((char *)out->facts + sizeof told, 0, sizeof out->facts - sizeof told);
    memset(out->reserved, 0, sizeof out->reserved);
}

/* Member by member: setting all of it to zero first takes as long as all the rest. */
static void write_verdict(const struct judged *judged, const struct decide_facts *facts,
                          struct sallyport_verdict *out)
{
    const struct verdict *verdict = &judged->verdict;

    library_name(verdict, &judged->policy, &facts->text, out);
    memcpy(out->key_id, judged->id, sizeof out->key_id);
    memcpy(out->owner_id, judged->owner_id, sizeof out->owner_id);
    out->scopes = judged->policy.scopes.bits;
    out->missing = 0;
    out->limit = verdict->rate.limit;
    out->window_ms = verdict->rate.window_ms;
    out->remaining = verdict->rate.remaining;
    out->reset_ms = verdict->rate.reset_ms;
    out->retry_after_ms = verdict->rate.retry_after_ms;
    out->since_ms = verdict->since_ms;
    if (out->check == SALLYPORT_CHECK_SCOPE)
        out->missing = missing_of(facts, judged->policy.scopes).bits;
    keep_facts(facts, out);
}

void sallyport_decide(struct sallyport_table *table, const struct sallyport_question *question,
                      struct sallyport_verdict *verdict)
{
    struct scope_expr needs;
    struct judged judged;
    struct decide_facts facts = facts_of(table, question, &needs);

    judge(table, question, &facts, &judged);
    write_verdict(&judged, &facts, verdict);
}

void sallyport_thread_begin(void)
{
    rcu_thread_begin();
}
