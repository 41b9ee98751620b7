/* One function per thing an ADMIN can ask of plans. */
#include "plans/ops.h"

#include "audit/audit.h"
#include "base/ids.h"
#include "base/log.h"

static void (*on_change)(void);

void plans_start(void (*changed)(void))
{
    on_change = changed;
}

/* After E_STORE_DOWN too: the commit may have been made, and only its answer lost. */
static enum err run(struct cx *cx, store_work work, void *arg)
{
    enum err e = store_run(cx, work, arg);

    if ((e == E_OK || e == E_STORE_DOWN) && on_change)
        on_change();
    return e;
}

static enum err refuse(struct cx *cx, const char *member, const char *reason)
{
    struct form form;

    form_open_blank(&form, cx);
    form_problem(&form, member, "%s", reason);
    return form_close(&form);
}

static enum err audit_plan(struct cx *cx, struct tx *tx, const char *action,
                           const struct plan *plan)
{
    return audit_write(cx, tx,
                       &(struct audit_line){.action = action,
                                            .target_kind = "plan",
                                            .target_id = plan->id,
                                            .detail = audit_detail(cx, F("name", plan->name),
                                                                   F("apis", (int64_t)plan->n_apis),
                                                                   F("maxKeys", plan->keys_max))});
}

static enum err lock(struct tx *tx)
{
    return tx_lock(tx, "plans", S(""));
}

static enum err find(struct cx *cx, struct tx *tx, str id, struct plan *out)
{
    enum err e = plans_find(cx, tx, id, out);

    return e == E_ABSENT ? E_PLAN_NOT_FOUND : e;
}

static enum err insert_in_tx(struct cx *cx, struct tx *tx, void *arg)
{
    int64_t n = 0;

    TRY(lock(tx));
    TRY(plans_count(tx, &n));
    if (n >= PLANS_MAX)
        return refuse(cx, "name", "is one too many: there are 1,000 plans");
    enum err e = plans_insert(tx, arg);
    if (e == E_STORE_CONFLICT)
        return refuse(cx, "name", "is another plan's");
    TRY(e);
    return audit_plan(cx, tx, "plan.created", arg);
}

enum err plans_add(struct cx *cx, struct plan *plan)
{
    plan->id = id_new(cx->arena, "plan", cx->now_ms);
    plan->created_at_ms = plan->updated_at_ms = cx->now_ms;
    TRY(run(cx, insert_in_tx, plan));
    log_event(cx, LOG_INFO, "plan.created", F("planId", plan->id));
    return E_OK;
}

struct get {
    str id;
    const json_t *patch;
    struct plan *out;
};

static enum err get_in_tx(struct cx *cx, struct tx *tx, void *arg)
{
    struct get *get = arg;

    return find(cx, tx, get->id, get->out);
}

enum err plans_get(struct cx *cx, str id, struct plan *out)
{
    struct get get = {id, NULL, out};

    return store_read(cx, get_in_tx, &get);
}

static enum err list_in_tx(struct cx *cx, struct tx *tx, void *arg)
{
    return plans_list(cx, tx, arg);
}

enum err plans_get_all(struct cx *cx, struct plan_list *out)
{
    return store_read(cx, list_in_tx, out);
}

static enum err change_in_tx(struct cx *cx, struct tx *tx, void *arg)
{
    struct get *get = arg;
    struct plan *plan = get->out;
    struct form form;

    TRY(lock(tx));
    TRY(find(cx, tx, get->id, plan));
    form_open(&form, cx, get->patch);
    plans_read(&form, false, plan);
    TRY(form_close(&form));
    plan->updated_at_ms = cx->now_ms;
    tx_announce(tx, "plan", plan->id);
    enum err e = plans_update(tx, plan);
    if (e == E_STORE_CONFLICT)
        return refuse(cx, "name", "is another plan's");
    TRY(e);
    TRY(plans_set_apis(tx, plan));
    return audit_plan(cx, tx, "plan.updated", plan);
}

enum err plans_change(struct cx *cx, str id, const json_t *patch, struct plan *out)
{
    struct get get = {id, patch, out};

    TRY(run(cx, change_in_tx, &get));
    log_event(cx, LOG_INFO, "plan.updated", F("planId", id));
    return E_OK;
}

static enum err remove_in_tx(struct cx *cx, struct tx *tx, void *arg)
{
    struct plan *plan = arg;
    int64_t n = 0;

    TRY(lock(tx));
    TRY(find(cx, tx, plan->id, plan));
    TRY(plans_count_users(tx, plan->id, &n));
    if (n > 0)
        return fail(cx, E_PLAN_IN_USE, "%lld organization%s it.", (long long)n,
                    n == 1 ? " has" : "s have");
    TRY(plans_delete(tx, plan->id));
    return audit_plan(cx, tx, "plan.deleted", plan);
}

enum err plans_remove(struct cx *cx, str id)
{
    struct plan *plan = ARENA_NEW(cx->arena, struct plan);

    plan->id = id;
    TRY(run(cx, remove_in_tx, plan));
    log_event(cx, LOG_INFO, "plan.deleted", F("planId", id));
    return E_OK;
}

enum err plans_hold(struct cx *cx, struct tx *tx, str id)
{
    struct plan *plan = ARENA_NEW(cx->arena, struct plan);

    TRY(lock(tx));
    return find(cx, tx, id, plan);
}
