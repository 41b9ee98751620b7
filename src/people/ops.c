/* One function per thing an ADMIN can ask about employers and users. */
#include "people/ops.h"

#include "audit/audit.h"
#include "auth/auth.h"
#include "base/ids.h"
#include "base/log.h"
#include "base/text.h"
#include "crypto/password.h"
#include "keys/keys.h"
#include "plans/plans.h"

enum err people_lock(struct tx *tx)
{
    return tx_lock(tx, "people", S(""));
}

/* ---- employers ---- */

static enum err audit_employer(struct cx *cx, struct tx *tx, const char *action,
                               const struct employer *employer)
{
    return audit_write(
        cx, tx,
        &(struct audit_line){
            .action = action,
            .target_kind = "employer",
            .target_id = employer->id,
            .employer_id = employer->id,
            .detail = audit_detail(cx, F("name", employer->name),
                                   F("status", employer->is_active ? S("active") : S("inactive")),
                                   F("isApproved", employer->is_approved ? S("yes") : S("no")))});
}

/* Who may come in by another service's word, by number: what they are called there is theirs. */
static enum err audit_identities(struct cx *cx, struct tx *tx, const char *kind, str id,
                                 str employer_id, const struct identities *identities)
{
    return audit_write(
        cx, tx,
        &(struct audit_line){.action = arena_printf(cx->arena, "%s.linked", kind).p,
                             .target_kind = kind,
                             .target_id = id,
                             .employer_id = employer_id,
                             .detail = audit_detail(cx, F("identities", (int64_t)identities->n))});
}

static enum err audit_user(struct cx *cx, struct tx *tx, const char *action,
                           const struct user *user, str detail)
{
    return audit_write(cx, tx,
                       &(struct audit_line){.action = action,
                                            .target_kind = "user",
                                            .target_id = user->id,
                                            .employer_id = user->employer_id,
                                            .detail = detail});
}

static enum err insert_employer(struct cx *cx, struct tx *tx, void *arg)
{
    TRY(people_insert_employer(tx, arg));
    return audit_employer(cx, tx, "employer.created", arg);
}

enum err people_add_employer(struct cx *cx, str name, bool is_approved, struct employer *out)
{
    *out = (struct employer){.id = id_new(cx->arena, "emp", cx->now_ms),
                             .name = name,
                             .plan_id = S(""),
                             .places = S(""),
                             .is_active = true,
                             .is_approved = is_approved,
                             .created_at_ms = cx->now_ms};
    TRY(store_run(cx, insert_employer, out));
    log_event(cx, LOG_INFO, "employer.created", F("employerId", out->id));
    return E_OK;
}

struct page_args {
    str employer_id;
    str after;
    int64_t limit;
    void *out;
};

static enum err employers_in_tx(struct cx *cx, struct tx *tx, void *arg)
{
    struct page_args *page = arg;

    return people_list_employers(cx, tx, page->employer_id, page->after, page->limit, page->out);
}

enum err people_page_employers(struct cx *cx, str only, str after, int64_t limit,
                               struct employer_list *out)
{
    struct page_args page = {only, after, limit, out};

    return store_read(cx, employers_in_tx, &page);
}

struct change {
    str id;
    const json_t *patch;
    void *out;
    employer_reader read_employer;
};

/* Keys stop with their owners. After E_STORE_DOWN too: the commit may have been made, and only its
 * answer lost. */
static enum err run_on_owner(struct cx *cx, store_work work, void *arg)
{
    enum err e = store_run(cx, work, arg);

    if (e == E_OK || e == E_STORE_DOWN)
        keys_forget_all();
    return e;
}

/* The plan may have been deleted meanwhile. */
static enum err hold_plan(struct cx *cx, struct tx *tx, str id)
{
    struct form form;
    enum err e = plans_hold(cx, tx, id);

    if (e != E_PLAN_NOT_FOUND)
        return e;
    form_open_blank(&form, cx);
    form_problem(&form, "plan_id", "is not the id of a plan; GET /api/v1/plans lists them");
    return form_close(&form);
}

static enum err change_employer_in_tx(struct cx *cx, struct tx *tx, void *arg)
{
    struct change *change = arg;
    struct employer *employer = change->out;
    struct form form;

    TRY(people_lock(tx));
    enum err e = people_find_employer(cx, tx, change->id, employer);
    if (e == E_ABSENT)
        return E_EMPLOYER_NOT_FOUND;
    TRY(e);
    form_open(&form, cx, change->patch);
    bool has_identities = change->read_employer(&form, employer);
    TRY(form_close(&form));
    if (employer->plan_id.n)
        TRY(hold_plan(cx, tx, employer->plan_id));
    if (has_identities) {
        TRY(people_set_identities(cx, tx, IDENTITY_OF_EMPLOYER, employer->id,
                                  &employer->identities));
        TRY(audit_identities(cx, tx, "employer", employer->id, employer->id,
                             &employer->identities));
    }
    tx_announce(tx, "employer", employer->id);
    TRY(people_update_employer(tx, employer));
    return audit_employer(cx, tx, "employer.updated", employer);
}

enum err people_change_employer(struct cx *cx, str id, const json_t *patch, employer_reader read,
                                struct employer *out)
{
    struct change change = {id, patch, out, read};

    TRY(run_on_owner(cx, change_employer_in_tx, &change));
    log_event(cx, LOG_INFO, "employer.updated", F("employerId", id));
    return E_OK;
}

/* ---- users ---- */

static enum err add_user(struct cx *cx, struct tx *tx, const struct user *user)
{
    enum err e = people_insert_user(tx, user);

    if (e == E_STORE_CONFLICT)
        return E_EMAIL_TAKEN;
    TRY(e);
    return audit_user(cx, tx, "user.created", user,
                      audit_detail(cx, F("role", role_text(user->role))));
}

static enum err insert_user(struct cx *cx, struct tx *tx, void *arg)
{
    struct user *user = arg;
    struct employer employer;
    enum err e = people_find_employer(cx, tx, user->employer_id, &employer);

    if (e == E_ABSENT)
        return E_EMPLOYER_NOT_FOUND;
    TRY(e);
    return add_user(cx, tx, user);
}

static enum err complete_user(struct cx *cx, struct user *user, const struct secret *password)
{
    user->id = id_new(cx->arena, "user", cx->now_ms);
    user->email_folded = text_fold(cx->arena, user->email);
    user->is_active = true;
    user->created_at_ms = cx->now_ms;
    user->password_hash = STR_NONE;
    return secret_is_set(password) ? password_hash(cx, password, &user->password_hash) : E_OK;
}

enum err people_add_user(struct cx *cx, struct user *user, const struct secret *password)
{
    TRY(complete_user(cx, user, password));
    TRY(store_run(cx, insert_user, user));
    log_event(cx, LOG_INFO, "user.created", F("userId", user->id));
    return E_OK;
}

static enum err users_in_tx(struct cx *cx, struct tx *tx, void *arg)
{
    struct page_args *page = arg;

    return people_list_users(cx, tx, page->employer_id, page->after, page->limit, page->out);
}

enum err people_page_users(struct cx *cx, str employer_id, str after, int64_t limit,
                           struct user_list *out)
{
    struct page_args page = {employer_id, after, limit, out};

    return store_read(cx, users_in_tx, &page);
}

static enum err employer_in_tx(struct cx *cx, struct tx *tx, void *arg)
{
    struct employer *employer = arg;
    enum err e = people_find_employer(cx, tx, employer->id, employer);

    return e == E_ABSENT ? E_EMPLOYER_NOT_FOUND : e;
}

enum err people_get_employer(struct cx *cx, str id, struct employer *out)
{
    out->id = id;
    return store_read(cx, employer_in_tx, out);
}

struct get {
    str id;
    struct user *out;
};

static enum err user_in_tx(struct cx *cx, struct tx *tx, void *arg)
{
    struct get *get = arg;
    enum err e = people_find_user(cx, tx, get->id, get->out);

    return e == E_ABSENT ? E_USER_NOT_FOUND : e;
}

enum err people_get_user(struct cx *cx, str id, struct user *out)
{
    struct get get = {id, out};

    return store_read(cx, user_in_tx, &get);
}

static enum err check_admins_left(struct tx *tx, const struct user *before,
                                  const struct user *after)
{
    bool was_admin = before->role == ROLE_ADMIN && before->is_active;
    bool is_admin = after->role == ROLE_ADMIN && after->is_active;
    int64_t admins = 0;

    if (!was_admin || is_admin)
        return E_OK;
    TRY(people_count_active_admins(tx, &admins));
    return admins > 1 ? E_OK : E_LAST_ADMIN;
}

static enum err audit_user_change(struct cx *cx, struct tx *tx, const struct user *before,
                                  const struct user *after)
{
    return audit_user(cx, tx, "user.updated", after,
                      audit_detail(cx, F("role", role_text(after->role)),
                                   F("roleBefore", role_text(before->role)),
                                   F("status", after->is_active ? S("active") : S("inactive"))));
}

static enum err shut_out(struct cx *cx, struct tx *tx, const struct user *before,
                         const struct user *after)
{
    int64_t ended = 0;

    tx_announce(tx, "user", after->id);
    TRY(auth_shut_out(tx, after->id, &ended));
    TRY(keys_revoke_created_by(cx, tx, after->id));
    if (!before->is_active)
        return audit_user_change(cx, tx, before, after);
    return audit_user(
        cx, tx, "user.deactivated", after,
        audit_detail(cx, F("sessionsEnded", ended), F("role", role_text(after->role))));
}

static enum err change_user_in_tx(struct cx *cx, struct tx *tx, void *arg)
{
    struct change *change = arg;
    struct user *user = change->out;
    struct form form;

    TRY(people_lock(tx));
    enum err e = people_find_user(cx, tx, change->id, user);
    if (e == E_ABSENT)
        return E_USER_NOT_FOUND;
    TRY(e);
    struct user before = *user;
    form_open(&form, cx, change->patch);
    if (form_value(&form, "role"))
        user->role = people_read_role(&form, true);
    people_read_status(&form, &user->is_active);
    people_read_identities(&form, "identities", &user->identities);
    bool has_identities = form_has(&form, "identities");
    TRY(form_close(&form));
    TRY(check_admins_left(tx, &before, user));
    if (has_identities) {
        TRY(people_set_identities(cx, tx, IDENTITY_OF_USER, user->id, &user->identities));
        TRY(audit_identities(cx, tx, "user", user->id, user->employer_id, &user->identities));
    }
    TRY(people_update_user(tx, user, cx->now_ms));
    return user->is_active ? audit_user_change(cx, tx, &before, user)
                           : shut_out(cx, tx, &before, user);
}

enum err people_change_user(struct cx *cx, str id, const json_t *patch, struct user *out)
{
    struct change change = {.id = id, .patch = patch, .out = out};

    TRY(run_on_owner(cx, change_user_in_tx, &change));
    log_event(cx, LOG_INFO, out->is_active ? "user.updated" : "user.deactivated", F("userId", id));
    return E_OK;
}

/* ---- first start ---- */

struct first {
    struct employer employer;
    struct user admin;
    bool is_needed;
};

static enum err look_for_admin(struct cx *cx, struct tx *tx, void *arg)
{
    struct first *first = arg;
    int64_t admins = 0;

    (void)cx;
    TRY(people_count_admins(tx, &admins));
    first->is_needed = admins == 0;
    return E_OK;
}

static enum err insert_first(struct cx *cx, struct tx *tx, void *arg)
{
    struct first *first = arg;
    struct employer_list employers;

    /* Another node may be making its first start as well. */
    TRY(people_lock(tx));
    TRY(look_for_admin(cx, tx, first));
    if (!first->is_needed)
        return E_OK;
    TRY(people_list_employers(cx, tx, STR_NONE, STR_NONE, 1, &employers));
    if (employers.n == 0)
        TRY(insert_employer(cx, tx, &first->employer));
    else
        first->admin.employer_id = employers.list[0].id;
    return add_user(cx, tx, &first->admin);
}

enum err people_first_start(struct cx *cx, str email, const struct secret *password)
{
    struct first first = {
        .employer = {.id = id_new(cx->arena, "emp", cx->now_ms),
                     .name = S("First employer"),
                     .is_active = true,
                     .is_approved = true,
                     .created_at_ms = cx->now_ms},
        .admin = {.email = email, .role = ROLE_ADMIN},
    };
    str text = secret_reveal(password);

    TRY(store_read(cx, look_for_admin, &first));
    if (!first.is_needed || email.n == 0)
        return E_OK;
    if (!text_is_email(email))
        return fail(cx, E_INVALID_REQUEST, "admin_email is not an email address.");
    if (!password_is_fit(text))
        return fail(cx, E_INVALID_REQUEST, "admin_password must have at least %d characters.",
                    PASSWORD_MIN_CHARS);
    first.admin.employer_id = first.employer.id;
    TRY(complete_user(cx, &first.admin, password));
    TRY(store_run(cx, insert_first, &first));
    if (!first.is_needed)
        return E_OK;
    log_event(cx, LOG_INFO, "instance.first_start", F("userId", first.admin.id),
              F("employerId", first.admin.employer_id));
    return E_OK;
}

/* ---- acting for an employer ---- */

struct acting {
    str employer_id;
    struct employer employer;
};

static enum err find_named(struct cx *cx, struct tx *tx, void *arg)
{
    struct acting *acting = arg;

    return people_find_employer(cx, tx, acting->employer_id, &acting->employer);
}

/* The command line need not name the employer while there is only one. */
static enum err find_only(struct cx *cx, struct tx *tx, void *arg)
{
    struct acting *acting = arg;
    struct employer_list employers;

    TRY(people_list_employers(cx, tx, STR_NONE, STR_NONE, 2, &employers));
    if (employers.n == 1)
        acting->employer = employers.list[0];
    return E_OK;
}

enum err people_act_for(struct cx *cx, str employer_id, struct principal *who)
{
    struct acting acting = {.employer_id = employer_id};
    bool names_one = !str_is_none(employer_id);

    if (!names_one && who->kind != PRINCIPAL_OPERATOR)
        return E_OK;
    if (names_one && who->role != ROLE_ADMIN)
        return fail(cx, E_INSUFFICIENT_ROLE, "Only an ADMIN may send x-employer-id.");
    enum err e = store_read(cx, names_one ? find_named : find_only, &acting);
    if (e == E_ABSENT)
        return E_EMPLOYER_NOT_FOUND;
    TRY(e);
    who->employer_id = acting.employer.id;
    return E_OK;
}
