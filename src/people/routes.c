/* The administration routes: employers and users. */
#include "http/reply.h"
#include "people/ops.h"

static const char EMPLOYERS_LIST = 'e';
static const char USERS_LIST = 'u';

static void write_identities(struct json_out *j, str key, const struct identities *identities)
{
    json_open_array(j, key);
    for (size_t i = 0; i < identities->n; i++) {
        json_open_object(j, STR_NONE);
        json_put_text(j, S("issuer"), identities->list[i].issuer);
        json_put_text(j, S("id"), identities->list[i].id);
        json_close_object(j);
    }
    json_close_array(j);
}

static void write_employer(struct cx *cx, struct json_out *j, const void *what)
{
    const struct employer *employer = what;

    (void)cx;
    json_open_object(j, STR_NONE);
    json_put_text(j, S("id"), employer->id);
    json_put_text(j, S("name"), employer->name);
    json_put_text(j, S("status"), employer->is_active ? S("active") : S("inactive"));
    json_put_bool(j, S("isApproved"), employer->is_approved);
    write_identities(j, S("externalIds"), &employer->identities);
    json_put_time(j, S("createdAt"), employer->created_at_ms);
    json_close_object(j);
}

static void write_user(struct cx *cx, struct json_out *j, const void *what)
{
    const struct user *user = what;

    (void)cx;
    json_open_object(j, STR_NONE);
    json_put_text(j, S("id"), user->id);
    json_put_personal(j, S("email"), user->email);
    json_put_text(j, S("role"), role_text(user->role));
    json_put_text(j, S("employerId"), user->employer_id);
    json_put_text(j, S("status"), user->is_active ? S("active") : S("inactive"));
    write_identities(j, S("identities"), &user->identities);
    json_put_time(j, S("createdAt"), user->created_at_ms);
    json_close_object(j);
}

static enum err refill_user(struct cx *cx, json_t *answer)
{
    struct user user;

    TRY(people_get_user(cx, json_text(json_object_get(answer, "id")), &user));
    json_object_set_new(answer, "email", json_stringn(user.email.p, user.email.n));
    return E_OK;
}

static enum err get_employers(struct cx *cx, const struct http_req *req, struct http_reply *out)
{
    struct employer_list employers;
    struct page page;

    TRY(page_query(cx, req, EMPLOYERS_LIST, &page));
    TRY(people_page_employers(cx, STR_NONE, page.after, page.limit, &employers));

    struct json_out j = page_open(out, S("employers"));
    for (size_t i = 0; i < employers.n; i++)
        write_employer(cx, &j, &employers.list[i]);
    page_close(cx, &j, EMPLOYERS_LIST, employers.has_more,
               employers.n ? employers.list[employers.n - 1].id : STR_NONE);
    return E_OK;
}

static enum err post_employer(struct cx *cx, const struct http_req *req, struct http_reply *out)
{
    DROP(json) json_t *body = NULL;
    struct employer employer;
    struct form form;

    TRY(http_req_json(cx, req, &body));
    form_open(&form, cx, body);
    str name = form_text(&form, "name", EMPLOYER_NAME_MAX_CHARS, true);
    bool is_approved = form_bool(&form, "isApproved", true);
    TRY(form_close(&form));
    http_reply_plan(out, 201, write_employer, &employer);
    TRY(people_add_employer(cx, name, is_approved, &employer));
    return http_reply_write(cx, out);
}

static bool read_employer(struct form *f, struct employer *employer)
{
    if (form_value(f, "name"))
        employer->name = form_text(f, "name", EMPLOYER_NAME_MAX_CHARS, true);
    people_read_status(f, &employer->is_active);
    employer->is_approved = form_bool(f, "isApproved", employer->is_approved);
    people_read_identities(f, "externalIds", &employer->identities);
    return form_has(f, "externalIds");
}

static enum err patch_employer(struct cx *cx, const struct http_req *req, struct http_reply *out)
{
    DROP(json) json_t *body = NULL;
    struct employer employer;

    TRY(http_req_json(cx, req, &body));
    http_reply_plan(out, 200, write_employer, &employer);
    TRY(people_change_employer(cx, req->params[0], body, read_employer, &employer));
    return http_reply_write(cx, out);
}

static enum err get_users(struct cx *cx, const struct http_req *req, struct http_reply *out)
{
    DROP(json) json_t *query = NULL;
    struct user_list users;
    struct page page;
    struct form form;

    TRY(http_req_query_json(cx, req, &query));
    form_open(&form, cx, query);
    page_read(&form, USERS_LIST, &page);
    str employer_id = form_text(&form, "employerId", 64, false);
    TRY(form_close(&form));
    TRY(people_page_users(cx, employer_id, page.after, page.limit, &users));

    struct json_out j = page_open(out, S("users"));
    for (size_t i = 0; i < users.n; i++)
        write_user(cx, &j, &users.list[i]);
    page_close(cx, &j, USERS_LIST, users.has_more, users.n ? users.list[users.n - 1].id : STR_NONE);
    return E_OK;
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
    user.role = people_read_role(&form, true);
    user.employer_id = form_text(&form, "employerId", 64, str_is_none(cx->who->employer_id));
    people_read_password(&form, &password);
    TRY(form_close(&form));
    if (str_is_none(user.employer_id))
        user.employer_id = cx->who->employer_id;
    http_reply_plan(out, 201, write_user, &user);
    TRY(people_add_user(cx, &user, &password));
    return http_reply_write(cx, out);
}

static enum err patch_user(struct cx *cx, const struct http_req *req, struct http_reply *out)
{
    DROP(json) json_t *body = NULL;
    struct user user;

    TRY(http_req_json(cx, req, &body));
    http_reply_plan(out, 200, write_user, &user);
    TRY(people_change_user(cx, req->params[0], body, &user));
    return http_reply_write(cx, out);
}

const struct route people_routes[] = {
    {HTTP_GET, "/api/admin/employers", ROLE(ADMIN), get_employers},
    {HTTP_POST, "/api/admin/employers", ROLE(ADMIN), post_employer},
    {HTTP_PATCH, "/api/admin/employers/{employerId}", ROLE(ADMIN), patch_employer},
    {HTTP_GET, "/api/admin/users", ROLE(ADMIN), get_users},
    {HTTP_POST, "/api/admin/users", ROLE(ADMIN), post_user, .refill = refill_user},
    {HTTP_PATCH, "/api/admin/users/{userId}", ROLE(ADMIN), patch_user, .refill = refill_user},
    {0},
};
