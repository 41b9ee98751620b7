/* Organizations and users under /api/v1: the employers and people there are, by other names. */
#include "base/cursor.h"
#include "http/reply.h"
#include "people/ops.h"
#include "places/places.h"

static const char ORGANIZATIONS_LIST = 'o';
static const char USERS_LIST = 'v';

enum { PAGE_SIZE_DEFAULT = 50, PAGE_SIZE_MAX = 500 };

/* An ADMIN and a key for the whole instance see all; others their own employer. STR_NONE: all. */
static str view_of(const struct principal *who)
{
    return who->role == ROLE_ADMIN || who->is_instance ? STR_NONE : who->employer_id;
}

static bool is_in_view(const struct cx *cx, str employer_id)
{
    str view = view_of(cx->who);

    return str_is_none(view) || str_eq(view, employer_id);
}

static void write_head(struct json_out *j)
{
    json_open_object(j, STR_NONE);
    json_put_text(j, S("code"), S("OK"));
    json_put_text(j, S("message"), S("Success"));
}

/* ---- pages ---- */

static void read_page(struct form *query, char list, struct page *out)
{
    uint64_t size = PAGE_SIZE_DEFAULT;
    const json_t *size_value = form_value(query, "page_size");
    const json_t *token = form_value(query, "next_token");

    if (size_value && (!str_parse_u64(json_text(size_value), PAGE_SIZE_MAX, &size) || !size))
        form_problem(query, "page_size", "must be a whole number from 1 to %d", PAGE_SIZE_MAX);
    *out = (struct page){.limit = (int64_t)size, .after = STR_NONE};
    if (token && !cursor_read(json_text(token), list, &out->after)) {
        form_problem(query, "next_token", "is not one of this list");
        query->code = E_INVALID_CURSOR;
    }
    out->after = arena_dup(query->cx->arena, out->after);
}

static void write_next(struct cx *cx, struct json_out *j, char list, bool has_more, str last_id)
{
    json_put_text(j, S("next_token"), has_more ? cursor_write(cx->arena, list, last_id) : STR_NONE);
}

/* ---- organizations ---- */

static void write_organization(struct json_out *j, str member, const struct employer *employer)
{
    json_open_object(j, member);
    json_put_text(j, S("code"), employer->id);
    json_put_text(j, S("name"), employer->name);
    json_put_text(j, S("status"), employer->is_active ? S("active") : S("inactive"));
    json_put_bool(j, S("is_approved"), employer->is_approved);
    json_put_text(j, S("plan_id"), employer->plan_id.n ? employer->plan_id : STR_NONE);
    places_write(j, S("places"), employer->places);
    json_put_time(j, S("created_on"), employer->created_at_ms);
    json_close_object(j);
}

static void write_one_organization(struct cx *cx, struct json_out *j, const void *what)
{
    (void)cx;
    write_head(j);
    write_organization(j, S("organization"), what);
    json_close_object(j);
}

static enum err get_organizations(struct cx *cx, const struct http_req *req, struct http_reply *out)
{
    DROP(json) json_t *query = NULL;
    struct employer_list employers;
    struct page page;
    struct form form;

    TRY(http_req_query_json(cx, req, &query));
    form_open(&form, cx, query);
    read_page(&form, ORGANIZATIONS_LIST, &page);
    TRY(form_close(&form));
    TRY(people_page_employers(cx, view_of(cx->who), page.after, page.limit, &employers));

    struct json_out j = http_reply_json(out, 200);
    write_head(&j);
    json_open_array(&j, S("organizations"));
    for (size_t i = 0; i < employers.n; i++)
        write_organization(&j, STR_NONE, &employers.list[i]);
    json_close_array(&j);
    write_next(cx, &j, ORGANIZATIONS_LIST, employers.has_more,
               employers.n ? employers.list[employers.n - 1].id : STR_NONE);
    json_close_object(&j);
    return E_OK;
}

static enum err post_organization(struct cx *cx, const struct http_req *req, struct http_reply *out)
{
    DROP(json) json_t *body = NULL;
    struct employer employer;
    struct form form;

    TRY(http_req_json(cx, req, &body));
    form_open(&form, cx, body);
    str name = form_text(&form, "name", EMPLOYER_NAME_MAX_CHARS, true);
    bool is_approved = form_bool(&form, "is_approved", true);
    TRY(form_close(&form));
    http_reply_plan(out, 201, write_one_organization, &employer);
    TRY(people_add_employer(cx, name, is_approved, &employer));
    return http_reply_write(cx, out);
}

static enum err get_organization(struct cx *cx, const struct http_req *req, struct http_reply *out)
{
    struct employer employer;

    if (!is_in_view(cx, req->params[0]))
        return E_EMPLOYER_NOT_FOUND;
    TRY(people_get_employer(cx, req->params[0], &employer));
    struct json_out j = http_reply_json(out, 200);
    write_one_organization(cx, &j, &employer);
    return E_OK;
}

static bool read_organization(struct form *f, struct employer *employer)
{
    const json_t *plan = form_value(f, "plan_id");

    if (form_value(f, "name"))
        employer->name = form_text(f, "name", EMPLOYER_NAME_MAX_CHARS, true);
    people_read_status(f, &employer->is_active);
    employer->is_approved = form_bool(f, "is_approved", employer->is_approved);
    if (plan && json_is_null(plan))
        employer->plan_id = S("");
    else if (plan)
        employer->plan_id = form_text(f, "plan_id", 64, true);
    if (form_value(f, "places"))
        employer->places = places_read(f, "places");
    return false;
}

static enum err patch_organization(struct cx *cx, const struct http_req *req,
                                   struct http_reply *out)
{
    DROP(json) json_t *body = NULL;
    struct employer employer;

    TRY(http_req_json(cx, req, &body));
    http_reply_plan(out, 200, write_one_organization, &employer);
    TRY(people_change_employer(cx, req->params[0], body, read_organization, &employer));
    return http_reply_write(cx, out);
}

/* ---- users ---- */

static void write_user(struct json_out *j, str member, const struct user *user)
{
    json_open_object(j, member);
    json_put_text(j, S("id"), user->id);
    json_put_personal(j, S("email"), user->email);
    json_put_text(j, S("role"), role_text(user->role));
    json_put_text(j, S("org_code"), user->employer_id);
    json_put_text(j, S("status"), user->is_active ? S("active") : S("inactive"));
    json_put_time(j, S("created_on"), user->created_at_ms);
    json_close_object(j);
}

static void write_one_user(struct cx *cx, struct json_out *j, const void *what)
{
    (void)cx;
    write_head(j);
    write_user(j, S("user"), what);
    json_close_object(j);
}

static enum err refill_user(struct cx *cx, json_t *answer)
{
    json_t *shown = json_object_get(answer, "user");
    struct user user;

    TRY(people_get_user(cx, json_text(json_object_get(shown, "id")), &user));
    json_object_set_new(shown, "email", json_stringn(user.email.p, user.email.n));
    return E_OK;
}

static enum err get_users(struct cx *cx, const struct http_req *req, struct http_reply *out)
{
    DROP(json) json_t *query = NULL;
    str view = view_of(cx->who);
    struct user_list users;
    struct page page;
    struct form form;

    TRY(http_req_query_json(cx, req, &query));
    form_open(&form, cx, query);
    read_page(&form, USERS_LIST, &page);
    str employer_id = arena_dup(cx->arena, form_text(&form, "org_code", 64, false));
    TRY(form_close(&form));
    if (employer_id.n && !is_in_view(cx, employer_id))
        employer_id = S("nobody");
    else if (!employer_id.n)
        employer_id = view;
    TRY(people_page_users(cx, employer_id, page.after, page.limit, &users));

    struct json_out j = http_reply_json(out, 200);
    write_head(&j);
    json_open_array(&j, S("users"));
    for (size_t i = 0; i < users.n; i++)
        write_user(&j, STR_NONE, &users.list[i]);
    json_close_array(&j);
    write_next(cx, &j, USERS_LIST, users.has_more, users.n ? users.list[users.n - 1].id : STR_NONE);
    json_close_object(&j);
    return E_OK;
}

/* A key that leaks must not make or unmake those who can revoke it. */
static enum err check_is_no_admin(struct cx *cx, enum role role)
{
    if (cx->who->kind != PRINCIPAL_KEY || role < ROLE_ADMIN)
        return E_OK;
    return fail(cx, E_INSUFFICIENT_ROLE, "Only an ADMIN who signed in makes or changes an ADMIN.");
}

static enum err post_user(struct cx *cx, const struct http_req *req, struct http_reply *out)
{
    DROP(secret) struct secret password = {0};
    DROP(json) json_t *body = NULL;
    struct user user = {0};
    struct form form;

    TRY(http_req_json(cx, req, &body));
    form_open(&form, cx, body);
    user.email = people_read_email(&form);
    user.role = form_value(&form, "role") ? people_read_role(&form, true) : ROLE_MEMBER;
    user.employer_id = form_text(&form, "org_code", 64, true);
    people_read_password(&form, &password);
    TRY(form_close(&form));
    TRY(check_is_no_admin(cx, user.role));
    http_reply_plan(out, 201, write_one_user, &user);
    TRY(people_add_user(cx, &user, &password));
    return http_reply_write(cx, out);
}

static enum err get_user(struct cx *cx, const struct http_req *req, struct http_reply *out)
{
    struct user user;

    TRY(people_get_user(cx, req->params[0], &user));
    if (!is_in_view(cx, user.employer_id))
        return E_USER_NOT_FOUND;
    struct json_out j = http_reply_json(out, 200);
    write_one_user(cx, &j, &user);
    return E_OK;
}

static enum err patch_user(struct cx *cx, const struct http_req *req, struct http_reply *out)
{
    DROP(json) json_t *body = NULL;
    struct user user;

    TRY(http_req_json(cx, req, &body));
    TRY(people_get_user(cx, req->params[0], &user));
    TRY(check_is_no_admin(cx, user.role));
    TRY(check_is_no_admin(cx, role_find(json_text(json_object_get(body, "role")))));
    http_reply_plan(out, 200, write_one_user, &user);
    TRY(people_change_user(cx, req->params[0], body, &user));
    return http_reply_write(cx, out);
}

const struct route people_management_routes[] = {
    {HTTP_GET, "/api/v1/organizations", MANAGE("read:organizations", EMPLOYER_ADMIN),
     get_organizations},
    {HTTP_POST, "/api/v1/organizations", MANAGE("create:organizations", ADMIN), post_organization},
    {HTTP_GET, "/api/v1/organizations/{code}", MANAGE("read:organizations", EMPLOYER_ADMIN),
     get_organization},
    {HTTP_PATCH, "/api/v1/organizations/{code}", MANAGE("update:organizations", ADMIN),
     patch_organization},
    {HTTP_GET, "/api/v1/users", MANAGE("read:users", EMPLOYER_ADMIN), get_users},
    {HTTP_POST, "/api/v1/users", MANAGE("create:users", ADMIN), post_user, .refill = refill_user},
    {HTTP_GET, "/api/v1/users/{userId}", MANAGE("read:users", EMPLOYER_ADMIN), get_user},
    {HTTP_PATCH, "/api/v1/users/{userId}", MANAGE("update:users", ADMIN), patch_user,
     .refill = refill_user},
    {0},
};
